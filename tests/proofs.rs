//! The audit tree as others see it: tiles over HTTP, proofs over gRPC and at the command line, checked with the
//! public key alone.

use std::net::SocketAddr;

use duban::server::{Running, Settings, start};
use duban_merkle::proof::TreeHead;
use duban_merkle::tile::Row;
use duban_merkle::{
    Algorithm, Hash, Leaf, Policy, Quorum, Tile, Verified, Verifier, bundle, consistency, inclusion,
};
use duban_proto::audit::v1 as audit;
use duban_tree::{Published, Tree};
use serde_json::Value;
use tonic::{Code, Status};

use crate::support::http::get_bytes;
use crate::support::{DUBAN, Office, PATIENCE, Place, context, reason_of};

/// The tree of a running server.
fn tree(running: &Running) -> Tree {
    running.trees.as_ref().expect("trees are kept").find("").expect("one of the log's epoch").clone()
}

/// Waits until a checkpoint covers all that the log has.
async fn covered(office: &Office) -> std::sync::Arc<Published> {
    let head = office.head().await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    tree(office.running()).covering(head, deadline).await.expect("a checkpoint in time")
}

/// What an auditor believes who has the public keys.
fn believed(keys: &[String], origin: &str, note: &str) -> Verified {
    let keys: Vec<Verifier> = keys.iter().map(|key| key.parse().unwrap()).collect();
    Policy::new(origin, keys, Quorum::none()).unwrap().open(note.as_bytes()).unwrap()
}

fn hashes(path: &[Vec<u8>]) -> Vec<Hash> {
    path.iter().map(|bytes| Hash::from_slice(bytes).unwrap()).collect()
}

