//! The log followed over gRPC: each event once and in order, across the seam from past to live, after an
//! interruption, however slowly it is read, in either form.

use std::collections::BTreeSet;
use std::time::Duration;

use duban_proto::audit::v1 as audit;
use duban_proto::audit::v1::subscribe_response::Frame;
use duban_proto::call::v1::LogIdentity;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use crate::support::{As, Office, context, events, reason_of, slow_connection};

/// Nothing that is awaited takes longer, or the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody who follows the log, and what it has received.
struct Subscriber {
    frames: Streaming<audit::SubscribeResponse>,
    /// Every event, in the order of arrival.
    events: Vec<audit::Event>,
    /// The last cursor.
    cursor: Option<audit::Cursor>,
}

impl Subscriber {
    async fn new(who: &As, request: audit::SubscribeRequest) -> Result<Self, Status> {
        let frames = who.audit().subscribe(request).await?.into_inner();
        Ok(Self { frames, events: Vec::new(), cursor: None })
    }

    /// The next frame; its events and its cursor are kept.
    async fn frame(&mut self) -> Result<Frame, Status> {
        let message = timeout(PATIENCE, self.frames.message()).await.expect("a frame in time")?;
        let frame = message.expect("it has no end").frame.expect("a frame");
        let (new, cursor) = match &frame {
            Frame::Started(audit::Started { cursor, .. })
            | Frame::Checkpoint(audit::Checkpoint { cursor })
            | Frame::CaughtUp(audit::CaughtUp { cursor })
            | Frame::FellBehind(audit::FellBehind { cursor, .. }) => (vec![], cursor.clone()),
            Frame::Events(page) => (page.events.clone(), page.cursor.clone()),
        };
        self.events.extend(new);
        self.cursor = Some(cursor.expect("a cursor"));
        Ok(frame)
    }

    /// Reads on until everything up to a position is delivered.
    async fn until(&mut self, position: u64) {
        while self.position() < position {
            self.frame().await.expect("a frame");
        }
    }

    fn position(&self) -> u64 {
        self.cursor.as_ref().map_or(0, |cursor| cursor.position)
    }

    fn positions(&self) -> Vec<u64> {
        self.events.iter().map(|event| event.position).collect()
    }
}

fn after(cursor: Option<audit::Cursor>) -> audit::SubscribeRequest {
    audit::SubscribeRequest { after: cursor, ..Default::default() }
}

fn at(log: LogIdentity, position: u64) -> Option<audit::Cursor> {
    Some(audit::Cursor { log: Some(log), position })
}

async fn identity(office: &Office) -> LogIdentity {
    let head = office.auditor().audit().get_head(audit::GetHeadRequest {}).await.expect("a head");
    head.into_inner().log.expect("an identity")
}

#[tokio::test]
async fn a_subscription_starts_delivers_the_past_catches_up_and_goes_on_live() {
    let office = Office::open().await;
    office.register_agencies(&["a", "b", "c"]).await;
    let mut subscriber = Subscriber::new(&office.auditor(), after(None)).await.expect("subscribed");
    let Frame::Started(started) = subscriber.frame().await.expect("a frame") else {
        panic!("first: started")
    };
    assert_eq!((started.head, subscriber.position()), (3, 0));
    assert!(matches!(subscriber.frame().await.expect("a frame"), Frame::Events(_)));
    assert_eq!(subscriber.positions(), [1, 2, 3]);
    assert!(matches!(subscriber.frame().await.expect("a frame"), Frame::CaughtUp(_)));
    assert_eq!(subscriber.position(), 3);
    office.register_agencies(&["d"]).await;
    assert!(matches!(subscriber.frame().await.expect("a frame"), Frame::Events(_)), "live");
    // On a quiet log too, it hears where it stands.
    assert!(matches!(subscriber.frame().await.expect("a frame"), Frame::Checkpoint(_)));
    assert_eq!(subscriber.position(), 4);
    assert_eq!(subscriber.events, events(&office.auditor()).await, "as they stand in the log");
    drop(subscriber);
    office.verify().await;
}

#[tokio::test]
async fn a_cursor_is_exclusive_and_whoever_keeps_it_goes_on_from_there() {
    let office = Office::open().await;
    office.register_agencies(&["a", "b", "c", "d", "e"]).await;
    let log = identity(&office).await;
    for from in 0..=5 {
        let mut resumed =
            Subscriber::new(&office.auditor(), after(at(log.clone(), from))).await.expect("subscribed");
        resumed.frame().await.expect("started");
        assert_eq!(resumed.position(), from, "started says from where it goes on");
        resumed.until(5).await;
        assert_eq!(resumed.positions(), (from + 1..=5).collect::<Vec<_>>());
    }
    office.verify().await;
}

