//! The digest of a view: SHA-256 over its rows, each in one possible encoding, in the order of keys.

use duban_domain::Position;
use sha2::{Digest as _, Sha256};

use super::row::{Cell, Stored};
use super::shape::Shape;
use super::store::Reading;
use super::{ViewError, Views};

/// What a view comes to at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// Where the view stands.
    pub position: Position,
    /// How many rows it has.
    pub rows: u64,
    /// SHA-256 of its rows, closed ones included, by key and then in the order of opening: each a JSON array
    /// of its columns without the row number, on a line of its own.
    pub sha256: [u8; 32],
}

impl Views {
    /// The digest of a view where it stands.
    pub(super) async fn digest_of(&self, shape: &Shape) -> Result<Digest, ViewError> {
        let mut reading = self.inner.store.long_snapshot(&[shape.name]).await?;
        let position = reading.standing(shape.name).await?.map_or(0, |standing| standing.position);
        Ok(digest(&mut reading, shape, shape.name, position).await?)
    }
}

/// The digest of a table, which stands at `position`.
pub(super) async fn digest(
    reading: &mut Reading,
    shape: &Shape,
    table: &str,
    position: Position,
) -> Result<Digest, sqlx::Error> {
    let mut hash = Sha256::new();
    let mut rows = 0;
    let mut line = Vec::new();
    reading
        .each(shape, table, |row| {
            line.clear();
            canonical(&mut line, &row);
            hash.update(&line);
            rows += 1;
        })
        .await?;
    Ok(Digest { position, rows, sha256: hash.finalize().into() })
}

fn canonical(line: &mut Vec<u8>, row: &Stored) {
    line.push(b'[');
    for text in [&row.key, &row.valid_from, &row.valid_to] {
        push_text(line, text);
        line.push(b',');
    }
    push_number(line, row.known_from);
    line.push(b',');
    push_number(line, row.known_to);
    line.push(b',');
    push_text(line, &row.because);
    for cell in &row.cells {
        line.push(b',');
        match cell {
            Cell::Null => line.extend_from_slice(b"null"),
            Cell::Integer(number) => push_number(line, *number),
            Cell::Text(text) => push_text(line, text),
        }
    }
    line.extend_from_slice(b"]\n");
}

fn push_text(line: &mut Vec<u8>, text: &str) {
    // Neither can fail: a text is always JSON, and memory takes it.
    serde_json::to_writer(line, text).unwrap_or_else(|error| unreachable!("{error}"));
}

fn push_number(line: &mut Vec<u8>, number: i64) {
    serde_json::to_writer(line, &number).unwrap_or_else(|error| unreachable!("{error}"));
}
