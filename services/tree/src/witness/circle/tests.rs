use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use duban_merkle::{Algorithm, Checkpoint, Cosigner, Policy, Signer, Verifier};
use tempfile::TempDir;

use super::*;
use crate::store::Writer;
use crate::testing::{grow, id, serve};
use crate::witness::{Known, Office, make_key, reply};

/// A log's tree and its key.
struct Log {
    writer: Writer,
    store: Arc<Store>,
    signer: Signer,
    _folder: TempDir,
}

fn log() -> Log {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::of(folder.path(), id(Algorithm::Sha256)));
    let signer = Signer::ed25519(store.id().origin.parse().unwrap(), &[1; 32]).unwrap();
    Log { writer: Writer::open(Arc::clone(&store)).unwrap(), store, signer, _folder: folder }
}

impl Log {
    async fn cosigned(&mut self, circle: &Circle, size: u64) -> Result<usize, Unwitnessed> {
        grow(&mut self.writer, size);
        let head = self.store.head(size).unwrap();
        let checkpoint = Checkpoint::new(&self.store.id().origin, head).unwrap();
        let note = checkpoint.sign(&[&self.signer]).unwrap();
        circle.cosign(&note, head, &self.store).await.map(|lines| lines.len())
    }

    fn known(&self) -> Known {
        Known { origin: self.store.id().origin.clone(), keys: vec![self.signer.verifier().clone()] }
    }
}

