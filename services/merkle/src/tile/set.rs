//! Which tiles a tree has.

use super::{HEIGHT, Row, Tile, WIDTH};

/// The tiles of hashes of a tree of this size, from the leaves up, each row from the left: full ones, then a
/// partial one where there is a rest.
pub fn hashes(size: u64) -> impl Iterator<Item = Tile> {
    (0..HEIGHT).flat_map(move |level| row(Row::Hashes(level), 0, size >> (HEIGHT * level)))
}

/// The bundles of leaves of a tree of this size.
pub fn entries(size: u64) -> impl Iterator<Item = Tile> {
    row(Row::Entries, 0, size)
}

/// What has to be written when the tree of size `old` becomes the one of size `new`: the bundles and tiles that
/// the new one has and the old one has not. Bundles first, then hashes from the leaves up, so that what is
/// there is never above what is not yet.
pub fn grown(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    let hashes = (0..HEIGHT).flat_map(move |level| {
        let shift = HEIGHT * level;
        row(Row::Hashes(level), old >> shift, new >> shift)
    });
    row(Row::Entries, old, new).chain(hashes)
}

/// The tiles of one row that a row of `new` has and one of `old` has not.
fn row(row: Row, old: u64, new: u64) -> impl Iterator<Item = Tile> {
    let wide = u64::from(WIDTH);
    let full = (old / wide..new / wide).filter_map(move |index| Tile::new(row, index, WIDTH));
    let width = u16::try_from(new % wide).ok().filter(|_| new > old);
    let rest = width.and_then(|width| Tile::new(row, new / wide, width));
    full.chain(rest)
}
