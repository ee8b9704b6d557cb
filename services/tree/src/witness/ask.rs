//! One witness, asked over HTTP: `add-checkpoint` of C2SP `tlog-witness`.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use duban_merkle::key::{KeyError, KeyType};
use duban_merkle::note::{self, NoteError};
use duban_merkle::{Note, SignatureLine, Verifier};
use http::{Method, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// The most that is read of an answer, in bytes: a witness has a few signatures to say.
const ANSWER_MAX: usize = 16 * 1024;
/// How a witness names the size that it has cosigned.
pub(super) const SIZE: &str = "text/x.tlog.size";

/// Where a witness is asked, and with which key it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its public key.
    pub verifier: Verifier,
    /// The URL to which `/add-checkpoint` is added.
    pub url: Uri,
}

/// Why a text names no witness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It has not both parts.
    #[error("expected <name>+<id>+<key>@<URL>, as in witness.example+1a2b3c4d+BC…=@https://witness.example")]
    Form,
    /// The key is none.
    #[error("the witness's key: {0}")]
    Key(#[from] KeyError),
    /// The key signs no cosignatures.
    #[error("{0} is no witness's key")]
    Type(String),
    /// The URL is none, or neither http nor https, or says more than where.
    #[error("the witness's URL is http:// or https://, a host and perhaps a path")]
    Url,
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Reads `<name>+<id>+<key>@<URL>`. A name may have an @ and a URL a plus; but the key is base64 and has no @,
    /// so what stands behind the first @ after the second plus is the URL.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let key_at = text.match_indices('+').nth(1).ok_or(EndpointError::Form)?.0;
        let at = key_at + text[key_at..].find('@').ok_or(EndpointError::Form)?;
        let verifier: Verifier = text[..at].parse()?;
        if verifier.key_type() != KeyType::Cosignature {
            return Err(EndpointError::Type(verifier.to_string()));
        }
        let url: Uri = text[at + 1..].parse().map_err(|_| EndpointError::Url)?;
        let plain = url.host().is_some_and(|host| !host.is_empty())
            && matches!(url.scheme_str(), Some("http" | "https"))
            && url.query().is_none()
            && url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        if plain { Ok(Self { verifier, url }) } else { Err(EndpointError::Url) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.verifier, self.url)
    }
}

/// Why a witness gave no cosignature.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It can't be reached, or not in time.
    #[error("it can't be reached: {0}")]
    Away(String),
    /// It has cosigned a tree of another size than the one that it was told.
    #[error("it has cosigned a tree of size {0}")]
    Size(u64),
    /// It says that the tree is not the one that it cosigned with leaves appended.
    #[error("it says that the tree is no continuation of the one that it has cosigned")]
    Refuted,
    /// It refuses for another reason.
    #[error("it answers {status}: {said}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// What it says, in part.
        said: String,
    },
    /// Its answer is no cosignature of this checkpoint by its key.
    #[error("its answer is no cosignature: {0}")]
    Answer(String),
}

/// A cosignature that was verified.
#[derive(Debug)]
pub(super) struct Cosigned {
    pub(super) line: SignatureLine,
    /// When it was made, by the witness's clock: seconds since 1970.
    pub(super) at: Option<u64>,
}

/// The client by which witnesses are asked.
pub(crate) type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client; it trusts the certificate authorities that the system does. Where there are none, https fails when it
/// is asked, and http doesn't care.
pub(crate) fn client() -> Http {
    let mut roots = rustls::RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "some of the system's certificate authorities can't be read");
    }
    roots.add_parsable_certificates(native.certs);
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        // The provider has suites of both versions.
        .unwrap_or_else(|error| unreachable!("{error}"));
    let tls = tls.with_root_certificates(roots).with_no_client_auth();
    let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    Client::builder(TokioExecutor::new()).build(https)
}

impl Endpoint {
    /// Where checkpoints are added.
    fn place(&self) -> Result<Uri, AskError> {
        let text = format!("{}/add-checkpoint", self.url.to_string().trim_end_matches('/'));
        text.parse().map_err(|_| AskError::Away(format!("{text} is no URL")))
    }