/// Answers whatever comes by `answer`, of the request's body; the URL of it.
async fn served(answer: impl Fn(&[u8]) -> (u16, &'static str, String) + Send + Sync + 'static) -> String {
    let url = serve(move |path, body| {
        assert_eq!(path, "/w/add-checkpoint");
        let (status, kind, said) = answer(body);
        (status, kind, said.into_bytes())
    });
    format!("{}/w", url.await)
}

fn key(folder: &Path, name: &str) -> Verifier {
    make_key(folder, &name.parse().unwrap()).unwrap()
}

/// A real witness of this log; where it is, and how often it was asked.
async fn witness(log: &Log, name: &str, folder: &Path) -> (Endpoint, Arc<AtomicUsize>) {
    let verifier = key(folder, name);
    let (office, asked) = (Office::open(folder, [log.known()]).unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    let url = served(move |body| {
        counted.fetch_add(1, Ordering::SeqCst);
        let (status, kind, said) = reply(&office.add(body, 1_700_000_000));
        (status.as_u16(), kind, said)
    });
    (Endpoint { verifier, url: url.await.parse().unwrap() }, asked)
}

fn standing(circle: &Circle, name: &str) -> Standing {
    circle.standings().into_iter().find(|(found, _)| found == name).unwrap().1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn witnesses_follow_a_growing_log_each_from_where_it_was() {
    let (mut log, folders) = (log(), [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()]);
    let (one, _) = witness(&log, "one", folders[0].path()).await;
    let alone = Circle::new(1, vec![one.clone()]).unwrap();
    for size in [1, 300, 301] {
        assert_eq!(log.cosigned(&alone, size).await.unwrap(), 1);
    }
    // Started anew, the log doesn't know how far they are; the other one has seen nothing yet.
    let (other, asked) = witness(&log, "other", folders[1].path()).await;
    let both = Circle::new(2, vec![one, other]).unwrap();
    for size in [1000, 1001, 1001] {
        assert_eq!(log.cosigned(&both, size).await.unwrap(), 2);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3, "asked once a checkpoint: it is known how far it is");
    assert_eq!(standing(&both, "one").sizes.values().collect::<Vec<_>>(), [&1001]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quorum_does_without_one_that_is_away_but_not_without_two() {
    let (mut log, folder) = (log(), tempfile::tempdir().unwrap());
    let (there, _) = witness(&log, "there", folder.path()).await;
    // Nobody listens there any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let keys = tempfile::tempdir().unwrap();
    let away =
        Endpoint { verifier: key(keys.path(), "away"), url: format!("http://{gone}").parse().unwrap() };
    let one = Circle::new(1, vec![there.clone(), away.clone()]).unwrap();
    assert_eq!(log.cosigned(&one, 5).await.unwrap(), 1);
    assert!(standing(&one, "away").failures == 1 && standing(&one, "there").failures == 0);
    assert_eq!(log.cosigned(&one, 6).await.unwrap(), 1);
    assert_eq!(standing(&one, "away").failures, 1, "it rests");
    let counted = |name| {
        let Standing { cosigned, failed, cosigned_at, .. } = standing(&one, name);
        (cosigned, failed, cosigned_at)
    };
    assert_eq!((counted("there"), counted("away")), ((2, 0, Some(1_700_000_000)), (0, 1, None)));
    let two = Circle::new(2, vec![there, away]).unwrap();
    for size in [7, 8] {
        let refused = log.cosigned(&two, size).await.unwrap_err();
        assert!(refused.0.starts_with("1 of 2") && refused.0.contains("away: "), "{refused}");
    }
    assert_eq!(standing(&two, "away").failures, 2, "who is needed has no rest");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_that_is_not_its_own_is_not_taken() {
    let (mut log, folder) = (log(), tempfile::tempdir().unwrap());
    let (real, _) = witness(&log, "w", folder.path()).await;
    let keys = tempfile::tempdir().unwrap();
    let other = key(keys.path(), "w");
    assert_ne!(other, real.verifier);
    let circle = Circle::new(1, vec![Endpoint { verifier: other, url: real.url.clone() }]).unwrap();
    let refused = log.cosigned(&circle, 3).await.unwrap_err();
    assert!(refused.0.contains("no cosignature"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_cosignature_of_another_checkpoint_is_not_taken() {
    let (mut log, mut other) = (log(), log());
    let witness = Cosigner::new("w".parse().unwrap(), &[7; 32]).unwrap();
    grow(&mut other.writer, 5);
    let (origin, head) = (other.store.id().origin.clone(), other.store.head(5).unwrap());
    let note = Checkpoint::new(&origin, head).unwrap().sign(&[&other.signer]).unwrap();
    let policy = Policy::new(&origin, vec![other.signer.verifier().clone()], Quorum::none()).unwrap();
    let line = witness.cosign(&policy.verify(note).unwrap(), 1).unwrap();
    let url = served(move |_| (200, "text/plain", format!("{line}\n"))).await;
    let endpoint = Endpoint { verifier: witness.verifier().clone(), url: url.parse().unwrap() };
    let circle = Circle::new(1, vec![endpoint]).unwrap();
    let refused = log.cosigned(&circle, 3).await.unwrap_err();
    assert!(refused.0.contains("no cosignature"), "{refused}");
    assert_eq!(log.cosigned(&circle, 5).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_from_a_witness_is_bounded_and_said() {
    const TEXT: &str = "text/plain";
    let keys = tempfile::tempdir().unwrap();
    let verifier = key(keys.path(), "w");
    let cases: [(u16, &'static str, String, &str); 7] = [
        (200, TEXT, String::new(), "no cosignature"),
        (200, TEXT, "x".repeat(1 << 20), "length limit"),
        (200, TEXT, "— w AAAAAA==\n".to_owned(), "no cosignature"),
        (409, "text/x.tlog.size", "many\n".to_owned(), "no number"),
        // The same size again and again, and one that the log never had.
        (409, "text/x.tlog.size", "0\n".to_owned(), "size 0"),
        (409, "text/x.tlog.size", "99\n".to_owned(), "size 99"),
        (422, TEXT, "no\n".to_owned(), "no continuation"),
    ];
    for (status, kind, said, why) in cases {
        let mut log = log();
        let url = served(move |_| (status, kind, said.clone())).await;
        let endpoint = Endpoint { verifier: verifier.clone(), url: url.parse().unwrap() };
        let refused = log.cosigned(&Circle::new(1, vec![endpoint]).unwrap(), 3).await.unwrap_err();
        assert!(refused.0.contains(why), "{refused}");
    }
}

#[tokio::test]
async fn a_quorum_of_more_than_there_are_is_none() {
    let keys = tempfile::tempdir().unwrap();
    let one = Endpoint { verifier: key(keys.path(), "w"), url: "http://w.example".parse().unwrap() };
    assert!(matches!(Circle::new(2, vec![one.clone()]), Err(CircleError::Policy(_))));
    assert!(matches!(Circle::new(1, vec![one.clone(), one.clone()]), Err(CircleError::Policy(_))));
    assert!(matches!(Circle::new(1, vec![one; 17]), Err(CircleError::TooMany(17))));
}
