//! Entry bundles: up to 256 leaves one after the other, each behind its length in two bytes, big-endian (C2SP
//! `tlog-tiles`).

use crate::tile::WIDTH;

/// The longest entry, in bytes: what its length has room for.
pub const ENTRY_MAX: usize = u16::MAX as usize;

/// Why this is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// A bundle has from one to [`WIDTH`] entries.
    #[error("a bundle of {0} entries, from 1 to {WIDTH} are taken")]
    Entries(usize),
    /// An entry is longer than [`ENTRY_MAX`].
    #[error("an entry of {0} bytes, at most {ENTRY_MAX} are taken")]
    TooLong(usize),
    /// The bytes end within an entry.
    #[error("the bundle ends within entry {0}")]
    Truncated(usize),
    /// It has more or fewer entries than the tile is wide.
    #[error("a bundle of {found} entries where {expected} should be")]
    Width {
        /// As wide as its path says.
        expected: u16,
        /// The entries in it.
        found: usize,
    },
}

/// The bytes of the bundle of these entries.
pub fn encode(entries: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, BundleError> {
    if entries.is_empty() || entries.len() > usize::from(WIDTH) {
        return Err(BundleError::Entries(entries.len()));
    }
    let mut bytes = Vec::with_capacity(entries.iter().map(|entry| 2 + entry.as_ref().len()).sum());
    for entry in entries.iter().map(AsRef::as_ref) {
        let length = u16::try_from(entry.len()).map_err(|_| BundleError::TooLong(entry.len()))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// The entries of a bundle that is `width` wide: exactly as many, and nothing after them.
pub fn decode(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::with_capacity(usize::from(width.min(WIDTH)));
    let mut rest = bytes;
    while !rest.is_empty() {
        if entries.len() == usize::from(WIDTH) {
            return Err(BundleError::Entries(entries.len() + 1));
        }
        let cut = || BundleError::Truncated(entries.len());
        let (length, after) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
        let (entry, after) =
            after.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or_else(cut)?;
        entries.push(entry);
        rest = after;
    }
    if entries.is_empty() {
        return Err(BundleError::Entries(0));
    }
    if entries.len() != usize::from(width) {
        return Err(BundleError::Width { expected: width, found: entries.len() });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_stand_behind_their_lengths() {
        let bytes = encode(&[b"ab".as_slice(), b"", b"c"]).unwrap();
        assert_eq!(bytes, b"\0\x02ab\0\0\0\x01c");
        assert_eq!(decode(&bytes, 3).unwrap(), [b"ab".as_slice(), b"", b"c"]);
        let long = vec![7; 258];
        assert_eq!(encode(std::slice::from_ref(&long)).unwrap()[..3], [1, 2, 7]);
    }

    #[test]
    fn a_bundle_has_from_1_to_256_entries_of_at_most_65535_bytes() {
        assert_eq!(encode(&[] as &[&[u8]]), Err(BundleError::Entries(0)));
        assert_eq!(encode(&[b""; 257]), Err(BundleError::Entries(257)));
        assert_eq!(encode(&[vec![0; 65_536]]), Err(BundleError::TooLong(65_536)));
        let full = encode(&[b""; 256]).unwrap();
        assert_eq!(decode(&full, 256).unwrap().len(), 256);
        assert_eq!(decode(&[&full[..], &[0, 0]].concat(), 256), Err(BundleError::Entries(257)));
        assert_eq!(decode(&[], 0), Err(BundleError::Entries(0)));
    }

    #[test]
    fn a_bundle_that_is_cut_or_has_more_is_refused() {
        let bytes = encode(&[b"ab".as_slice(), b"c"]).unwrap();
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end], 2).is_err(), "{end}");
        }
        assert_eq!(decode(&bytes[..5], 2), Err(BundleError::Truncated(1)));
        assert_eq!(decode(&bytes, 1), Err(BundleError::Width { expected: 1, found: 2 }));
        assert_eq!(decode(&[&bytes[..], &[0]].concat(), 2), Err(BundleError::Truncated(2)));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(bytes in prop::collection::vec(0..4_u8, 0..60), width in 0..20_u16) {
            if let Ok(entries) = decode(&bytes, width) {
                prop_assert_eq!(encode(&entries).unwrap(), bytes);
            }
        }
    }
}
