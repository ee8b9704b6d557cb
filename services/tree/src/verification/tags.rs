//! The last position under every tag, in 24 bytes each however long the tags are.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use duban_domain::Position;
use duban_log::archive::{Filings, TagHash};

/// The last positions, of tags by their hashes.
pub(super) struct Tags {
    filings: Filings,
    lasts: HashMap<[u8; 16], Position, BuildHasherDefault<Uniform>>,
}

impl Tags {
    /// None yet, under a key drawn for this run.
    pub(super) fn new(key: &[u8; 16]) -> Self {
        Self { filings: Filings::new(key), lasts: HashMap::default() }
    }

    /// Files an event under a tag; the last position before it, 0 if there is none.
    pub(super) fn file(&mut self, tag: &str, position: Position) -> Position {
        let hash @ TagHash(key) = self.filings.hash(tag);
        self.filings.add(hash, position);
        self.lasts.insert(key, position).unwrap_or(0)
    }

    /// All that was filed.
    pub(super) fn filings(&self) -> &Filings {
        &self.filings
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.lasts.len() as u64
    }
}

/// Of what is a hash already, the hash.
#[derive(Default)]
pub(super) struct Uniform(u64);

impl Hasher for Uniform {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    /// The length of the key: always the same.
    fn write_usize(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tag_has_its_last_position() {
        let mut tags = Tags::new(&[7; 16]);
        assert_eq!((tags.file("a", 1), tags.file("b", 2), tags.file("a", 3)), (0, 0, 1));
        assert_eq!((tags.file("b", 4), tags.file("a", 5), tags.len()), (2, 3, 2));
    }
}
