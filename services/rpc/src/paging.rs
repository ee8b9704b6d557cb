//! Pages of one list. A token names the place to go on from, the position and the day that the first page
//! answered at, so that all pages show one state; and it is bound to its query, so that it can't be used
//! for another. It holds no secret and grants nothing: what may be seen is decided anew on each page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use duban_domain::{Date, Position};
use prost::Message;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::validate::{Field, Fields};

/// Entries on a page, when the caller doesn't say.
pub const PAGE_DEFAULT: usize = 50;
/// Entries on a page at most; who asks for more gets these (AIP-158).
pub const PAGE_MAX: usize = 1000;
/// The longest token taken, in bytes.
const TOKEN_MAX: usize = 4096;
/// Bytes of the digest that binds a token to its query.
const BINDING: usize = 16;

/// Where a page goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The position that the first page answered at.
    pub position: Position,
    /// The civil date that the first page was asked about.
    pub valid_on: Date,
    /// The key of the last entry shown; the next page begins after it.
    pub after: String,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// How many entries at most.
    pub size: usize,
    /// Where to go on; `None` on the first page.
    pub place: Option<Place>,
    query: [u8; 32],
}

impl Page {
    /// The token of the page after this one.
    pub fn next(&self, place: &Place) -> String {
        let payload = serde_json::to_vec(place).unwrap_or_default();
        let mut token = binding(&self.query, &payload).to_vec();
        token.extend(payload);
        URL_SAFE_NO_PAD.encode(token)
    }
}

impl Fields {
    /// The page asked for. `query` is the request without its page_size and page_token; `scope` is the
    /// [call's](crate::Call::scope): a token of another RPC, log or epoch is refused like any other's.
    pub fn page(
        &mut self,
        page_size: i32,
        page_token: &str,
        query: &impl Message,
        scope: &str,
    ) -> Field<Page> {
        let size = match usize::try_from(page_size) {
            Ok(0) => Ok(PAGE_DEFAULT),
            Ok(size) => Ok(size.min(PAGE_MAX)),
            Err(_) => Err(self.invalid("page_size", format!("is {page_size}, at least 0 is expected"))),
        };
        let query = digest(&[scope.as_bytes(), &query.encode_to_vec()]);
        let place = match page_token {
            "" => Ok(None),
            token => place(token, &query).map(Some).ok_or_else(|| {
                self.refuse("page_token", "PAGE_TOKEN_INVALID", "is not a token of this query: start again")
            }),
        };
        Ok(Page { size: size?, place: place?, query })
    }
}

fn place(token: &str, query: &[u8; 32]) -> Option<Place> {
    let bytes = (token.len() <= TOKEN_MAX).then(|| URL_SAFE_NO_PAD.decode(token).ok())??;
    let (bound, payload) = bytes.split_at_checked(BINDING)?;
    (bound == binding(query, payload)).then(|| serde_json::from_slice(payload).ok())?
}

fn binding(query: &[u8; 32], payload: &[u8]) -> [u8; BINDING] {
    let mut bound = [0; BINDING];
    bound.copy_from_slice(&digest(&[query, payload])[..BINDING]);
    bound
}

/// SHA-256 over the parts, each with its length before it, so that no two lists of parts read the same.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use tonic_health::pb::HealthCheckRequest;

    use super::*;
    use crate::error::Error;

    fn page(size: i32, token: &str, query: &str) -> Result<Page, Error> {
        let query = HealthCheckRequest { service: query.to_owned() };
        Fields::read(|f| f.page(size, token, &query, "/x/List log epoch"))
    }

    fn here() -> Place {
        Place { position: 7, valid_on: date(2026, 1, 2), after: "tasks/牵".to_owned() }
    }

    #[test]
    fn a_token_leads_back_to_its_place_in_its_query() {
        let token = page(0, "", "a").unwrap().next(&here());
        assert_eq!(page(10, &token, "a").unwrap().place, Some(here()));
        assert_eq!(page(10, &token, "b").unwrap_err().reason(), "PAGE_TOKEN_INVALID");
        let other =
            Fields::read(|f| f.page(0, &token, &HealthCheckRequest { service: "a".into() }, "elsewhere"));
        assert_eq!(other.unwrap_err().reason(), "PAGE_TOKEN_INVALID");
    }

    #[test]
    fn a_size_has_a_default_and_a_limit() {
        let size = |size| page(size, "", "a").map(|page| page.size);
        assert_eq!(size(0).unwrap(), PAGE_DEFAULT);
        assert_eq!(size(3).unwrap(), 3);
        for much in [1000, 1001, i32::MAX] {
            assert_eq!(size(much).unwrap(), PAGE_MAX);
        }
        for bad in [-1, i32::MIN] {
            assert_eq!(size(bad).unwrap_err().reason(), "INVALID_FIELD", "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_token_but_ours_is_taken(token in "\\PC{1,80}") {
            prop_assert!(page(0, &token, "a").is_err());
        }

        #[test]
        fn a_token_with_a_byte_changed_is_refused(at in 0..60_usize, by in 1..64_u8) {
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let mut token = page(0, "", "a").unwrap().next(&here()).into_bytes();
            let old = alphabet.iter().position(|b| *b == token[at]).unwrap();
            token[at] = alphabet[(old + usize::from(by)) % 64];
            let token = String::from_utf8(token).unwrap();
            prop_assert!(page(0, &token, "a").is_err());
        }
    }
}
