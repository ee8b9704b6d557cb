use duban_domain::command::Context;
use duban_domain::name::LogId;
use duban_merkle::{Checkpoint, Signer};
use uuid::Uuid;

use super::*;
use crate::testing::{Home, Kind, event};
use crate::verification::finding::Finding;
use crate::verification::trust::{Outcome, Presented, Trust};

/// Enough for a full tile and the beginning of another one.
const SIZE: u64 = 300;
const ALGORITHM: Algorithm = Algorithm::Sha256;
const LOG: LogIdentity = LogIdentity { log: Uuid::from_u128(1), epoch: Uuid::from_u128(2) };

fn events(size: u64) -> Vec<StoredEvent> {
    (1..=size).map(event).collect()
}

/// The tree of these events, stored.
fn stored(events: &[StoredEvent]) -> Home {
    let home = Kind::Folder.home();
    let mut writer = home.writer();
    for event in events {
        writer.append(event.leaf_bytes(ALGORITHM).unwrap()).unwrap();
    }
    writer.commit().unwrap();
    home
}

/// Checkpoints of the tree of these events, at these sizes.
fn signed(events: &[StoredEvent], sizes: &[u64]) -> Vec<Mark> {
    signed_in(LOG.epoch, events, sizes)
}

/// The same of another epoch.
fn signed_in(epoch: Uuid, events: &[StoredEvent], sizes: &[u64]) -> Vec<Mark> {
    let origin = format!("duban/logs/{}/epochs/{epoch}", LOG.log);
    let signer = Signer::ed25519(origin.parse().unwrap(), &[7; 32]).unwrap();
    let trust = Trust { keys: vec![signer.verifier().clone()], ..Trust::default() };
    let mark = |size: &u64| {
        let mut tree = Frontier::new(ALGORITHM);
        for event in &events[..usize::try_from(*size).unwrap()] {
            tree.append(ALGORITHM.leaf(&event.leaf_bytes(ALGORITHM).unwrap()));
        }
        let checkpoint = Checkpoint::new(&origin, tree.head()).unwrap();
        let bytes = checkpoint.sign(&[&signer]).unwrap().to_string().into_bytes();
        Mark::of(&Presented { name: format!("at {size}"), bytes, kept: true }, &trust, LOG, ALGORITHM)
    };
    sizes.iter().map(mark).collect()
}

/// A walk through what was found, to its end.
struct Walked {
    walk: Walk,
    root: Option<TreeHead>,
}

impl Walked {
    fn through(
        found: impl IntoIterator<Item = Result<StoredEvent, Unreadable>>,
        home: Option<&Home>,
        marks: Vec<Mark>,
        head: Position,
    ) -> Self {
        let entries = home.map(|home| Entries::new(home.store(), SIZE));
        let mut walk = Walk::new(ALGORITHM, &[3; 16], head, entries, marks);
        let events: Vec<_> = found.into_iter().collect();
        walk.take(Stretch { events: Box::new(events.into_iter()), file: None });
        let root = walk.end(LOG, "the log", head, None);
        Self { walk, root }
    }

    /// Of events alone.
    fn of(events: Vec<StoredEvent>) -> Self {
        let head = events.iter().map(|event| event.position).max().unwrap_or(0);
        Self::through(events.into_iter().map(Ok), None, Vec::new(), head)
    }

    fn findings(&self) -> Vec<(Option<Position>, Fault)> {
        let kept = self.walk.findings.kept.iter();
        kept.map(|Finding { position, fault }| (*position, fault.clone())).collect()
    }

    fn outcomes(&mut self) -> Vec<Outcome> {
        self.walk.marks().into_iter().map(|mark| mark.checked.outcome).collect()
    }
}

#[test]
fn what_is_whole_has_every_root_that_was_signed() {
    let all = events(SIZE);
    let home = stored(&all);
    let marks = signed(&all, &[SIZE, 0, 7, 256]);
    let mut walked = Walked::through(all.into_iter().map(Ok), Some(&home), marks, SIZE);
    assert_eq!(walked.findings(), []);
    assert_eq!(walked.outcomes(), vec![Outcome::Same; 4]);
    assert_eq!((walked.walk.events, walked.walk.compared, walked.walk.unknown_types), (SIZE, SIZE, 0));
    assert_eq!(walked.walk.books.commands, SIZE / 2);
    assert_eq!(walked.root.map(|head| head.size), Some(SIZE));
}

