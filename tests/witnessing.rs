//! Another office's witness, a real process: it cosigns what a real server publishes, and outlives kill -9 without
//! ever cosigning two histories. Where no network leads to it, files do.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use duban_merkle::{Policy, Quorum, Verified, Verifier};
use duban_proto::agencies::v1 as agencies;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::{As, DUBAN, PATIENCE, Place, Process, from, get, metrics};

/// What a witness is in these tests.
struct Witness {
    child: tokio::process::Child,
    address: SocketAddr,
}

impl Witness {
    async fn start(folder: &Path, log: &str) -> Self {
        let mut child = tokio::process::Command::new(DUBAN)
            .args(["witness", "serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--log-key", log])
            .arg("--folder")
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary runs");
        let mut lines = BufReader::new(child.stderr.take().expect("its lines")).lines();
        let address = loop {
            let line = lines.next_line().await.expect("its lines").expect("it listens");
            let entry: serde_json::Value = serde_json::from_str(&line).expect("an object");
            if let Some(address) = entry["address"].as_str() {
                break address.parse().expect("an address");
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, address }
    }

    async fn kill(mut self) {
        self.child.kill().await.expect("it is killed");
    }
}

fn duban(arguments: &[&str], paths: &[&Path]) -> Output {
    Command::new(DUBAN).args(arguments).args(paths).output().expect("the binary runs")
}

fn done(arguments: &[&str], paths: &[&Path]) -> String {
    let output = duban(arguments, paths);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn key(folder: &Path, name: &str) -> String {
    done(&["witness", "key", "--name", name, "--folder"], &[folder])
}

/// Registers an agency; its position.
async fn registered(server: &Process, id: &str) -> u64 {
    let request = agencies::RegisterAgencyRequest {
        context: Some(from("2020-01-01")),
        agency_id: Some(id.to_owned()),
        full_name: format!("机构{id}"),
        kind: agencies::AgencyKind::ConstituentDepartment.into(),
        ..Default::default()
    };
    let supervisor = As::on(server.channel(), "supervisor-1", "supervisor", None);
    let reply = supervisor.agencies().register_agency(request).await.unwrap().into_inner();
    reply.receipt.unwrap().last_position
}

/// Registers an agency, and waits until the published checkpoint covers it; the checkpoint.
async fn grown(server: &Process, id: &str) -> String {
    let position = registered(server, id).await;
    let until = Instant::now() + PATIENCE;
    loop {
        let (status, note) = get(server.admin, "/checkpoint").await;
        let size = note.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0_u64);
        if status == 200 && size >= position {
            return note;
        }
        assert!(Instant::now() < until, "no checkpoint of {position}: {status} {note}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The folder of the one tree, and the key that signs it.
fn tree(place: &Place) -> (PathBuf, String) {
    let trees = std::fs::read_dir(place.folder().join("tree")).unwrap();
    let tree = trees.map(|entry| entry.unwrap().path()).next().expect("a tree");
    let key = std::fs::read_to_string(tree.join("keys")).unwrap().trim().to_owned();
    (tree, key)
}

/// As an auditor would believe it who asks for this witness.
fn believed(note: &str, key: &str, witness: &str) -> Verified {
    let (log, witness): (Verifier, Verifier) = (key.parse().unwrap(), witness.parse().unwrap());
    let quorum = Quorum::new(1, vec![witness]).unwrap();
    let policy = Policy::new(log.name().as_str(), vec![log.clone()], quorum).unwrap();
    policy.open(note.as_bytes()).unwrap()
}

/// A log that was served once, alone.
async fn begun(place: &Place) -> (PathBuf, String) {
    let server = Process::start(place).await;
    grown(&server, "first").await;
    server.terminate().await;
    tree(place)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_published_when_its_witness_has_cosigned_it_killed_or_not() {
    let (place, office) = (Place::new().await, tempfile::tempdir().unwrap());
    let (_, log_key) = begun(&place).await;
    let witness_key = key(office.path(), "witness.example/w1");
    let mut witness = Witness::start(office.path(), &log_key).await;
    let endpoint = format!("{witness_key}@http://{}", witness.address);
    let server = Process::start_with(&place, |command| {
        command.args(["--witness", &endpoint, "--witness-quorum", "1"]);
    })
    .await;
    for round in 0..3 {
        let note = grown(&server, &format!("a{round}")).await;
        assert_eq!(believed(&note, &log_key, &witness_key).witnesses().len(), 1);
        // Gone in the midst of it, and back at the same place: what it stored is what it has cosigned.
        let address = witness.address;
        witness.kill().await;
        witness = Witness::start_at(office.path(), &log_key, address).await;
    }
    server.terminate().await;
    witness.kill().await;
}

impl Witness {
    /// On the port that it had. Whatever took it meanwhile lets it go again.
    async fn start_at(folder: &Path, log: &str, address: SocketAddr) -> Self {
        let until = Instant::now() + PATIENCE;
        while std::net::TcpListener::bind(address).is_err() {
            assert!(Instant::now() < until, "{address} stays taken");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let child = tokio::process::Command::new(DUBAN)
            .args(["witness", "serve", "--listen", &address.to_string(), "--log-key", log])
            .arg("--folder")
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary runs");
        Self { child, address }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_set_back_or_forked_gets_no_cosignature() {
    let (place, office) = (Place::new().await, tempfile::tempdir().unwrap());
    let (tree, log_key) = begun(&place).await;
    let copy = tempfile::tempdir().unwrap();
    let inside = place.folder().join(".");
    assert!(Command::new("cp").arg("-r").arg(inside).arg(copy.path()).status().unwrap().success());
    let before = std::fs::read_to_string(tree.join("checkpoint")).unwrap();
    let witness_key = key(office.path(), "witness.example/w1");
    let witness = Witness::start(office.path(), &log_key).await;
    let endpoint = format!("{witness_key}@http://{}", witness.address);
    let witnessed = |command: &mut tokio::process::Command| {
        command.args(["--witness", &endpoint, "--witness-quorum", "1"]);
    };
    let server = Process::start_with(&place, witnessed).await;
    grown(&server, "a").await;
    grown(&server, "b").await;
    server.terminate().await;

    // The same keys on the copy, the signer's memory and all: another history of the same log. Up to where the
    // witness is nothing is published, and beyond it nothing either.
    let place = Place::Folder(copy);
    let server = Process::start_with(&place, witnessed).await;
    for id in ["x", "y", "z"] {
        registered(&server, id).await;
    }
    let until = Instant::now() + PATIENCE;
    while !server.said("a witness has seen another history of this log") {
        assert!(Instant::now() < until, "the fork goes unnoticed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (_, note) = get(server.admin, "/checkpoint").await;
    assert_eq!(note, before, "what was published before is still there, and nothing else");
    server.kill().await;
    witness.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_network_leads_files_do() {
    let (place, office) = (Place::new().await, tempfile::tempdir().unwrap());
    let (tree, log_key) = begun(&place).await;
    let witness_key = key(office.path(), "witness.example/w1");
    let (asked, answered) = (office.path().join("asked"), office.path().join("answered"));
    let trees = place.folder().join("tree");
    let request = ["witness", "request", "--tree", trees.to_str().unwrap(), "--to"];
    done(&request, &[&asked]);
    let folder = office.path().to_str().unwrap();
    let sign = ["witness", "sign", "--log-key", &log_key, "--folder", folder, "--to"];
    done(&sign, &[&answered, &asked]);
    let accept = ["witness", "accept", "--witness", &witness_key, "--tree", trees.to_str().unwrap()];
    done(&accept, &[&answered]);
    let note = std::fs::read_to_string(tree.join("checkpoint")).unwrap();
    assert_eq!(believed(&note, &log_key, &witness_key).witnesses().len(), 1);
    // Asked once more from nothing it says how far it is.
    let refused = duban(&sign, &[&answered, &asked]);
    assert_eq!(refused.status.code(), Some(5), "{}", String::from_utf8_lossy(&refused.stderr));
    // And what is no answer is not taken.
    let refused = duban(&accept, &[&asked]);
    assert_eq!(refused.status.code(), Some(7), "{}", String::from_utf8_lossy(&refused.stderr));
}

/// In a folder: a certificate for loopback, its key, and the authority that made it, which nobody knows. Without
/// openssl there is none, which is said.
#[allow(clippy::disallowed_methods, reason = "whether this is CI is the machine's to say")]
fn certified(folder: &Path) -> bool {
    if Command::new("openssl").arg("version").output().is_err() {
        assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "openssl is not there");
        eprintln!("NOT TESTED: a witness over https, for want of openssl");
        return false;
    }
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    for made in [
        format!("req -x509 {new} -keyout authority.key -out authority.pem -subj /CN=authority -days 2"),
        format!("req {new} -keyout key.pem -out request.pem -subj /CN=witness"),
        "x509 -req -in request.pem -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 \
         -extfile names -out certificate.pem"
            .to_owned(),
    ] {
        let output =
            Command::new("openssl").args(made.split_whitespace()).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{made}: {}", String::from_utf8_lossy(&output.stderr));
    }
    true
}

/// Stands before a witness, for those who ask over https.
async fn front(folder: &Path, witness: SocketAddr) -> SocketAddr {
    let chain = CertificateDer::pem_file_iter(folder.join("certificate.pem")).unwrap();
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((asking, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut asking) = acceptor.accept(asking).await else { return };
                let mut behind = TcpStream::connect(witness).await.unwrap();
                tokio::io::copy_bidirectional(&mut asking, &mut behind).await.ok();
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_is_asked_over_https_by_who_trusts_its_authority() {
    const NAME: &str = "witness.example/w1";
    let certificates = tempfile::tempdir().unwrap();
    if !certified(certificates.path()) {
        return;
    }
    let (place, office) = (Place::new().await, tempfile::tempdir().unwrap());
    let (_, log_key) = begun(&place).await;
    let witness_key = key(office.path(), NAME);
    let witness = Witness::start(office.path(), &log_key).await;
    let endpoint = format!("{witness_key}@https://{}", front(certificates.path(), witness.address).await);
    let counted = |counts: &std::collections::BTreeMap<String, f64>, what: &str| {
        counts.get(&format!("duban_witness_{what}{{witness=\"{NAME}\"}}")).copied()
    };

    // A server that trusts nobody but the system's authorities gets no cosignature, and says why.
    let server = Process::start_with(&place, |command| {
        command.args(["--witness", &endpoint, "--witness-quorum", "1"]);
    })
    .await;
    registered(&server, "a").await;
    let until = Instant::now() + PATIENCE;
    while !server.said("UnknownIssuer") {
        assert!(Instant::now() < until, "it doesn't say why");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let counts = metrics(server.admin).await;
    assert!(counted(&counts, "failures_total").is_some_and(|failures| failures >= 1.0), "{counts:?}");
    assert_eq!(counted(&counts, "cosignatures_total"), Some(0.0));
    assert_eq!(counted(&counts, "cosigned_seconds"), None, "it never has");
    server.kill().await;

    let server = Process::start_with(&place, |command| {
        command.args(["--witness", &endpoint, "--witness-quorum", "1"]);
        command.env("SSL_CERT_FILE", certificates.path().join("authority.pem"));
    })
    .await;
    let note = grown(&server, "b").await;
    let verified = believed(&note, &log_key, &witness_key);
    let counts = metrics(server.admin).await;
    assert_eq!(counted(&counts, "failures_total"), Some(0.0));
    assert!(counted(&counts, "cosignatures_total").is_some_and(|often| often >= 1.0), "{counts:?}");
    let [size, at] =
        [verified.head().size, verified.witnesses()[0].at.unwrap()].map(|n| u32::try_from(n).unwrap());
    assert_eq!(counted(&counts, "cosigned_size"), Some(size.into()));
    assert!(counted(&counts, "cosigned_seconds").is_some_and(|last| last >= at.into()), "{counts:?}");
    server.terminate().await;
    witness.kill().await;
}
