use ed25519_dalek::Signer as _;

use super::*;
use crate::checkpoint::Checkpoint;
use crate::hash::Algorithm;
use crate::note::Note;
use crate::proof::TreeHead;
use crate::testing::verified;

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint::new("example.com/log", TreeHead::empty(Algorithm::Sha256)).unwrap()
}

#[test]
fn a_key_comes_back_as_it_went() {
    let seed = [7; 32];
    let cosigner = Cosigner::new(name("w"), &seed).unwrap();
    assert_eq!(Cosigner::parse(&cosigner.to_secret_text()).unwrap().verifier(), cosigner.verifier());
    for signer in
        [Signer::ed25519(name("督办.example"), &seed).unwrap(), Signer::sm2(name("a"), &seed).unwrap()]
    {
        let verifier = signer.verifier();
        assert_eq!(verifier.to_string().parse::<Verifier>().as_ref(), Ok(verifier));
        assert_eq!(Signer::parse(&signer.to_secret_text()).unwrap().verifier(), verifier);
    }
}

#[test]
fn a_secret_key_of_the_go_package_is_read() {
    // golang.org/x/mod/sumdb/note, the package's example.
    let secret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    let signer = Signer::parse(secret).unwrap();
    let public = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(signer.verifier().to_string(), public);
    assert_eq!(signer.to_secret_text(), secret);
    let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    assert_eq!(
        signer.sign(text).unwrap().to_string(),
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    );
}

#[test]
fn rfc_8032_test_1_is_our_key_too() {
    let seed: [u8; 32] =
        bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").try_into().unwrap();
    let signer = Signer::ed25519(name("a"), &seed).unwrap();
    let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    assert_eq!(signer.verifier().public(), bytes(public));
    let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    assert_eq!(signer.verifier().verify("", &bytes(signature)), Ok(None));
}

#[test]
fn a_signature_with_a_point_of_small_order_is_wrong() {
    // R is the neutral point and s = H(R ‖ A ‖ text) · a: RFC 8032 §5.1.7 takes it, other verifiers don't.
    let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let signature = "01000000000000000000000000000000000000000000000000000000000000005467a4bbee016e0842daedc93a6d0c66f9c0b9d6857fc5b0da84ae5336585101";
    let verifier = Verifier::new(name("a"), KeyType::Ed25519, &bytes(public)).unwrap();
    assert_eq!(verifier.verify("a\n", &bytes(signature)), Err(Wrong));
}

#[test]
fn the_standards_example_of_sm2_is_verified() {
    // GB/T 32918.5-2017 A.2, "message digest" with the usual distinguishing id.
    let public = "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13";
    let signature = "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa";
    let secret = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";
    let verifier = Verifier::new(name("a"), KeyType::Sm2, &bytes(public)).unwrap();
    assert_eq!(verifier.verify("message digest", &bytes(signature)), Ok(None));
    assert_eq!(verifier.verify("message digesT", &bytes(signature)), Err(Wrong));
    let signer = Signer::sm2(name("a"), &bytes(secret).try_into().unwrap()).unwrap();
    assert_eq!(signer.verifier(), &verifier);
    // Our nonce is another, so the signature is; it holds, and it is the same every time.
    let line = signer.sign("message digest").unwrap();
    assert_eq!(line, signer.sign("message digest").unwrap());
    let note = Note::new("a\n".to_owned(), vec![signer.sign("a\n").unwrap()]).unwrap();
    assert_eq!(note.verify(&[&verifier]).unwrap().len(), 1);
}