#[test]
fn behind_a_hole_there_is_no_root_and_no_lie_but_in_a_chain() {
    let all = events(10);
    let unreadable = || Unreadable { position: Some(6), what: "a hole".to_owned() };
    let found = |lie: Position| {
        let mut found: Vec<_> =
            all[..3].iter().chain(&all[6..]).cloned().map(Ok).collect::<Vec<Result<_, Unreadable>>>();
        // What has come before isn't looked for in the hole.
        if let Ok(event) = &mut found[4] {
            event.tags[0].previous = lie;
        }
        found.insert(3, Err(unreadable()));
        found
    };
    let holes =
        [(Some(4), Fault::Missing { to: 5 }), (Some(6), Fault::Unreadable { what: "a hole".to_owned() })];
    let mut walked = Walked::through(found(7), None, signed(&all, &[3, 10]), 10);
    assert_eq!(walked.findings(), holes);
    assert_eq!((walked.outcomes(), walked.root), (vec![Outcome::Same, Outcome::Unknown], None));
    for lie in [5, 6] {
        let says = Fault::Previous { tag: "all:one".to_owned(), says: lie, is: 7 };
        let walked = Walked::through(found(lie), None, Vec::new(), 10);
        assert_eq!(walked.findings(), [&holes[..], &[(Some(8), says)]].concat());
    }
}

#[test]
fn what_is_gone_leaves_no_root_behind_it() {
    let all = events(10);
    let found = all[..3].iter().chain(&all[5..]).cloned().map(Ok);
    let mut walked = Walked::through(found, None, signed(&all, &[3, 10]), 10);
    assert_eq!(walked.findings(), [(Some(4), Fault::Missing { to: 5 })]);
    assert_eq!((walked.outcomes(), walked.root), (vec![Outcome::Same, Outcome::Unknown], None));
}

#[test]
fn an_event_that_comes_again_is_in_the_wrong_place() {
    let mut all = events(6);
    all.insert(4, event(3));
    let walked = Walked::of(all);
    assert_eq!(walked.findings(), [(Some(3), Fault::Misplaced { expected: 5 })]);
    assert_eq!(walked.root.map(|head| head.size), Some(6));
}

#[test]
fn times_never_go_back() {
    let mut all = events(6);
    all[3].recorded_at = all[0].recorded_at;
    let (says, before) = (all[3].recorded_at, all[2].recorded_at);
    assert_eq!(Walked::of(all).findings(), [(Some(4), Fault::Time { says, before })]);
}

#[test]
fn a_body_is_of_the_type_that_its_envelope_says() {
    let mut all = events(4);
    all[1].event_type = "task.proposed.v1".to_owned();
    all[2].event_type = "weather.changed.v1".to_owned();
    let walked = Walked::of(all);
    let [(Some(2), Fault::Body { .. })] = walked.findings()[..] else { panic!("{:?}", walked.findings()) };
    assert_eq!(walked.walk.unknown_types, 1, "a newer version may know it");
}

/// Six events, of which the fourth opens this epoch.
fn reopened(epoch: Uuid, previous_epoch: Uuid) -> Vec<StoredEvent> {
    let mut all = events(6);
    let opened = LogEvent::EpochOpened {
        log: LogId::from_id(&LOG.log.to_string()).unwrap(),
        epoch,
        origin: duban_domain::log::Origin::Backup,
        previous_epoch,
        previous_position: 3,
        previous_checkpoint: None,
    };
    all[3].event_type = "log.epoch_opened.v1".to_owned();
    all[3].body = Event::Log(opened).encode(&Context::default()).into();
    all
}

#[test]
fn the_epoch_is_the_last_one_that_was_opened() {
    let other = Uuid::from_u128(8);
    let walked = Walked::of(reopened(other, LOG.epoch));
    assert_eq!(walked.findings(), [(None, Fault::Epoch { says: LOG.epoch, is: other })]);
    let lives = [Life { epoch: LOG.epoch, last: Some(3) }, Life { epoch: other, last: None }];
    assert_eq!(walked.walk.lives, lives);
}