    /// Asks for a cosignature of the checkpoint in `body`, whose text is `text`. It is verified before it is
    /// believed. Takes as long as it takes: the caller bounds it.
    pub(super) async fn ask(&self, http: &Http, text: &str, body: String) -> Result<Cosigned, AskError> {
        let away = |error: &dyn std::error::Error| AskError::Away(chain(error));
        let request = http::Request::builder()
            .method(Method::POST)
            .uri(self.place()?)
            .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| away(&error))?;
        let (head, body) = http.request(request).await.map_err(|error| away(&error))?.into_parts();
        let read = Limited::new(body, ANSWER_MAX).collect().await;
        let said = read.map_err(|error| AskError::Away(error.to_string()))?.to_bytes();
        let is_size =
            head.headers.get(header::CONTENT_TYPE).is_some_and(|of| of.as_bytes() == SIZE.as_bytes());
        match head.status {
            StatusCode::OK => self.cosignature(text, &said),
            StatusCode::CONFLICT if is_size => {
                let size = std::str::from_utf8(&said).ok().and_then(|text| text.strip_suffix('\n'));
                let size = size.and_then(|digits| digits.parse().ok());
                Err(size.map_or_else(|| AskError::Answer("its size is no number".to_owned()), AskError::Size))
            }
            StatusCode::UNPROCESSABLE_ENTITY => Err(AskError::Refuted),
            status => {
                let said = String::from_utf8_lossy(&said).trim().chars().take(200).collect();
                Err(AskError::Refused { status, said })
            }
        }
    }

    /// Its own signature in an answer: of this text, by its key. Those of others are left out.
    fn cosignature(&self, text: &str, answer: &[u8]) -> Result<Cosigned, AskError> {
        let wrong = |error: NoteError| AskError::Answer(error.to_string());
        let is_its =
            |line: &SignatureLine| line.id() == self.verifier.id() && line.name() == self.verifier.name();
        let lines = note::parse_signatures(answer).map_err(wrong)?;
        let line = lines.into_iter().find(is_its).ok_or_else(|| wrong(NoteError::Unsigned))?;
        let note = Note::new(text.to_owned(), vec![line.clone()]).map_err(wrong)?;
        let signed = note.verify(&[&self.verifier]).map_err(wrong)?;
        Ok(Cosigned { line, at: signed.first().and_then(|one| one.at) })
    }
}

/// An error with its causes: the client's own says only that there was one.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

#[cfg(test)]
mod tests {
    use duban_merkle::{Cosigner, Signer};

    use super::*;

    fn key(name: &str) -> Verifier {
        Cosigner::new(name.parse().unwrap(), &[7; 32]).unwrap().verifier().clone()
    }

    #[test]
    fn a_witness_is_named_by_its_key_and_its_url() {
        for name in ["witness.example", "a@b", "w=1"] {
            for url in ["https://w.example/", "http://127.0.0.1:7352/w/a+b@c", "http://[::1]:1/"] {
                let text = format!("{}@{url}", key(name));
                let endpoint: Endpoint = text.parse().unwrap();
                assert_eq!((endpoint.verifier.clone(), endpoint.to_string()), (key(name), text));
            }
        }
    }

    #[test]
    fn what_is_no_witness_is_refused() {
        let key = key("w");
        let log = Signer::ed25519("w".parse().unwrap(), &[7; 32]).unwrap().verifier().clone();
        for (text, error) in [
            (String::new(), EndpointError::Form),
            (key.to_string(), EndpointError::Form),
            ("https://w.example".to_owned(), EndpointError::Form),
            (format!("{log}@https://w.example"), EndpointError::Type(log.to_string())),
            (format!("{key}@"), EndpointError::Url),
            (format!("{key}@w.example"), EndpointError::Url),
            (format!("{key}@ftp://w.example"), EndpointError::Url),
            (format!("{key}@https://w.example/?a=b"), EndpointError::Url),
            (format!("{key}@https://me:secret@w.example"), EndpointError::Url),
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(error), "{text}");
        }
    }
}