#[tokio::test]
async fn a_cursor_of_another_log_or_beyond_the_head_is_refused() {
    let office = Office::open().await;
    office.register_agencies(&["a"]).await;
    let (ours, other) = (identity(&office).await, identity(&Office::open().await).await);
    let foreign = [
        other.clone(),
        LogIdentity { log: ours.log.clone(), epoch: other.epoch.clone() },
        LogIdentity { log: other.log, epoch: ours.epoch.clone() },
    ];
    for log in foreign {
        let refused =
            Subscriber::new(&office.auditor(), after(at(log.clone(), 1))).await.err().expect("refused");
        assert_eq!(reason_of(&refused), (Code::FailedPrecondition, "OTHER_LOG".to_owned()));
        let details = tonic_types::StatusExt::get_error_details(&refused);
        let said = format!("{:?}", details.error_info().expect("details").metadata);
        for identity in [&ours.log, &ours.epoch, &log.log, &log.epoch] {
            assert!(said.contains(identity.as_str()), "both identities: {said}");
        }
        let request = audit::ReadRequest { after: at(log, 1), ..Default::default() };
        let read = office.auditor().audit().read(request).await.expect_err("refused");
        assert_eq!(reason_of(&read).1, "OTHER_LOG");
    }
    let beyond = Subscriber::new(&office.auditor(), after(at(ours, 2))).await.err().expect("refused");
    assert_eq!(reason_of(&beyond), (Code::OutOfRange, "POSITION_BEYOND_HEAD".to_owned()));
    for (who, allowed) in
        [(office.supervisor(), true), (office.coordinator("a"), true), (office.agency("a"), false)]
    {
        assert_eq!(Subscriber::new(&who, after(None)).await.is_ok(), allowed);
    }
    office.verify().await;
}

#[tokio::test]
async fn a_filter_lets_through_what_it_names_and_the_cursor_moves_on_all_the_same() {
    let office = Office::open().await;
    office.register_agencies(&["a", "b"]).await;
    office.dispatch("t", "2026-01-01", &["a", "b"]).await;
    office.dispatch("u", "2026-01-01", &["b"]).await;
    office.acknowledge("t", "a").await;
    let (head, all) = (office.head().await, events(&office.auditor()).await);
    let filter = |types: &[&str], subjects: &[&str]| audit::EventFilter {
        types: types.iter().map(ToString::to_string).collect(),
        subjects: subjects.iter().map(ToString::to_string).collect(),
    };
    let dispatched = "assignment.dispatched.v1";
    let cases = [
        (filter(&[dispatched], &[]), all.iter().filter(|e| e.r#type == dispatched).count()),
        (filter(&[], &["tasks/u"]), all.iter().filter(|e| e.tags.iter().any(|t| t.tag == "task:u")).count()),
        (filter(&[dispatched], &["tasks/t", "tasks/u"]), 3),
        (filter(&[], &["agencies/a"]), 2),
        (filter(&["report.drafted.v1"], &[]), 0),
    ];
    for (filter, expected) in cases {
        let request = audit::SubscribeRequest { filter: Some(filter.clone()), ..Default::default() };
        let mut subscriber = Subscriber::new(&office.auditor(), request).await.expect("subscribed");
        subscriber.until(head).await;
        assert_eq!(subscriber.events.len(), expected, "{filter:?}");
        assert!(subscriber.positions().is_sorted());
        assert!(subscriber.events.iter().all(|event| all.contains(event)));
    }
    let misspelt =
        audit::SubscribeRequest { filter: Some(filter(&["task.propsed.v1"], &[])), ..Default::default() };
    let refused = Subscriber::new(&office.auditor(), misspelt).await.err().expect("refused");
    assert_eq!(refused.code(), Code::InvalidArgument, "it would wait for ever");
    office.verify().await;
}

/// Everything appended while subscribers come and go arrives once and in order with each of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn across_the_seam_from_past_to_live_nothing_is_lost_or_doubled() {
    const WRITERS: usize = 4;
    const EACH: usize = 40;
    let office = Office::open().await;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let who = As::on(office.connection(), &format!("supervisor-{writer}"), "supervisor", None);
            tokio::spawn(async move {
                for number in 0..EACH {
                    who.propose(context(), Some(&format!("t{writer}-{number}"))).await.expect("proposed");
                }
            })
        })
        .collect();
    let head = (WRITERS * EACH) as u64;
    // One begins when the log has so many events; each breaks off once and goes on after its cursor.
    let followers: Vec<_> = (0..8)
        .map(|number| {
            let (auditor, mut watch) = (office.auditor(), office.running().log.watch());
            tokio::spawn(async move {
                watch.wait_for(|at| *at >= number * 16).await.expect("the log is open");
                let mut first = Subscriber::new(&auditor, after(None)).await.expect("subscribed");
                first.until(number * 16 + 5).await;
                let (cursor, mut received) = (first.cursor.clone(), first.positions());
                drop(first);
                let mut second = Subscriber::new(&auditor, after(cursor)).await.expect("subscribed");
                second.until(head).await;
                received.extend(second.positions());
                received
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no panic");
    }
    for follower in followers {
        assert_eq!(follower.await.expect("no panic"), (1..=head).collect::<Vec<_>>());
    }
    office.verify().await;
}

/// A draining server says where each subscriber stands before it ends its stream, and the next one goes on there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_server_ends_with_a_cursor_from_which_the_next_goes_on() {
    let mut office = Office::open().await;
    office.register_agencies(&["a", "b"]).await;
    let mut subscriber = Subscriber::new(&office.auditor(), after(None)).await.expect("subscribed");
    subscriber.until(2).await;
    let following = tokio::spawn(async move {
        let mut last = None;
        loop {
            match subscriber.frame().await {
                Ok(frame) => last = Some(frame),
                Err(status) => return (last, status, subscriber),
            }
        }
    });
    office.register_agencies(&["c"]).await;
    office.restart().await;
    let (last, status, before) = following.await.expect("no panic");
    assert_eq!(reason_of(&status), (Code::Unavailable, "DRAINING".to_owned()));
    assert!(matches!(last, Some(Frame::Checkpoint(_))), "the last frame is a cursor: {last:?}");
    office.register_agencies(&["d"]).await;
    let mut resumed =
        Subscriber::new(&office.auditor(), after(before.cursor.clone())).await.expect("subscribed");
    resumed.until(4).await;
    let mut all = before.positions();
    all.extend(resumed.positions());
    assert_eq!(all, [1, 2, 3, 4]);
    office.verify().await;
}

/// The log grows by more than is kept at hand while a live subscriber doesn't read: it is told so, goes on from
/// storage, and misses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_subscriber_falls_behind_and_misses_nothing() {
    let office = Office::open().await;
    let names: Vec<String> = (0..64).map(|number| format!("a{number:02}")).collect();
    let agencies: Vec<&str> = names.iter().map(String::as_str).collect();
    office.register_agencies(&agencies).await;
    let auditor = As::on(slow_connection(&office), "auditor-1", "auditor", None);
    let mut slow = Subscriber::new(&auditor, after(None)).await.expect("subscribed");
    while !matches!(slow.frame().await.expect("a frame"), Frame::CaughtUp(_)) {}
    for number in 0..30 {
        office.dispatch(&format!("t{number}"), "2026-01-01", &agencies).await;
    }
    let head = office.head().await;
    let (mut fell, mut caught) = (0, 0);
    while slow.position() < head || caught < fell {
        match slow.frame().await.expect("a frame") {
            Frame::FellBehind(behind) => {
                assert!(behind.head > slow.position());
                fell += 1;
            }
            Frame::CaughtUp(_) => caught += 1,
            Frame::Events(_) | Frame::Checkpoint(_) => {}
            Frame::Started(_) => panic!("started once"),
        }
    }
    assert!(fell >= 1 && caught == fell, "behind {fell} times, caught up {caught} times");
    assert_eq!(slow.positions(), (1..=head).collect::<Vec<_>>());
    drop(slow);
    office.verify().await;
}

