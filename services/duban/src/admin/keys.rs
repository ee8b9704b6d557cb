//! The keys that sign the trees, by the process that signs.

use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use duban_log::ExecuteError;
use duban_merkle::{Algorithm, Verifier};
use duban_tree::keys::Standing;
use duban_tree::{KeyChangeError, Tree};
use serde_json::{Value, json};

use super::{Asked, Office};
use crate::failure::chain;

type Answer = Result<([(HeaderName, &'static str); 1], String), (StatusCode, String)>;

/// All keys of the tree of this algorithm, a row for each.
pub(super) async fn list(State(office): State<Asked>, Path(algorithm): Path<String>) -> Answer {
    let keys = tree(&office, &algorithm)?.keys().await.map_err(|error| refused(&error))?;
    let rows = keys.iter().map(|(key, standing)| row(key, *standing)).collect();
    Ok(json(&Value::Array(rows)))
}

/// Another key that signs the tree. It goes on if whoever asked goes away.
pub(super) async fn announce(State(office): State<Asked>, Path(algorithm): Path<String>) -> Answer {
    let tree = tree(&office, &algorithm)?.clone();
    let announcing = tokio::spawn(async move { tree.announce_key().await });
    let key =
        announcing.await.map_err(|error| unavailable(chain(&error)))?.map_err(|error| refused(&error))?;
    Ok(json(&Value::Array(vec![json!({ "id": id(&key), "key": key.to_string() })])))
}

/// A key signs no more.
pub(super) async fn retire(
    State(office): State<Asked>,
    Path((algorithm, key)): Path<(String, String)>,
) -> Answer {
    let tree = tree(&office, &algorithm)?;
    let key = u32::from_str_radix(&key, 16)
        .map_err(|_| (StatusCode::NOT_FOUND, "a key's id is 8 hexadecimal digits\n".to_owned()))?;
    let key = tree.retire_key(key).await.map_err(|error| refused(&error))?;
    Ok(json(&Value::Array(vec![json!({ "id": id(&key), "key": key.to_string() })])))
}

fn tree<'a>(office: &'a Office, algorithm: &str) -> Result<&'a Tree, (StatusCode, String)> {
    let open = office.open().ok_or_else(|| unavailable("starting".to_owned()))?;
    let absent = || (StatusCode::NOT_FOUND, "no such tree is kept here\n".to_owned());
    let trees = open.trees.as_ref().ok_or_else(absent)?;
    trees.of(None, Algorithm::from_tag(algorithm).ok_or_else(absent)?).ok_or_else(absent)
}

fn row(key: &Verifier, standing: Standing) -> Value {
    let (stage, retired_at) = match standing {
        Standing::First => ("FIRST", None),
        Standing::Coming => ("COMING", None),
        Standing::InForce => ("IN_FORCE", None),
        Standing::Retired(position) => ("RETIRED", Some(position.to_string())),
    };
    json!({ "id": id(key), "stage": stage, "retiredAt": retired_at, "key": key.to_string() })
}

fn id(key: &Verifier) -> String {
    format!("{:08x}", key.id())
}

fn json(value: &Value) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string())
}

fn unavailable(why: String) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, why + "\n")
}

fn refused(error: &KeyChangeError) -> (StatusCode, String) {
    let status = match error {
        KeyChangeError::Unknown(_) => StatusCode::NOT_FOUND,
        KeyChangeError::NotHere | KeyChangeError::Log(ExecuteError::Rejected(_)) => StatusCode::CONFLICT,
        KeyChangeError::Signer(_)
        | KeyChangeError::Change(_)
        | KeyChangeError::Log(_)
        | KeyChangeError::Ending => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, chain(error) + "\n")
}
