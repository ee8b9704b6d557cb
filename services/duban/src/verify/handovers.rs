//! Where keys have handed over since: whoever told the first one follows to those that sign now.

use duban_log::archive::Cursor;
use duban_log::{Archive, Held};
use duban_merkle::Note;
use duban_tree::Store;
use duban_tree::keys::{Change, Ring, trusted};
use duban_tree::verification::{Presented, Trust};

use crate::failure::Failure;

/// Adds the keys to those that are trusted, and says since when those that went count no more. What is returned are
/// the checkpoints on which that rests, to be verified with the others: if one of them doesn't hold, nothing does.
pub(super) async fn follow(store: &Store, held: &Held, trust: &mut Trust) -> Result<Vec<Presented>, Failure> {
    // What is no note vouches for nobody.
    let handovers = store.handovers()?;
    let notes: Vec<Note> = handovers.iter().filter_map(|bytes| Note::parse(bytes).ok()).collect();
    let origin = &store.id().origin;
    let given = trust.of(origin);
    if notes.is_empty() || given.is_empty() {
        return Ok(Vec::new());
    }
    let after = trusted(origin, &given, &ring(held, origin).await?, &notes);
    trust.go_on(origin, &after);
    let presented = |one: &duban_merkle::Verified| Presented {
        name: format!("handovers/{}", one.head().size),
        bytes: one.note().to_string().into_bytes(),
        kept: true,
    };
    Ok(after.rests_on.iter().map(presented).collect())
}

/// What the log's events tell of keys. What can't be read is found when it is verified.
async fn ring(held: &Held, origin: &str) -> Result<Ring, Failure> {
    let archive = Archive::open(held).await?;
    let (mut cursor, mut changes) = (Cursor::default(), Vec::new());
    while let Some(stretch) = archive.events(&mut cursor).await? {
        let events = stretch.events.flatten();
        changes.extend(events.filter_map(|event| Change::of(origin, &event).ok().flatten()));
    }
    archive.close().await;
    Ok(Ring::of(changes))
}
