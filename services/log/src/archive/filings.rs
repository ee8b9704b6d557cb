//! What is filed under which tag, all of it as one number: equal for the same entries in whatever order they come.

use std::hash::Hasher as _;

use duban_domain::Position;
use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// The prime 2^61 - 1, by which numbers are reduced.
const PRIME: u64 = (1 << 61) - 1;

/// Entries of a tag and a position each, multiplied up: every one is a root of a polynomial, which is evaluated at a
/// place that is drawn for the run. Who made the entries couldn't know it. So other entries come to another number, but
/// for a chance of twice their count in 2^61.
#[derive(Debug, Clone)]
pub struct Filings {
    keyed: SipHasher24,
    /// What a position counts.
    scale: u64,
    /// Where the polynomial is evaluated.
    at: u64,
    product: u64,
}

/// A tag's hash under the key of the run: nobody can have made two tags that are taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagHash(pub [u8; 16]);

impl Filings {
    /// None yet, under a key drawn for this run.
    pub fn new(key: &[u8; 16]) -> Self {
        let keyed = SipHasher24::new_with_key(key);
        // Longer than any tag, so that no tag's hash is one of them.
        let drawn = |what: u8| reduced(u128::from_le_bytes(hashed(keyed, &[what; 256])) >> 6);
        Self { keyed, scale: drawn(0), at: drawn(1), product: 1 }
    }

    /// None yet, under the same key: what comes of the same entries is equal then.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self { product: 1, ..self.clone() }
    }

    /// What stands for a tag.
    pub fn hash(&self, tag: &str) -> TagHash {
        TagHash(hashed(self.keyed, tag.as_bytes()))
    }

    /// Adds an entry.
    pub fn add(&mut self, TagHash(hash): TagHash, position: Position) {
        let tag = u128::from_le_bytes(hash) >> 6;
        let root = u128::from(reduced(tag)) + u128::from(reduced(position.into())) * u128::from(self.scale);
        let factor = reduced(root + u128::from(self.at));
        self.product = reduced(u128::from(self.product) * u128::from(factor));
    }
}

impl PartialEq for Filings {
    fn eq(&self, other: &Self) -> bool {
        self.product == other.product
    }
}

fn hashed(mut keyed: SipHasher24, bytes: &[u8]) -> [u8; 16] {
    keyed.write(bytes);
    keyed.finish128().as_bytes()
}

/// Modulo [`PRIME`], of a number below 2^123.
fn reduced(number: u128) -> u64 {
    let low = |number: u128| u64::try_from(number & u128::from(PRIME)).unwrap_or(0);
    let folded = low(number) + low(number >> 61);
    // A sum of two below 2^61 each: once more is enough.
    let folded = (folded & PRIME) + (folded >> 61) + low(number >> 122);
    if folded >= PRIME { folded - PRIME } else { folded }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(entries: &[(&str, Position)]) -> Filings {
        let mut filings = Filings::new(&[7; 16]);
        for (tag, position) in entries {
            filings.add(filings.hash(tag), *position);
        }
        filings
    }

    #[test]
    fn the_same_entries_are_equal_in_any_order() {
        assert_eq!(of(&[("a", 1), ("b", 1), ("a", 2)]), of(&[("a", 2), ("a", 1), ("b", 1)]));
        assert_eq!(of(&[("a", 1)]).anew(), of(&[]));
    }

    #[test]
    fn other_entries_are_not() {
        let entries = [("a", 1), ("b", 2), ("a", 4)];
        let others: [&[(&str, Position)]; 7] = [
            &[],
            &entries[..2],
            &[("a", 1), ("b", 2), ("a", 4), ("a", 4)],
            &[("a", 1), ("b", 2), ("b", 4)],
            // Positions that come to the same sum, tags that are exchanged, an entry that stands twice for another.
            &[("a", 2), ("b", 2), ("a", 3)],
            &[("b", 1), ("a", 2), ("a", 4)],
            &[("a", 1), ("b", 2), ("b", 2)],
        ];
        for other in others {
            assert_ne!(of(&entries), of(other), "{other:?}");
        }
    }

    #[test]
    fn numbers_are_reduced_by_the_prime() {
        let prime = u128::from(PRIME);
        for number in
            [0, 1, prime - 1, prime, prime + 1, 2 * prime, prime * prime, (1 << 122) - 1, (1 << 123) - 1]
        {
            assert_eq!(u128::from(reduced(number)), number % prime, "{number}");
        }
    }
}
