//! Backups while the log is in use, and what is restored from them.

use duban_domain::Event;
use duban_domain::log::{LogEvent, Origin};
use duban_log::moving::{MoveError, backup, restore};
use duban_log::{Clock, OpenError, SystemIds};

use super::scene::{Exporting, Home, contents, fixture};
use crate::support::{append, check, everything};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_is_whole_while_the_log_is_written() {
    let f = fixture().await;
    let folder = tempfile::tempdir().unwrap();
    let (log, file) = (f.log.clone(), folder.path().join("backup.db"));
    let (enough, stop) = tokio::sync::oneshot::channel();
    let writer = tokio::spawn(async move {
        let (mut id, mut stop) = (1000, stop);
        while stop.try_recv().is_err() {
            log.append(append(id, &[&["a"]])).await.unwrap();
            id += 1;
        }
    });
    let backed_up = backup(f.folder.path(), &file).await.unwrap();
    enough.send(()).unwrap();
    writer.await.unwrap();
    assert_eq!(backed_up.identity, f.log.identity());
    assert!(
        matches!(backup(f.folder.path(), &file).await, Err(MoveError::File(..))),
        "nothing is overwritten"
    );

    let home = Home::new();
    let clock: &dyn Clock = &*f.clock;
    let restored = restore(&file, home.folder.path(), None, clock, &SystemIds).await.unwrap();
    assert_eq!(restored.identity.log, f.log.identity().log);
    assert_ne!(restored.identity.epoch, f.log.identity().epoch);
    let log = home.open(&f).await.unwrap();
    assert_eq!(log.identity(), restored.identity);
    let (copy, source) = (everything(&log).await, everything(&f.log).await);
    let head = usize::try_from(backed_up.head).unwrap();
    assert_eq!(copy[..head], source[..head]);
    check(&copy);
    let Event::Log(LogEvent::EpochOpened { origin, previous_position, .. }) =
        copy.last().unwrap().decode().unwrap().event
    else {
        panic!("{:?}", copy.last())
    };
    assert_eq!((origin, previous_position), (Origin::Backup, backed_up.head));
    log.append(append(5000, &[&["a"]])).await.unwrap();
    log.close().await;
    assert_eq!(std::fs::read_dir(home.folder.path()).unwrap().count(), 2, "the log and its lock");
}

#[tokio::test]
async fn a_backup_copied_by_hand_goes_on_as_if_nothing_had_happened() {
    let f = fixture().await;
    let home = Home::new();
    backup(f.folder.path(), &home.folder.path().join("log.db")).await.unwrap();
    let log = home.open(&f).await.unwrap();
    assert_eq!(log.identity(), f.log.identity());
    assert_eq!(contents(&log).await, contents(&f.log).await);
    log.append(append(1000, &[&["a"]])).await.unwrap();
}

#[tokio::test]
async fn only_a_folder_without_a_log_is_restored() {
    let f = fixture().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.db");
    backup(f.folder.path(), &file).await.unwrap();
    let to = |path: &std::path::Path| {
        let (file, path) = (file.clone(), path.to_owned());
        let clock = std::sync::Arc::clone(&f.clock);
        async move { restore(&file, &path, None, &*clock, &SystemIds).await }
    };
    let refused = to(f.folder.path()).await.unwrap_err();
    assert!(matches!(refused, MoveError::Open(OpenError::InUse(_))), "{refused}");
    f.log.close().await;
    let refused = to(f.folder.path()).await.unwrap_err();
    assert!(matches!(refused, MoveError::NotEmpty { .. }), "{refused}");
    // A backup that isn't whole is refused; once it is mended, the same folder is restored.
    let home = Home::new();
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 8192]).unwrap();
    assert!(to(home.folder.path()).await.is_err());
    assert!(!home.folder.path().join("log.db").exists());
    std::fs::write(&file, &bytes).unwrap();
    to(home.folder.path()).await.unwrap();
    home.open(&f).await.unwrap().close().await;
}

#[tokio::test]
async fn a_log_that_has_ended_is_not_restored() {
    let f = fixture().await;
    f.log.close().await;
    Exporting::new().seal(&f).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.db");
    backup(f.folder.path(), &file).await.unwrap();
    let home = Home::new();
    let refused = restore(&file, home.folder.path(), None, &*f.clock, &SystemIds).await.unwrap_err();
    assert!(matches!(refused, MoveError::Sealed), "{refused}");
}
