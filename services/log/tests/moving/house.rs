//! From one home to the next: what is kept, and which log it is then.

use std::process::Command;

use duban_domain::Event;
use duban_domain::log::{LogEvent, Origin};
use duban_log::moving::{ExportOptions, MoveError, export};
use duban_log::{AppendError, Appended, OpenError};

use super::scene::{Exporting, Home, contents, fixture};
use crate::support::{append, check, everything};

#[tokio::test]
async fn a_sealed_log_goes_on_elsewhere_as_it_was() {
    let mut f = fixture().await;
    let (before, identity) = (contents(&f.log).await, f.log.identity());
    f.log.close().await;
    let exported = Exporting::new();
    let manifest = exported.seal(&f).await.unwrap();
    assert_eq!((manifest.log, manifest.epoch, manifest.sealed), (identity.log, identity.epoch, true));
    assert_eq!(
        manifest.epochs.iter().map(|one| (one.epoch, one.first)).collect::<Vec<_>>(),
        [(identity.epoch, 1)]
    );

    let home = Home::new();
    let loaded = home.load(&f, &exported).await.unwrap();
    assert!(loaded.kept && loaded.identity == identity);
    let log = home.open(&f).await.unwrap();
    assert_eq!((log.identity(), log.is_sealed().await.unwrap()), (identity, false));
    assert_eq!(contents(&log).await, before);
    // A command sent before the move gets its first answer; a new one goes on where the source ended.
    let first = before.receipts[0].unwrap();
    let mut retry = append(1, &[]);
    retry.fingerprint = first.fingerprint;
    assert_eq!(log.append(retry.clone()).await.unwrap(), Appended::Before(first.receipt));
    let next = log.append(append(100, &[&["a"]])).await.unwrap().receipt();
    assert_eq!(next.first, manifest.head + 1);
    check(&everything(&log).await);
    log.close().await;

    f.reopen().await;
    assert!(f.log.is_sealed().await.unwrap());
    assert_eq!(contents(&f.log).await, before, "what ended is read as ever");
    assert!(matches!(f.log.append(append(100, &[&["a"]])).await, Err(AppendError::Sealed)));
    assert!(matches!(f.log.append(append(101, &[])).await, Err(AppendError::Sealed)));
    assert_eq!(f.log.append(retry).await.unwrap(), Appended::Before(first.receipt));
}