#[tokio::test]
async fn cloud_events_say_the_same() {
    let office = Office::open().await;
    office.register_agencies(&["a"]).await;
    office.dispatch("t", "2026-01-01", &["a"]).await;
    office.acknowledge("t", "a").await;
    let (log, all) = (identity(&office).await, events(&office.auditor()).await);
    let format = audit::EventFormat::CloudEventsJson.into();
    let request = audit::SubscribeRequest { format, ..Default::default() };
    let mut frames = office.auditor().audit().subscribe(request).await.expect("subscribed").into_inner();
    let mut received: Vec<serde_json::Value> = Vec::new();
    while received.len() < all.len() {
        let message = timeout(PATIENCE, frames.message()).await.expect("in time").expect("a frame");
        if let Some(Frame::Events(page)) = message.expect("no end").frame {
            assert!(page.events.is_empty(), "in one form");
            received.extend(page.cloud_events.iter().map(|text| serde_json::from_str(text).expect("JSON")));
        }
    }
    let mut seen = BTreeSet::new();
    for (event, cloud) in all.iter().zip(&received) {
        assert_eq!(cloud["specversion"], "1.0");
        assert_eq!(cloud["type"], event.r#type.as_str());
        assert_eq!(cloud["source"], format!("/logs/{}/epochs/{}", log.log, log.epoch));
        assert_eq!(cloud["sequence"], format!("{:020}", event.position));
        assert_eq!(cloud["effectiveon"], event.effective_on.as_str());
        assert_eq!(cloud["actor"], event.actor.as_str());
        let body: serde_json::Value = serde_json::from_slice(&event.body).expect("JSON");
        assert_eq!(cloud["data"], body);
        assert!(seen.insert(cloud["id"].to_string()), "source and id name one event");
    }
    drop(frames);
    office.verify().await;
}
