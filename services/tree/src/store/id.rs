//! Which tree: one for each epoch of a log and each algorithm.

use duban_log::LogIdentity;
use duban_merkle::Algorithm;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// Which tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeId {
    /// Its name in checkpoints.
    pub origin: String,
    /// What it is hashed with.
    #[serde(serialize_with = "tag", deserialize_with = "of_tag")]
    pub algorithm: Algorithm,
    /// The log.
    pub log: Uuid,
    /// The epoch of the log.
    pub epoch: Uuid,
}

impl TreeId {
    /// The tree of an epoch of a log. Its origin is `<prefix>/epochs/<epoch>`, with `/sm3` behind it for SM3; the
    /// prefix is `duban/logs/<log>` unless given, and should be the URL, without scheme, at which others reach it.
    pub fn new(identity: LogIdentity, algorithm: Algorithm, prefix: Option<&str>) -> Self {
        let LogIdentity { log, epoch } = identity;
        let prefix = prefix.map_or_else(|| format!("duban/logs/{log}"), ToOwned::to_owned);
        let suffix = match algorithm {
            Algorithm::Sha256 => "",
            Algorithm::Sm3 => "/sm3",
        };
        Self { origin: format!("{prefix}/epochs/{epoch}{suffix}"), algorithm, log, epoch }
    }

    /// The name of its folder, among those of the other trees.
    pub fn folder(&self) -> String {
        match self.algorithm {
            Algorithm::Sha256 => self.epoch.to_string(),
            Algorithm::Sm3 => format!("{}-sm3", self.epoch),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's own signature")]
fn tag<S: Serializer>(algorithm: &Algorithm, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(algorithm.tag())
}

fn of_tag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Algorithm, D::Error> {
    let tag = String::deserialize(deserializer)?;
    Algorithm::from_tag(&tag).ok_or_else(|| de::Error::custom(format!("{tag} is no algorithm known here")))
}