#[test]
fn what_openssl_signs_with_sm2_is_verified() {
    // openssl genpkey -algorithm SM2; openssl pkeyutl -sign -rawin -digest sm3 -pkeyopt distid:1234567812345678
    let public = "049e12e5378da22b1d042ad3f624b6b891b54b37fdad8e9c69208a8e70b0faf14fdc87b9c17a7a6ba70f6d01e9f1db41458da8273550a7fce3d9373d97e68c1857";
    let secret = "d50ce6dafa9fc20aa3684ceeaf73b6ae63920ed0a2bef10c34fd54b055bf2fdd";
    let signature = "c92946b9e85e4f5110c2c94586f84e365e0ec9146456e4bd18e5f6847fb818c843808f3549dbbe03f50aea003efe536414aecd893de2d8183827e6f324f5aa60";
    let signer = Signer::sm2(name("a"), &bytes(secret).try_into().unwrap()).unwrap();
    assert_eq!(signer.verifier().public(), bytes(public));
    assert_eq!(signer.verifier().verify("督办 SM2\n", &bytes(signature)), Ok(None));
}

#[test]
fn an_sm2_signature_with_a_bit_of_any_byte_changed_is_wrong() {
    let signer = Signer::sm2(name("a"), &[7; 32]).unwrap();
    let signature = sm2::sign(&sm2::secret(&[7; 32]).unwrap(), b"text\n").unwrap();
    assert_eq!(signer.verifier().verify("text\n", &signature), Ok(None));
    for at in 0..64 {
        let mut other = signature.clone();
        other[at] ^= 1 << (at % 8);
        assert_eq!(signer.verifier().verify("text\n", &other), Err(Wrong), "{at}");
    }
    for other in [&signature[..63], &[&signature[..], &[0]].concat(), &[0; 64], &[0xff; 64], &[]] {
        assert_eq!(signer.verifier().verify("text\n", other), Err(Wrong));
    }
}

#[test]
fn a_cosignature_binds_its_time() {
    let cosigner = Cosigner::new(name("w"), &[7; 32]).unwrap();
    let line = cosigner.cosign(&verified(&checkpoint()), 1_679_315_147).unwrap();
    let text = checkpoint().to_text();
    let note = Note::new(text.clone(), vec![line]).unwrap();
    assert_eq!(note.verify(&[cosigner.verifier()]).unwrap()[0].at, Some(1_679_315_147));
    // The bytes as tlog-cosignature says: the time in eight bytes, then Ed25519 over two lines and the text.
    let message = format!("cosignature/v1\ntime 1679315147\n{text}");
    let signature = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).sign(message.as_bytes()).to_bytes();
    let whole = [1_679_315_147_u64.to_be_bytes().as_slice(), &signature].concat();
    assert_eq!(cosigner.verifier().verify(&text, &whole), Ok(Some(1_679_315_147)));
    for bit in 0..whole.len() * 8 {
        let mut other = whole.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(cosigner.verifier().verify(&text, &other), Err(Wrong), "{bit}");
    }
}

#[test]
fn a_time_beyond_2_63_is_neither_signed_nor_read() {
    let cosigner = Cosigner::new(name("w"), &[7; 32]).unwrap();
    assert!(cosigner.cosign(&verified(&checkpoint()), TIME_MAX).is_ok());
    assert_eq!(cosigner.cosign(&verified(&checkpoint()), TIME_MAX + 1), Err(SignError::Time(TIME_MAX + 1)));
    let text = checkpoint().to_text();
    let message = cosigned(TIME_MAX + 1, &text);
    let signature = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).sign(message.as_bytes()).to_bytes();
    let whole = [(TIME_MAX + 1).to_be_bytes().as_slice(), &signature].concat();
    assert_eq!(cosigner.verifier().verify(&text, &whole), Err(Wrong));
}

#[test]
fn one_secret_in_two_types_is_two_keys() {
    let (signer, cosigner) =
        (Signer::ed25519(name("a"), &[7; 32]).unwrap(), Cosigner::new(name("a"), &[7; 32]).unwrap());
    assert_eq!(signer.verifier().public(), cosigner.verifier().public());
    assert_ne!(signer.verifier().id(), cosigner.verifier().id());
    assert_eq!(Signer::parse(&cosigner.to_secret_text()).unwrap_err(), KeyError::Type);
    assert_eq!(Cosigner::parse(&signer.to_secret_text()).unwrap_err(), KeyError::Type);
    let plain = signer.sign(&checkpoint().to_text()).unwrap();
    let note = Note::new(checkpoint().to_text(), vec![plain]).unwrap();
    assert!(note.verify(&[cosigner.verifier()]).is_err());
}

