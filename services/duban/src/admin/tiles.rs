//! The audit trees as C2SP `tlog-tiles` asks: `checkpoint`, `tile/…` and `tile/entries/…`, for whoever checks the
//! log with tools of their own; and `handovers.json`, for whoever was given a key that has handed over since.
//!
//! | prefix | tree |
//! |---|---|
//! | `/` | SHA-256, of the log's epoch |
//! | `/epochs/{epoch}/` | SHA-256, of that epoch |
//! | `/sm3/`, `/epochs/{epoch}/sm3/` | SM3 |
//!
//! What the published checkpoint doesn't reach is not there. A partial tile is served at every width up to what
//! there is, also when it is full meanwhile.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use duban_merkle::{Algorithm, Tile};
use duban_tree::{Published, Store, StoreError, Tree};
use uuid::Uuid;

use super::Asked;

/// A checkpoint is another one in a second.
const FRESH: &str = "no-cache";
/// What is at a tile's path never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// What is asked for, of which tree.
struct Path<'a> {
    /// `None`: that of the log.
    epoch: Option<Uuid>,
    algorithm: Algorithm,
    /// Without a slash before it.
    rest: &'a str,
}

/// Answers for every path that no other route has.
pub(super) async fn get(State(office): State<Asked>, uri: Uri) -> Response {
    let absent = StatusCode::NOT_FOUND.into_response();
    let Some(path) = parse(uri.path()) else { return absent };
    let trees = office.open().and_then(|open| open.trees.as_ref());
    let Some(tree) = trees.and_then(|trees| trees.of(path.epoch, path.algorithm)) else { return absent };
    let Some(published) = tree.published() else { return absent };
    if path.rest == "checkpoint" {
        let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, FRESH)];
        return (headers, published.note.to_string()).into_response();
    }
    if path.rest == "handovers.json" {
        let kind = (header::CONTENT_TYPE, "application/json");
        let none = || Bytes::from_static(b"[]");
        return match read(tree, Store::shown_handovers).await {
            Ok(shown) => {
                ([kind, (header::CACHE_CONTROL, FRESH)], shown.map_or_else(none, Bytes::from)).into_response()
            }
            Err(failed) => failed,
        };
    }
    match path.rest.parse() {
        Ok(tile) => serve(tree, tile, &published).await,
        Err(_) => absent,
    }
}

/// A path has one spelling: what is written otherwise, or is escaped, is not there.
fn parse(path: &str) -> Option<Path<'_>> {
    let mut rest = path.strip_prefix('/')?;
    let mut epoch = None;
    if let Some(below) = rest.strip_prefix("epochs/") {
        let (text, below) = below.split_once('/')?;
        let named: Uuid = text.parse().ok()?;
        if named.to_string() != text {
            return None;
        }
        (epoch, rest) = (Some(named), below);
    }
    let (algorithm, rest) = match rest.strip_prefix("sm3/") {
        Some(below) => (Algorithm::Sm3, below),
        None => (Algorithm::Sha256, rest),
    };
    Some(Path { epoch, algorithm, rest })
}

async fn serve(tree: &Tree, tile: Tile, published: &Published) -> Response {
    let size = published.head.size;
    match read(tree, move |store| store.bytes(tile, size)).await {
        Ok(Some(bytes)) => {
            let kind = (header::CONTENT_TYPE, "application/octet-stream");
            ([kind, (header::CACHE_CONTROL, FOR_EVER)], bytes).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(failed) => failed,
    }
}

/// Reads from a tree's folder, off the threads that answer; else what to answer.
async fn read<T: Send + 'static>(
    tree: &Tree,
    read: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Response> {
    let store = Arc::clone(tree.store());
    let done = tokio::task::spawn_blocking(move || read(&store)).await;
    match done {
        Ok(Ok(found)) => return Ok(found),
        Ok(Err(error)) => tracing::error!(%error, "the tree can't be served"),
        Err(error) => tracing::error!(%error, "the read of the tree failed"),
    }
    Err(StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_tree_and_what_is_asked_of_it() {
        let epoch = Uuid::from_u128(7);
        let of = |path: &str| parse(path).map(|path| (path.epoch, path.algorithm, path.rest.to_owned()));
        let is = |epoch, algorithm, rest: &str| Some((epoch, algorithm, rest.to_owned()));
        assert_eq!(of("/checkpoint"), is(None, Algorithm::Sha256, "checkpoint"));
        assert_eq!(of("/sm3/tile/0/000"), is(None, Algorithm::Sm3, "tile/0/000"));
        let path = format!("/epochs/{epoch}/sm3/checkpoint");
        assert_eq!(of(&path), is(Some(epoch), Algorithm::Sm3, "checkpoint"));
        assert_eq!(
            of(&format!("/epochs/{epoch}/tile/0/000")),
            is(Some(epoch), Algorithm::Sha256, "tile/0/000")
        );
        for bad in
            ["", "checkpoint", "/epochs/x/checkpoint", "/epochs/", &format!("/epochs/{}", epoch.simple())]
        {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(of(&format!("/epochs/{}/checkpoint", epoch.simple())), None);
    }
}
