//! Exports that aren't what was written: refused, and the place named.

use std::fs;
use std::path::{Path, PathBuf};

use duban_log::moving::MoveError;
use sha2::{Digest as _, Sha256};

use super::scene::{Exporting, Home, fixture};

/// Writes `SHA256SUMS` anew: what somebody does who changes a file and hides it.
fn sum_again(folder: &Path) {
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let names = sums.lines().map(|line| line.split_once("  ").unwrap().1);
    let lines = names.filter(|name| folder.join(name).exists()).map(|name| {
        let digest = Sha256::digest(fs::read(folder.join(name)).unwrap());
        let digest = hex::encode(digest);
        format!("{digest}  {name}\n")
    });
    let sums: String = lines.collect();
    fs::write(folder.join("SHA256SUMS"), sums).unwrap();
}

fn change(file: &Path, how: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(file).unwrap();
    let changed = how(text.clone());
    assert_ne!(changed, text, "nothing was changed in {}", file.display());
    fs::write(file, changed).unwrap();
}

async fn refused(how: impl FnOnce(&Path)) -> MoveError {
    let f = fixture().await;
    let (exported, home) = (Exporting::new(), Home::new());
    exported.export(&f).await.unwrap();
    how(&exported.path());
    let error = home.load(&f, &exported).await.unwrap_err();
    if let Ok(log) = home.open(&f).await {
        assert_eq!(log.head().await.unwrap(), 0, "what was not loaded whole is not served");
    }
    error
}

/// The file, within the export, and the position of the damage.
fn place(error: &MoveError) -> (String, Option<u64>) {
    let MoveError::Damaged { file, position, .. } = error else { panic!("{error}") };
    let name: PathBuf = file.iter().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
    (name.display().to_string(), *position)
}

#[tokio::test]
async fn a_changed_byte_is_found() {
    let file = "events/000000000015.jsonl";
    let error = refused(|path| change(&path.join(file), |text| text.replacen("name 16", "name 61", 1))).await;
    assert_eq!(place(&error), (file.to_owned(), Some(15)), "in that file");
    let error = refused(|path| {
        change(&path.join(file), |text| text.replacen("\"position\":17", "\"position\"17", 1));
    })
    .await;
    assert_eq!(place(&error), (file.to_owned(), Some(17)), "that very line");
    let error = refused(|path| change(&path.join(file), |text| text[..text.len() - 2].to_owned())).await;
    assert_eq!(place(&error), (file.to_owned(), Some(21)), "cut off");
    let receipts = "receipts/000000000008.jsonl";
    let error =
        refused(|path| change(&path.join(receipts), |text| text.replacen("tester", "other", 1))).await;
    assert_eq!(place(&error), (receipts.to_owned(), None));
    let error = refused(|path| change(&path.join("export.json"), |text| text.replace("false", "true"))).await;
    assert!(place(&error).0.ends_with("export.json"), "{error}");
}

#[tokio::test]
async fn a_missing_file_is_found() {
    let error = refused(|path| fs::remove_file(path.join("events/000000000015.jsonl")).unwrap()).await;
    assert!(matches!(error, MoveError::File(..)), "{error}");
    let error = refused(|path| {
        fs::remove_file(path.join("events/000000000015.jsonl")).unwrap();
        sum_again(path);
    });
    assert_eq!(place(&error.await), ("events/000000000022.jsonl".to_owned(), Some(15)));
    let error = refused(|path| {
        fs::remove_file(path.join("receipts/000000000008.jsonl")).unwrap();
        sum_again(path);
    });
    assert_eq!(place(&error.await).0, "receipts/000000000015.jsonl");
    let error = refused(|path| fs::remove_file(path.join("export.json")).unwrap()).await;
    assert!(matches!(error, MoveError::Incomplete(_)), "{error}");
}

#[tokio::test]
async fn a_hidden_gap_is_found() {
    let file = "events/000000000015.jsonl";
    let without =
        |text: String| text.split_inclusive('\n').filter(|line| !line.contains("\"position\":17,")).collect();
    let error = refused(|path| {
        change(&path.join(file), without);
        sum_again(path);
    });
    assert_eq!(place(&error.await), (file.to_owned(), Some(17)));
    // The end of the log, or of its receipts, is cut off.
    for last in ["events/000000000071.jsonl", "receipts/000000000057.jsonl"] {
        let error = refused(|path| {
            fs::remove_file(path.join(last)).unwrap();
            sum_again(path);
        });
        assert!(place(&error.await).0.ends_with("export.json"), "{last}");
    }
}

#[tokio::test]
async fn events_out_of_their_order_are_found() {
    let file = "events/000000000015.jsonl";
    let swapped = |text: String| {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines.swap(2, 3);
        lines.concat()
    };
    let error = refused(|path| {
        change(&path.join(file), swapped);
        sum_again(path);
    });
    assert_eq!(place(&error.await), (file.to_owned(), Some(17)));
    let error = refused(|path| {
        change(&path.join(file), |text| text.replacen("\"agency:a7\",7]", "\"agency:a7\",99]", 1));
        sum_again(path);
    });
    assert_eq!(place(&error.await), (file.to_owned(), Some(17)));
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let error = refused(|path| {
        change(&path.join("export.json"), |text| text.replace("\"format\": 2", "\"format\": 3"));
        sum_again(path);
    });
    let error = error.await;
    assert!(matches!(error, MoveError::NewerFormat { found: 3, known: 2, .. }), "{error}");
}