/// Stored in every verifier of a log that signs with SM2: it may never change.
#[test]
fn the_locally_assigned_type_is_written_as_history_has_it() {
    let signer = Signer::sm2(name("example.com/log"), &[1; 32]).unwrap();
    assert_eq!(
        signer.verifier().to_string(),
        "example.com/log+14a97a7e+/2R1YmFuL3NtMi1zbTMvdjEKBLuoeAPV4SeIsHqRKuU2jnsnIL0ZuTkgvb8um2KG2pxOK8CTgw3AdiuOFEuArhhEexv2xnC5O9qagHlXaK9akB4="
    );
}

#[test]
fn what_is_no_name_is_refused() {
    for text in ["", " ", "a b", "a+b", "a\u{a0}b", "a\u{2003}", "a\u{85}", "a\nb", "a\tb", "a\u{1}"] {
        assert_eq!(text.parse::<KeyName>(), Err(KeyError::Name), "{text:?}");
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let good = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    assert_eq!(good.parse::<Verifier>().unwrap().to_string(), good);
    // The point of order one: it would verify anything.
    let weak = join(&name("a"), 0, KeyType::Ed25519, &[&[1][..], &[0; 31]].concat());
    let compressed = join(&name("a"), 0, KeyType::Sm2, &[&[2][..], &[1; 32]].concat());
    let point = Signer::sm2(name("a"), &[7; 32]).unwrap().verifier().public();
    let hybrid = join(&name("a"), 0, KeyType::Sm2, &[&[6 | (point[64] & 1)][..], &point[1..]].concat());
    let off_curve = join(&name("a"), 0, KeyType::Sm2, &[&[4][..], &[1; 64]].concat());
    let short = join(&name("a"), 0, KeyType::Ed25519, &[1; 31]);
    let unknown = good.replace("+Aeky", "+Aukx");
    let cases = [
        ("", KeyError::Form),
        ("a", KeyError::Form),
        ("a+00000000", KeyError::Form),
        (&good.replace("530d903a", "530D903A"), KeyError::Form),
        (&good.replace("530d903a", "530d903"), KeyError::Form),
        (&good.replace("530d903a", "+30d903a"), KeyError::Form),
        (&good.replace("530d903a", "530d903b"), KeyError::Id { expected: 0x530d_903a, found: 0x530d_903b }),
        (&good.replace("/foo", "/ foo"), KeyError::Name),
        (&good[15..], KeyError::Name),
        (&format!("{good}="), KeyError::Form),
        (&format!("{good}\n"), KeyError::Form),
        (&unknown, KeyError::Type),
        (&weak, KeyError::Damaged),
        (&compressed, KeyError::Damaged),
        (&hybrid, KeyError::Damaged),
        (&off_curve, KeyError::Damaged),
        (&short, KeyError::Damaged),
    ];
    for (text, error) in cases {
        assert_eq!(text.parse::<Verifier>(), Err(error), "{text}");
    }
    assert_eq!(Signer::sm2(name("a"), &[0; 32]).unwrap_err(), KeyError::Damaged);
    assert_eq!(Signer::sm2(name("a"), &[0xff; 32]).unwrap_err(), KeyError::Damaged);
    assert_eq!(Signer::parse(good).unwrap_err(), KeyError::Form);
}

#[test]
fn a_secret_is_not_shown() {
    let (signer, cosigner) =
        (Signer::sm2(name("a"), &[7; 32]).unwrap(), Cosigner::new(name("w"), &[7; 32]).unwrap());
    let shown = format!("{signer:?} {cosigner:?}");
    assert!(!shown.contains("PRIVATE") && !shown.contains(&hex::encode([7; 32])), "{shown}");
    assert!(!shown.contains("7, 7"), "{shown}");
}