/// Registers so many agencies: an event each.
async fn registered(office: &Office, count: usize) {
    let names: Vec<String> = (0..count).map(|n| format!("a{n}")).collect();
    office.register_agencies(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

fn tile(row: Row, index: u64, width: u16) -> String {
    format!("/{}", Tile::new(row, index, width).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tiles_are_served_as_the_specification_asks() {
    let office = Office::open().await;
    registered(&office, 300).await;
    let published = covered(&office).await;
    let admin = office.admin();
    let (status, headers, note) = get_bytes(admin, "/checkpoint").await;
    assert_eq!(status, 200);
    assert!(headers.contains("content-type: text/plain; charset=utf-8"), "{headers}");
    assert!(headers.contains("cache-control: no-cache"), "{headers}");
    let keys = tree(office.running()).store().keys().unwrap();
    let note = String::from_utf8(note).unwrap();
    let head = believed(&keys, &tree(office.running()).id().origin, &note).head();
    assert_eq!(head, published.head);

    // The whole tree, from what HTTP gives alone.
    let mut leaves: Vec<Vec<u8>> = Vec::new();
    for (index, width) in [(0, 256), (1, 44)] {
        let (status, headers, bytes) = get_bytes(admin, &tile(Row::Entries, index, width)).await;
        assert_eq!(status, 200);
        assert!(headers.contains("content-type: application/octet-stream"), "{headers}");
        assert!(headers.contains("cache-control: public, max-age=31536000, immutable"), "{headers}");
        leaves.extend(bundle::decode(&bytes, width).unwrap().into_iter().map(<[u8]>::to_vec));
        let (_, _, bytes) = get_bytes(admin, &tile(Row::Hashes(0), index, width)).await;
        let level = Tile::new(Row::Hashes(0), index, width).unwrap().parse(&bytes).unwrap();
        let begin = index as usize * 256;
        let hashed: Vec<Hash> = leaves[begin..].iter().map(|leaf| Algorithm::Sha256.leaf(leaf)).collect();
        assert_eq!(level, hashed);
    }
    let mut frontier = duban_merkle::Frontier::new(Algorithm::Sha256);
    for leaf in &leaves {
        frontier.append(Algorithm::Sha256.leaf(leaf));
    }
    assert_eq!(frontier.head(), head);
    assert!(leaves.iter().zip(1..).all(|(leaf, position)| Leaf::decode(leaf).unwrap().position == position));
    // A partial tile that is full now, and one that never was a checkpoint's.
    assert_eq!(get_bytes(admin, &tile(Row::Hashes(0), 0, 17)).await.2.len(), 17 * 32);
    assert_eq!(get_bytes(admin, &tile(Row::Entries, 1, 3)).await.0, 200);
    office.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_beyond_the_checkpoint_or_no_path_is_not_there() {
    let office = Office::open().await;
    registered(&office, 5).await;
    covered(&office).await;
    let epoch = tree(office.running()).id().epoch;
    for path in [
        "/tile/0/000",
        "/tile/0/000.p/6",
        "/tile/0/001.p/1",
        "/tile/1/000.p/1",
        "/tile/entries/000.p/6",
        "/tile/0/000.p/05",
        "/tile/0/000.p/5/",
        "/tile/0/../0/000.p/5",
        "/tile/0/%30%30%30.p/5",
        "//tile/0/000.p/5",
        "/tile/0/..%2f..%2ftree.json",
        "/tree.json",
        "/keys",
        "/sm3/checkpoint",
        "/epochs/00000000-0000-0000-0000-000000000000/checkpoint",
        "/checkpoint/",
    ] {
        assert_eq!(get_bytes(office.admin(), path).await.0, 404, "{path}");
    }
    for path in ["/tile/0/000.p/5".to_owned(), format!("/epochs/{epoch}/checkpoint")] {
        assert_eq!(get_bytes(office.admin(), &path).await.0, 200, "{path}");
    }
    office.verify().await;
}

async fn prove(office: &Office, position: u64) -> Result<audit::ProveInclusionResponse, Status> {
    let request = audit::ProveInclusionRequest { position, ..Default::default() };
    Ok(office.auditor().proofs().prove_inclusion(request).await?.into_inner())
}

async fn grown(
    office: &Office,
    from: u64,
    to: Option<u64>,
) -> Result<audit::ProveConsistencyResponse, Status> {
    let request = audit::ProveConsistencyRequest { from_size: from, to_size: to, ..Default::default() };
    Ok(office.auditor().proofs().prove_consistency(request).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_just_recorded_is_proven_as_soon_as_a_checkpoint_covers_it() {
    let office = Office::open().await;
    registered(&office, 3).await;
    let first = covered(&office).await;
    let asked = audit::GetCheckpointRequest::default();
    let said = office.auditor().proofs().get_checkpoint(asked).await.unwrap().into_inner();
    let origin = tree(office.running()).id().origin.clone();
    office.supervisor().propose(context(), Some("t")).await.unwrap();
    let head = office.head().await;
    let proven = prove(&office, head).await.unwrap();
    let checkpoint = proven.checkpoint.unwrap();
    let newest = believed(&said.verifiers, &origin, &checkpoint.note).head();
    assert_eq!((newest.size, newest.root.as_bytes().to_vec()), (checkpoint.size, checkpoint.root));
    let proof = proven.proof.unwrap();
    let hash = Algorithm::Sha256.leaf(&proof.leaf);
    let path = hashes(&proof.path);
    assert_eq!(inclusion::verify(Algorithm::Sha256, &hash, head - 1, &newest, &path), Ok(()));
    let leaf = Leaf::decode(&proof.leaf).unwrap();
    let event = office.running().log.event(head).await.unwrap().unwrap();
    assert!(leaf.body.opens(&event.nonce, &event.body));
    // The earlier checkpoint is of the same log.
    let growth = grown(&office, first.head.size, None).await.unwrap();
    let later = believed(&said.verifiers, &origin, &growth.checkpoint.unwrap().note).head();
    assert_eq!(growth.to_size, later.size);
    let path = hashes(&growth.path);
    assert_eq!(consistency::verify(Algorithm::Sha256, &first.head, &later, &path), Ok(()));
    assert!(grown(&office, 2, Some(2)).await.unwrap().path.is_empty());
    office.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_proven_whole() {
    let office = Office::open().await;
    registered(&office, 20).await;
    office.supervisor().propose(context(), Some("t")).await.unwrap();
    office.supervisor().register(context(), "tasks/t").await.unwrap();
    registered_more(&office).await;
    office.supervisor().withdraw(context(), "tasks/t").await.ok();
    covered(&office).await;
    let request = audit::ProveHistoryRequest { name: "tasks/t".to_owned(), ..Default::default() };
    let mut parts = office.auditor().proofs().prove_history(request.clone()).await.unwrap().into_inner();
    let first = parts.message().await.unwrap().unwrap();
    let checkpoint = first.checkpoint.unwrap();
    let root = Hash::from_slice(&checkpoint.root).unwrap();
    let head = TreeHead { size: checkpoint.size, root };
    assert_eq!(first.tags, ["task:t"]);
    assert!(parts.message().await.unwrap().is_none(), "one part has them all");
    let mut previous = 0;
    for proven in &first.events {
        let (event, proof) = (proven.event.as_ref().unwrap(), proven.proof.as_ref().unwrap());
        let (hash, path) = (Algorithm::Sha256.leaf(&proof.leaf), hashes(&proof.path));
        let index = event.position - 1;
        assert_eq!(inclusion::verify(Algorithm::Sha256, &hash, index, &head, &path), Ok(()));
        let leaf = Leaf::decode(&proof.leaf).unwrap();
        let tag = leaf.tags.iter().find(|(tag, _)| *tag == "task:t").unwrap();
        assert_eq!(tag.1, previous);
        previous = event.position;
    }
    assert!(first.events.len() >= 2);
    // From the middle, and of nothing.
    let after = first.events[0].event.as_ref().unwrap().position;
    let mut rest = office
        .auditor()
        .proofs()
        .prove_history(audit::ProveHistoryRequest { after, ..request })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(rest.message().await.unwrap().unwrap().events, first.events[1..]);
    office.verify().await;
}

/// Something between the events of the task.
async fn registered_more(office: &Office) {
    office.register_agencies(&["b1", "b2", "b3"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_proven_is_refused_with_its_reason() {
    let office = Office::open().await;
    registered(&office, 3).await;
    covered(&office).await;
    let refused = |status: Status| reason_of(&status);
    let beyond = (Code::OutOfRange, "POSITION_BEYOND_HEAD".to_owned());
    let invalid = (Code::InvalidArgument, "INVALID_FIELD".to_owned());
    assert_eq!(refused(prove(&office, 4).await.unwrap_err()), beyond);
    assert_eq!(refused(prove(&office, 0).await.unwrap_err()), invalid);
    assert_eq!(refused(grown(&office, 0, None).await.unwrap_err()), invalid);
    assert_eq!(refused(grown(&office, 3, Some(2)).await.unwrap_err()), invalid);
    assert_eq!(refused(grown(&office, 1, Some(9)).await.unwrap_err()), beyond);
    assert_eq!(refused(grown(&office, 9, None).await.unwrap_err()), beyond);
    let auditor = office.auditor();
    let other = audit::GetCheckpointRequest { origin: "example.com/other".to_owned() };
    let absent = auditor.proofs().get_checkpoint(other).await.unwrap_err();
    assert_eq!(refused(absent), (Code::NotFound, "TREE_NOT_FOUND".to_owned()));
    let history = |name: &str| audit::ProveHistoryRequest { name: name.to_owned(), ..Default::default() };
    for (name, code, reason) in [
        ("tasks/none", Code::NotFound, "TASK_NOT_FOUND"),
        ("slips/x", Code::InvalidArgument, "INVALID_FIELD"),
        ("tasks/t/assignments/a", Code::InvalidArgument, "INVALID_FIELD"),
    ] {
        let status = auditor.proofs().prove_history(history(name)).await.unwrap_err();
        assert_eq!(refused(status), (code, reason.to_owned()), "{name}");
    }
    let denied = (Code::PermissionDenied, "ROLE_NOT_ALLOWED".to_owned());
    let agency = office.agency("a0");
    assert!(agency.proofs().get_checkpoint(audit::GetCheckpointRequest::default()).await.is_ok());
    assert_eq!(refused(agency.proofs().prove_history(history("agencies/a0")).await.unwrap_err()), denied);
    let nothing = audit::GetCheckpointRequest::default();
    assert_eq!(refused(office.sysadmin().proofs().get_checkpoint(nothing).await.unwrap_err()), denied);
    office.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_tree_and_a_damaged_tree_say_so() {
    let place = Place::new().await;
    let running = start(Settings { trees: None, ..Settings::at(place.location()) }).await.unwrap();
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", running.address)).unwrap();
    let auditor = crate::support::As::on(channel.connect_lazy(), "auditor-1", "auditor", None);
    let none = auditor.proofs().get_checkpoint(audit::GetCheckpointRequest::default()).await.unwrap_err();
    assert_eq!(reason_of(&none), (Code::NotFound, "TREE_NOT_FOUND".to_owned()));
    running.stop();
    running.ended().await.unwrap();

    let office = Office::open().await;
    registered(&office, 5).await;
    let published = covered(&office).await;
    let path =
        tree(office.running()).store().place().join(format!("tile/entries/000.p/{}", published.head.size));
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(2).position(|two| two == b"a1").unwrap();
    bytes[at + 1] = b'9';
    std::fs::write(path, bytes).unwrap();
    let mut damaged = 0;
    for position in 1..=5 {
        if let Err(status) = prove(&office, position).await {
            assert_eq!(reason_of(&status), (Code::DataLoss, "TREE_DAMAGED".to_owned()));
            damaged += 1;
        }
    }
    assert_eq!(damaged, 1);
    office.verify().await;
}

async fn duban(office: &Office, words: &[&str]) -> std::process::Output {
    let server = office.url();
    let command = [words, &["--server", &server, "--as", "auditor"]].concat();
    tokio::process::Command::new(DUBAN).args(command).output().await.unwrap()
}

async fn said(office: &Office, words: &[&str]) -> String {
    let output = duban(office, words).await;
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_the_checkpoint_and_checks_proofs() {
    let office = Office::open().await;
    registered(&office, 4).await;
    office.supervisor().propose(context(), Some("t")).await.unwrap();
    let published = covered(&office).await;
    // Another checkpoint of the same size may be signed meanwhile: what is signed is the same.
    assert!(said(&office, &["checkpoint"]).await.starts_with(published.note.text()));
    let json: Value = serde_json::from_str(&said(&office, &["checkpoint", "-o", "json"]).await).unwrap();
    assert_eq!(json["checkpoint"]["size"], "5");
    let proven = said(&office, &["prove", "event", "5", "--lang", "en"]).await;
    assert!(proven.starts_with("event 5 is in the tree of size 5"), "{proven}");
    assert!(proven.contains("task.proposed.v1"), "{proven}");
    let growth = said(&office, &["prove", "consistency", "--from", "3", "-o", "json"]).await;
    let growth: Value = serde_json::from_str(&growth).unwrap();
    assert_eq!((&growth["fromSize"], &growth["toSize"]), (&"3".into(), &"5".into()));
    let history = said(&office, &["prove", "history", "tasks/t", "--lang", "en"]).await;
    assert!(history.contains("1 events, all of them in the tree of size 5"), "{history}");
    assert_eq!(duban(&office, &["prove", "event", "99"]).await.status.code(), Some(5));
    office.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sm3_tree_stands_beside_and_an_earlier_epoch_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let admin = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let settings = |data: &str| {
        let mut settings = Settings { admin, ..Settings::new(home.path().join(data)) };
        let trees = settings.trees.as_mut().unwrap();
        trees.place = duban_log::Location::Folder(home.path().join("tree"));
        trees.signer = home.path().join("signer");
        (trees.sm3, trees.origin) = (true, Some("example.gov.cn/log".to_owned()));
        settings
    };
    let running = start(settings("one")).await.unwrap();
    let epoch = running.log.identity().epoch;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    for kept in running.trees.as_ref().unwrap().iter() {
        kept.covering(0, deadline).await.unwrap();
    }
    let address = running.admin_address.unwrap();
    let (status, _, note) = get_bytes(address, "/sm3/checkpoint").await;
    assert_eq!(status, 200);
    let sm3 = running.trees.as_ref().unwrap().of(None, Algorithm::Sm3).unwrap().clone();
    let origin = format!("example.gov.cn/log/epochs/{epoch}/sm3");
    believed(&sm3.store().keys().unwrap(), &origin, &String::from_utf8(note).unwrap());
    running.stop();
    running.ended().await.unwrap();

    // Another log with the same folders, as after a restore: another epoch, and the old one is still served.
    let running = start(settings("two")).await.unwrap();
    tree(&running).covering(0, deadline).await.unwrap();
    let address = running.admin_address.unwrap();
    assert_ne!(
        get_bytes(address, "/checkpoint").await.2,
        get_bytes(address, &format!("/epochs/{epoch}/checkpoint")).await.2
    );
    let (status, _, note) = get_bytes(address, &format!("/epochs/{epoch}/sm3/checkpoint")).await;
    assert_eq!((status, String::from_utf8(note).unwrap().lines().next()), (200, Some(origin.as_str())));
    running.stop();
    running.ended().await.unwrap();
}