#[tokio::test]
async fn a_copy_goes_on_in_another_epoch() {
    let f = fixture().await;
    let (before, identity) = (contents(&f.log).await, f.log.identity());
    let (exported, home) = (Exporting::new(), Home::new());
    let manifest = exported.export(&f).await.unwrap();
    assert!(!manifest.sealed);
    let loaded = home.load(&f, &exported).await.unwrap();
    assert!(!loaded.kept && loaded.identity.log == identity.log && loaded.identity.epoch != identity.epoch);
    let log = home.open(&f).await.unwrap();
    assert_eq!(log.identity(), loaded.identity);
    let mut after = contents(&log).await;
    let opened = after.events.pop().unwrap();
    assert_eq!(after, before);
    check(&everything(&log).await);
    let Event::Log(LogEvent::EpochOpened {
        log: name, epoch, origin, previous_epoch, previous_position, ..
    }) = opened.decode().unwrap().event
    else {
        panic!("{opened:?}")
    };
    assert_eq!((name.id(), epoch), (&*identity.log.to_string(), loaded.identity.epoch));
    assert_eq!((origin, previous_epoch, previous_position), (Origin::Export, identity.epoch, manifest.head));
    assert_eq!(opened.role, "system");
    log.close().await;
    // The source goes on; and an export of the copy tells both epochs.
    f.log.append(append(100, &[&["a"]])).await.unwrap();
    let again = Exporting::new();
    let options = ExportOptions::new(super::scene::at(home.folder.path()), again.path());
    let epochs = export(options, |_| {}).await.unwrap().epochs;
    let expected = [(identity.epoch, 1), (loaded.identity.epoch, manifest.head + 1)];
    assert_eq!(epochs.iter().map(|one| (one.epoch, one.first)).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn an_empty_log_moves_too() {
    let f = crate::support::Fixture::new().await;
    let (exported, home) = (Exporting::new(), Home::new());
    assert_eq!(exported.export(&f).await.unwrap().head, 0);
    assert_eq!(home.load(&f, &exported).await.unwrap().head, 1);
    assert_eq!(home.open(&f).await.unwrap().head().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_export_is_as_it_was_when_it_began_however_much_is_appended() {
    let f = fixture().await;
    let before = contents(&f.log).await;
    let (log, exported) = (f.log.clone(), Exporting::new());
    let (enough, stop) = tokio::sync::oneshot::channel();
    let writer = tokio::spawn(async move {
        let (mut id, mut stop) = (1000, stop);
        while stop.try_recv().is_err() {
            log.append(append(id, &[&["a"]])).await.unwrap();
            id += 1;
        }
    });
    while f.log.head().await.unwrap() < before.events.len() as u64 + 20 {
        tokio::task::yield_now().await;
    }
    let manifest = exported.export(&f).await.unwrap();
    enough.send(()).unwrap();
    writer.await.unwrap();
    assert!(manifest.head >= before.events.len() as u64 + 20);
    let home = Home::new();
    home.load(&f, &exported).await.unwrap();
    let copy = everything(&home.open(&f).await.unwrap()).await;
    let head = usize::try_from(manifest.head).unwrap();
    assert_eq!(copy[..head], everything(&f.log).await[..head]);
}

#[tokio::test]
async fn only_an_empty_target_is_loaded() {
    let f = fixture().await;
    let (exported, home) = (Exporting::new(), Home::new());
    exported.export(&f).await.unwrap();
    home.load(&f, &exported).await.unwrap();
    let head = exported.export(&f).await.unwrap().head;
    let again = home.load(&f, &exported).await.unwrap_err();
    assert!(matches!(again, MoveError::NotEmpty { head: found, .. } if found == head + 1), "{again}");
    let log = home.open(&f).await.unwrap();
    let served = home.load(&f, &exported).await.unwrap_err();
    assert!(matches!(served, MoveError::Open(OpenError::InUse(_))), "{served}");
    log.close().await;
    // A log that was made and never used is empty.
    let fresh = Home::new();
    fresh.open(&f).await.unwrap().close().await;
    let loaded = fresh.load(&f, &exported).await.unwrap();
    assert_eq!(fresh.open(&f).await.unwrap().identity(), loaded.identity);
}

#[tokio::test]
async fn a_log_in_use_is_not_sealed() {
    let f = fixture().await;
    let refused = Exporting::new().seal(&f).await.unwrap_err();
    assert!(matches!(refused, MoveError::Open(OpenError::InUse(_))), "{refused}");
    f.log.append(append(100, &[&["a"]])).await.unwrap();
    let nowhere = tempfile::tempdir().unwrap();
    let missing =
        export(ExportOptions::new(super::scene::at(nowhere.path()), nowhere.path().join("export")), |_| {});
    assert!(matches!(missing.await, Err(MoveError::NoLog(_))));
    assert_eq!(std::fs::read_dir(nowhere.path()).unwrap().count(), 0, "nothing is made where nothing is");
}

#[tokio::test]
async fn the_digests_are_what_sha256sum_says() {
    let f = fixture().await;
    let exported = Exporting::new();
    let manifest = exported.export(&f).await.unwrap();
    let mut sums = Command::new("sha256sum");
    sums.args(["--check", "--strict", "SHA256SUMS"]).current_dir(exported.path());
    let checked = sums.output().unwrap();
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.status.success(), "{said}");
    assert!(said.contains("export.json: OK"));
    let files = manifest.head.div_ceil(7);
    assert_eq!(said.lines().filter(|line| line.starts_with("events/")).count() as u64, files);
}
