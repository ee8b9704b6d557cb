//! The same commands on SQLite and on Postgres give the same log but for times and ids, and the same views.

use duban_proto::audit::v1 as audit;

use crate::support::{Office, Place, events};

/// An event without what differs from one log to the next: when it was recorded, its random id and nonce.
fn timeless(mut event: audit::Event) -> audit::Event {
    event.recorded_at = None;
    event.id.clear();
    event.nonce.clear();
    event
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_opinion_comes_to_the_same_on_both() {
    let folder = Place::Folder(tempfile::tempdir().unwrap());
    let (one, other) = (Office::open_at(folder, "2026-03-02").await, Office::open().await);
    let mut logs = Vec::new();
    for office in [&one, &other] {
        office.import().await;
        let events: Vec<_> = events(&office.auditor()).await.into_iter().map(timeless).collect();
        let digests: Vec<_> = office.digests().await;
        let matrix = office.auditor().matrix(None).await.expect("a matrix").responsibilities;
        logs.push((events, digests, matrix));
    }
    let [on_sqlite, on_postgres] = &logs[..] else { unreachable!("two") };
    assert_eq!(on_sqlite.0.len(), 248);
    for (one, other) in on_sqlite.0.iter().zip(&on_postgres.0) {
        assert_eq!(one, other);
    }
    assert_eq!(on_sqlite.0.len(), on_postgres.0.len());
    assert_eq!(on_sqlite.1, on_postgres.1, "the views' digests");
    assert_eq!(on_sqlite.2, on_postgres.2);
    one.verify().await;
    other.verify().await;
}
