//! kill -9 at random moments under load: nothing acknowledged is lost or doubled, nothing unacknowledged is
//! there by half, positions stay dense, and the views are what a rebuild makes of the log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use duban_merkle::proof::TreeHead;
use duban_merkle::tile;
use duban_proto::agencies::v1 as agencies;
use duban_proto::audit::v1 as audit;
use duban_proto::call::v1::Receipt;
use duban_tree::Store;
use rand::{RngExt as _, SeedableRng as _};
use tonic::Code;
use tonic::transport::Channel;

use crate::support::{As, DUBAN, Place, Process, events, from};

/// How often it is killed.
const KILLS: u64 = 50;
/// Clients at work when it is.
const CLIENTS: u64 = 8;

/// A command that was sent, and the receipt if one came back.
type Sent = Arc<Mutex<Vec<(agencies::RegisterAgencyRequest, Option<Receipt>)>>>;

fn register(round: u64, client: u64, count: u64) -> agencies::RegisterAgencyRequest {
    agencies::RegisterAgencyRequest {
        context: Some(from("2020-01-01")),
        agency_id: Some(format!("a-{round}-{client}-{count}")),
        full_name: format!("机构{round}之{client}之{count}"),
        kind: agencies::AgencyKind::ConstituentDepartment.into(),
        ..Default::default()
    }
}

fn supervisor(channel: Channel) -> As {
    As::on(channel, "supervisor-1", "supervisor", None)
}

/// Sends one command after the other until the server is gone.
async fn load(channel: Channel, round: u64, client: u64, sent: Sent) {
    for count in 0.. {
        let request = register(round, client, count);
        let reply = supervisor(channel.clone()).agencies().register_agency(request.clone()).await;
        let gone = reply.is_err();
        let receipt = reply.ok().and_then(|reply| reply.into_inner().receipt);
        sent.lock().unwrap().push((request, receipt));
        if gone {
            return;
        }
    }
}

/// Every command asked again: what was acknowledged is answered the same; what was not is there once now.
async fn retry(channel: &Channel, sent: &Sent) -> BTreeMap<String, Receipt> {
    let mut receipts = BTreeMap::new();
    let all = std::mem::take(&mut *sent.lock().unwrap());
    for (request, acknowledged) in all {
        let id = request.context.as_ref().unwrap().request_id.clone();
        let reply = supervisor(channel.clone())
            .agencies()
            .register_agency(request)
            .await
            .expect("a retry is answered");
        let receipt = reply.into_inner().receipt.expect("a receipt");
        if let Some(acknowledged) = acknowledged {
            assert_eq!(receipt, acknowledged, "what was acknowledged is answered the same");
        }
        receipts.insert(id, receipt);
    }
    receipts
}

/// A server that keeps its audit tree in a folder, whatever the engine.
async fn with_tree(place: &Place, trees: &Path, name: &str) -> Process {
    Process::start_with(place, |command| {
        command.arg("--tree").arg(trees.join(name));
        command.arg("--signer").arg(trees.join(format!("{name}-signer")));
    })
    .await
}

/// Waits until the tree has all that the log has; then what it is, and its tiles.
async fn tree(place: &Place, trees: &Path, name: &str, head: u64) -> (TreeHead, BTreeMap<String, Vec<u8>>) {
    let server = with_tree(place, trees, name).await;
    let auditor = As::on(server.channel(), "auditor-1", "auditor", None);
    let request = audit::ProveInclusionRequest { position: head, ..Default::default() };
    auditor.proofs().prove_inclusion(request).await.expect("a checkpoint covers it");
    assert!(server.terminate().await.success());
    let folder = std::fs::read_dir(trees.join(name)).unwrap().next().expect("a tree").unwrap().path();
    let store = Store::open(folder).unwrap();
    assert_eq!(store.size().unwrap(), head);
    let tiles = tile::hashes(head).chain(tile::entries(head)).map(|tile| tile.to_string());
    let tiles = tiles.map(|name| (name.clone(), store.file(&name).unwrap().unwrap())).collect();
    (store.head(head).unwrap(), tiles)
}

fn rebuilt_as_it_was(place: &Place) {
    let rebuild = std::process::Command::new(DUBAN).arg("rebuild").args(place.flags()).output().unwrap();
    assert!(rebuild.status.success(), "{}", String::from_utf8_lossy(&rebuild.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_or_doubled_when_it_is_killed_under_load() {
    let (data, trees) = (Place::new().await, tempfile::tempdir().unwrap());
    let mut random = rand::rngs::StdRng::seed_from_u64(710);
    let sent: Sent = Arc::default();
    let mut receipts = BTreeMap::new();
    for round in 0..KILLS {
        let server = with_tree(&data, trees.path(), "killed").await;
        receipts.extend(retry(&server.channel(), &sent).await);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| tokio::spawn(load(server.channel(), round, client, Arc::clone(&sent))))
            .collect();
        tokio::time::sleep(Duration::from_millis(random.random_range(1..60))).await;
        server.kill().await;
        for client in clients {
            client.await.unwrap();
        }
    }
    let server = Process::start(&data).await;
    receipts.extend(retry(&server.channel(), &sent).await);

    let auditor = As::on(server.channel(), "auditor-1", "auditor", None);
    let events = events(&auditor).await;
    let mut of_request = BTreeMap::<String, Vec<u64>>::new();
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event.position, index as u64 + 1, "positions are dense");
        of_request.entry(event.request_id.clone()).or_default().push(event.position);
    }
    assert_eq!(of_request.keys().collect::<BTreeSet<_>>(), receipts.keys().collect::<BTreeSet<_>>());
    for (request, positions) in &of_request {
        let receipt = &receipts[request];
        let expected: Vec<u64> = (receipt.first_position..=receipt.last_position).collect();
        assert_eq!(positions, &expected, "each command is in the log exactly once");
    }
    assert!(events.len() as u64 > KILLS, "there was load: {} events", events.len());

    // Nothing of it is in the way of what comes after.
    let again = supervisor(server.channel()).agencies().register_agency(register(0, 0, 0)).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);
    server.kill().await;
    rebuilt_as_it_was(&data);
    // Nor is the audit tree another one for all the kills.
    let head = events.len() as u64;
    let grown = tree(&data, trees.path(), "killed", head).await;
    assert_eq!(grown, tree(&data, trees.path(), "fresh", head).await);
}
