//! Moves that are broken off anywhere, and gone on with.

use std::collections::BTreeMap;
use std::path::Path;

use duban_log::OpenError;
use duban_log::moving::{ExportOptions, MoveError, Progress, export, load};

use super::scene::{Exporting, Home, contents, fixture};
use crate::support::{Fixture, append};

/// A progress that never returns from its `n`-th step: what a kill leaves behind, as far as files go.
fn killed_at(n: usize) -> impl FnMut(Progress) {
    let mut steps = 0;
    move |_| {
        steps += 1;
        assert!(steps < n, "killed");
    }
}

async fn killed_export(f: &Fixture, exported: &Exporting, n: usize) -> bool {
    let options = exported.options(f);
    tokio::spawn(async move { export(options, killed_at(n)).await }).await.is_err()
}

async fn killed_load(f: &Fixture, exported: &Exporting, home: &Home, n: usize) -> bool {
    let options = home.options(f, &exported.path());
    tokio::spawn(async move { load(options, killed_at(n)).await }).await.is_err()
}

/// Every file of an export with its contents.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for sub in ["", "events", "receipts"] {
        for entry in std::fs::read_dir(folder.join(sub)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

#[tokio::test]
async fn an_export_goes_on_where_it_was_killed() {
    let f = fixture().await;
    let whole = Exporting::new();
    whole.export(&f).await.unwrap();
    let expected = files(&whole.path());
    let mut kills = 0;
    for n in 1.. {
        let exported = Exporting::new();
        if !killed_export(&f, &exported, n).await {
            break;
        }
        kills += 1;
        // Killed once more on the way, and then left alone.
        if killed_export(&f, &exported, 2).await {
            assert!(matches!(Home::new().load(&f, &exported).await, Err(MoveError::Incomplete(_))));
        }
        exported.export(&f).await.unwrap();
        assert_eq!(files(&exported.path()), expected, "killed at step {n}");
    }
    assert!(kills > 12, "killed at {kills} steps");
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_written_again() {
    let f = fixture().await;
    let whole = Exporting::new();
    whole.export(&f).await.unwrap();
    let expected = files(&whole.path());
    let exported = Exporting::new();
    assert!(killed_export(&f, &exported, 4).await);
    let path = exported.path();
    // The last file is there and not listed; half of its line is.
    let sums = std::fs::read_to_string(path.join("SHA256SUMS")).unwrap();
    std::fs::write(path.join("SHA256SUMS"), &sums[..sums.len() - 30]).unwrap();
    std::fs::write(path.join("events/000000000029.jsonl.new"), "{\"positi").unwrap();
    exported.export(&f).await.unwrap();
    assert_eq!(files(&path), expected);
}

#[tokio::test]
async fn an_export_is_gone_on_with_at_the_head_at_which_it_began() {
    let f = fixture().await;
    let exported = Exporting::new();
    assert!(killed_export(&f, &exported, 3).await);
    let head = f.log.head().await.unwrap();
    f.log.append(append(100, &[&["a"]])).await.unwrap();
    assert_eq!(exported.export(&f).await.unwrap().head, head);
    let grown = exported.export(&f).await.unwrap_err();
    assert!(matches!(grown, MoveError::OtherExport { .. }), "{grown}");
    // Once the log has ended, what was begun before is not its end.
    let begun = Exporting::new();
    assert!(killed_export(&f, &begun, 3).await);
    f.log.close().await;
    let sealed = begun.seal(&f).await.unwrap_err();
    assert!(matches!(sealed, MoveError::OtherExport { .. }), "{sealed}");
    let sealed = Exporting::new();
    assert_eq!(sealed.seal(&f).await.unwrap().head, head + 1);
    assert_eq!(sealed.seal(&f).await.unwrap().head, head + 1, "done already");
}

#[tokio::test]
async fn another_log_is_not_exported_into_the_same_folder() {
    let (one, other) = (fixture().await, Fixture::new().await);
    let exported = Exporting::new();
    assert!(killed_export(&one, &exported, 3).await);
    let mixed = exported.export(&other).await.unwrap_err();
    // Both are of the same seed: what tells them apart here is that the other one is shorter.
    assert!(matches!(mixed, MoveError::OtherExport { .. }), "{mixed}");
    exported.export(&one).await.unwrap();
}

#[tokio::test]
async fn a_load_goes_on_where_it_was_killed_and_is_not_served_before() {
    let f = fixture().await;
    let before = contents(&f.log).await;
    let (exported, other) = (Exporting::new(), Exporting::new());
    exported.export(&f).await.unwrap();
    f.log.append(append(100, &[&["a"]])).await.unwrap();
    other.export(&f).await.unwrap();
    let mut kills = 0;
    for n in 1.. {
        let home = Home::new();
        if !killed_load(&f, &exported, &home, n).await {
            break;
        }
        kills += 1;
        assert!(matches!(home.open(&f).await, Err(OpenError::HalfLoaded)));
        let half =
            export(ExportOptions::new(super::scene::at(home.folder.path()), other.path()), |_| {}).await;
        assert!(matches!(half, Err(MoveError::Open(OpenError::HalfLoaded))));
        assert!(matches!(home.load(&f, &other).await, Err(MoveError::OtherLoad)));
        if killed_load(&f, &exported, &home, 2).await {
            home.load(&f, &exported).await.unwrap();
        }
        let log = home.open(&f).await.unwrap();
        let mut after = contents(&log).await;
        after.events.pop();
        assert_eq!(after, before, "killed at step {n}");
        log.close().await;
    }
    assert!(kills > 12, "killed at {kills} steps");
}
