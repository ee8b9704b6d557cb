//! The paths of tiles below a log's prefix: `tile/0/x001/x234/067`, `tile/1/000.p/17`, `tile/entries/000.p/1`.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::{Row, Tile, WIDTH};
use crate::decimal;

/// Why a text is no path of a tile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected tile/<level or entries>/<index in groups of three digits>, with .p/<1 to 255> if partial")]
pub struct PathError;

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            Row::Entries => f.write_str("tile/entries/")?,
            Row::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let mut index = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            index.insert_str(0, &format!("x{:03}/", rest % 1000));
            rest /= 1000;
        }
        if !self.is_full() {
            write!(index, ".p/{}", self.width)?;
        }
        f.write_str(&index)
    }
}

impl FromStr for Tile {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        parse(text).ok_or(PathError)
    }
}

fn parse(text: &str) -> Option<Tile> {
    let (row, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let row = match row {
        "entries" => Row::Entries,
        level => Row::Hashes(u8::try_from(decimal::parse(level)?).ok()?),
    };
    let (index, width) = match rest.split_once(".p/") {
        None => (rest, WIDTH),
        Some((index, width)) => {
            (index, u16::try_from(decimal::parse(width)?).ok().filter(|width| *width < WIDTH)?)
        }
    };
    Tile::new(row, parse_index(index)?, width)
}

/// Groups of three digits, all but the last behind an `x`, the first not `x000`.
fn parse_index(text: &str) -> Option<u64> {
    if text.starts_with("x000") {
        return None;
    }
    let (leading, last) = text.rsplit_once('/').map_or((None, text), |(leading, last)| (Some(leading), last));
    let mut index = 0_u64;
    for group in leading.into_iter().flat_map(|leading| leading.split('/')) {
        index = index.checked_mul(1000)?.checked_add(parse_group(group.strip_prefix('x')?)?)?;
    }
    index.checked_mul(1000)?.checked_add(parse_group(last)?)
}

fn parse_group(text: &str) -> Option<u64> {
    let plain = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}
