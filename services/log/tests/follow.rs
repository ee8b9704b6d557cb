//! Followers: in order, once, and never past what they can't take.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use duban_domain::{Position, Recorded};
use duban_log::{FollowError, Follower, State};
use support::domain::{rename_many, renamed, unruled};
use support::{Fixture, append, raw};

/// Notes what it is given; fails as it is told.
#[derive(Default, Clone)]
struct Notes {
    taken: Arc<Mutex<Vec<Position>>>,
    pages: Arc<Mutex<Vec<usize>>>,
    poison: Option<Position>,
    faults: Arc<Mutex<usize>>,
}

impl Follower for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    async fn position(&mut self) -> Result<Position, FollowError> {
        Ok(self.taken.lock().unwrap().last().copied().unwrap_or(0))
    }

    async fn apply(&mut self, after: Position, page: &[Arc<Recorded>]) -> Result<(), FollowError> {
        assert_eq!(page[0].position, after + 1);
        if let Some(poisoned) = page.iter().find(|recorded| Some(recorded.position) == self.poison) {
            return Err(FollowError::Poisoned { position: poisoned.position, reason: "no".into() });
        }
        let mut faults = self.faults.lock().unwrap();
        if *faults > 0 {
            *faults -= 1;
            return Err(FollowError::Retry("not now".into()));
        }
        self.pages.lock().unwrap().push(page.len());
        self.taken.lock().unwrap().extend(page.iter().map(|recorded| recorded.position));
        Ok(())
    }
}

#[tokio::test]
async fn a_follower_takes_what_is_there_and_what_comes() {
    let f = Fixture::new().await;
    rename_many(&f.log, 50).await;
    let notes = Notes::default();
    let following = f.log.start(notes.clone());
    assert_eq!(following.reached(50).await.position, 50);
    rename_many(&f.log, 50).await;
    assert_eq!(following.reached(100).await.state, State::Running);
    assert_eq!(*notes.taken.lock().unwrap(), (1..=100).collect::<Vec<_>>());
    assert_eq!(f.log.followers().len(), 1);
    f.log.close().await;
    assert_eq!(following.status().state, State::Closed);
}

#[tokio::test]
async fn a_passing_failure_is_tried_again() {
    let f = Fixture::new().await;
    rename_many(&f.log, 3).await;
    let notes = Notes { faults: Arc::new(Mutex::new(2)), ..Notes::default() };
    let following = f.log.start(notes.clone());
    assert_eq!(following.reached(3).await.state, State::Running);
    assert_eq!(*notes.taken.lock().unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn a_poisoned_event_stops_a_follower_right_before_it() {
    let f = Fixture::new().await;
    rename_many(&f.log, 10).await;
    let notes = Notes { poison: Some(6), ..Notes::default() };
    let following = f.log.start(notes.clone());
    let status = following.reached(10).await;
    assert_eq!(status.position, 5);
    assert_eq!(status.state, State::Stopped { position: 6, reason: "no".into() });
    rename_many(&f.log, 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(*notes.taken.lock().unwrap(), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_damaged_event_stops_a_follower_right_before_it() {
    let f = Fixture::new().await;
    rename_many(&f.log, 2).await;
    let mut bad = append(100, &[]);
    let body = br#"{"event":{"type":"agency.renamed.v1","data":{"agency":7}},"context":{}}"#;
    bad.events = vec![raw("agency.renamed.v1", &["a"], body)];
    f.log.append(bad).await.unwrap();
    let following = f.log.start(Notes::default());
    let status = following.reached(3).await;
    assert_eq!(status.position, 2);
    assert!(matches!(status.state, State::Stopped { position: 3, .. }), "{status:?}");
    assert!(!status.is_healthy());
}

#[tokio::test]
async fn an_event_of_a_newer_version_makes_a_follower_outdated() {
    let f = Fixture::new().await;
    rename_many(&f.log, 2).await;
    let mut newer = append(100, &[]);
    newer.events = vec![raw("task.teleported.v1", &["a"], br#"{"event":{"type":"task.teleported.v1"}}"#)];
    f.log.append(newer).await.unwrap();
    f.log.append(unruled(101, &renamed("a", "b"))).await.unwrap();
    let following = f.log.start(Notes::default());
    let status = following.reached(4).await;
    assert_eq!(status.position, 2);
    assert_eq!(status.state, State::Outdated { position: 3, event_type: "task.teleported.v1".into() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_followers_share_pages_and_miss_nothing() {
    let f = Fixture::new().await;
    let notes: Vec<_> = (0..4).map(|_| Notes::default()).collect();
    let followings: Vec<_> = notes.iter().map(|notes| f.log.start(notes.clone())).collect();
    rename_many(&f.log, 200).await;
    for (following, notes) in followings.iter().zip(&notes) {
        following.reached(200).await;
        assert_eq!(*notes.taken.lock().unwrap(), (1..=200).collect::<Vec<_>>());
    }
}