#[test]
fn a_checkpoint_holds_in_the_epoch_that_it_is_of() {
    let (earlier, never) = (Uuid::from_u128(7), Uuid::from_u128(8));
    let all = reopened(LOG.epoch, earlier);
    let through = |marks| Walked::through(all.iter().cloned().map(Ok), None, marks, 6);
    let mut walked =
        through(signed_in(earlier, &all, &[2, 3]).into_iter().chain(signed(&all, &[5])).collect());
    assert_eq!(walked.findings(), []);
    assert_eq!(walked.outcomes(), vec![Outcome::Same; 3]);
    let mut walked = through(signed_in(earlier, &all, &[5]));
    let lost = Fault::End { claim: "at 5".to_owned(), claimed: 5, found: 3 };
    assert_eq!((walked.findings(), walked.outcomes()), (vec![(None, lost)], vec![Outcome::Beyond]));
    let mut walked = through(signed_in(never, &all, &[2]));
    let findings = walked.findings();
    let [(None, Fault::Checkpoint { .. })] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!(walked.outcomes(), [Outcome::Refused]);
}

#[test]
fn a_log_that_says_it_is_longer_has_lost_its_end() {
    let walked = Walked::through(events(6).into_iter().map(Ok), None, Vec::new(), 8);
    let lost = Fault::End { claim: "the log".to_owned(), claimed: 8, found: 6 };
    assert_eq!(walked.findings(), [(None, lost)]);
}

#[test]
fn a_file_of_the_tree_that_lies_is_named_and_the_log_is_not() {
    let all = events(SIZE);
    for (name, first) in [("tile/0/000", 1), ("tile/0/001.p/44", 257), ("tile/entries/000", 1)] {
        let home = stored(&all);
        let mut lie = home.store().file(name).unwrap().unwrap();
        lie[0] ^= 1;
        // A bundle is gone, hashes are changed.
        home.tamper(name, (!name.contains("entries")).then_some(&lie));
        let walked = Walked::through(all.iter().cloned().map(Ok), Some(&home), signed(&all, &[SIZE]), SIZE);
        let findings = walked.findings();
        let [(Some(position), Fault::Tile { path, .. })] = &findings[..] else {
            panic!("{name}: {findings:?}")
        };
        assert_eq!((*position, path.as_str()), (first, name));
    }
}

#[test]
fn an_event_that_was_changed_is_named_once_and_which_tree_was_signed() {
    let all = events(SIZE);
    let home = stored(&all);
    let mut changed = all.clone();
    changed[99].actor = "somebody".to_owned();
    let fields = vec!["actor"];
    // Of the events as they were: the log was changed.
    let walked =
        Walked::through(changed.iter().cloned().map(Ok), Some(&home), signed(&all, &[50, 200, SIZE]), SIZE);
    let findings = walked.findings();
    assert_eq!(findings[0], (Some(100), Fault::Changed { fields: fields.clone() }));
    let roots: Vec<_> = findings[1..]
        .iter()
        .map(|finding| match finding {
            (None, Fault::Root { size, same_until, .. }) => (*size, *same_until),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(roots, [(200, 50), (SIZE, 50)]);
    let copies = { walked }.walk.marks().into_iter().map(|mark| mark.checked.copy_same).collect::<Vec<_>>();
    assert_eq!(copies, [None, Some(true), Some(true)]);
    // Of the events as they are: the tree was.
    let walked = Walked::through(
        changed.iter().cloned().map(Ok),
        Some(&home),
        signed(&changed, &[50, 200, SIZE]),
        SIZE,
    );
    assert_eq!(walked.findings(), [(Some(100), Fault::Entry { fields })]);
}

#[test]
fn a_checkpoint_beyond_the_end_says_what_was_lost() {
    let all = events(10);
    let mut walked = Walked::through(all[..8].iter().cloned().map(Ok), None, signed(&all, &[8, 10]), 8);
    let lost = Fault::End { claim: "at 10".to_owned(), claimed: 10, found: 8 };
    assert_eq!(walked.findings(), [(None, lost)]);
    assert_eq!(walked.outcomes(), [Outcome::Same, Outcome::Beyond]);
}

#[test]
fn a_tree_that_is_longer_says_what_was_lost() {
    let home = stored(&events(SIZE));
    let walked = Walked::through(events(250).into_iter().map(Ok), Some(&home), Vec::new(), 250);
    let lost = Fault::End { claim: "the tree".to_owned(), claimed: SIZE, found: 250 };
    assert_eq!(walked.findings(), [(None, lost)]);
}
