//! For which logs a witness cosigns, as it was typed and as it stands in a file.

use duban_merkle::Verifier;
use duban_merkle::key::KeyError;
use duban_tree::witness::Known;
use serde::Deserialize;

use crate::args::OfficeArgs;
use crate::failure::Failure;

/// A file of logs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Logs {
    #[serde(default)]
    log: Vec<Log>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    origin: String,
    keys: Vec<String>,
}

/// The logs of both.
pub(super) fn known(args: &OfficeArgs) -> Result<Vec<Known>, Failure> {
    let typed = args
        .logs
        .iter()
        .filter(|text| !text.is_empty())
        .map(|text| one(text).map_err(|error| Failure::Usage(format!("--log-key {text}: {error}"))));
    let mut known = typed.collect::<Result<Vec<_>, _>>()?;
    if let Some(file) = &args.file {
        let wrong = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
        known.extend(listed(&text).map_err(|error| wrong(&error))?);
    }
    Ok(known)
}

/// A key alone is that of the log of its name. It has two pluses, an origin has none: no key passes for an origin
/// and a key.
fn one(text: &str) -> Result<Known, KeyError> {
    let (origin, key) = match text.parse::<Verifier>() {
        Ok(key) => (key.name().to_string(), key),
        Err(error) => {
            let (origin, key) = text.split_once('=').ok_or(error)?;
            (origin.to_owned(), key.parse()?)
        }
    };
    Ok(Known { origin, keys: vec![key] })
}

fn listed(text: &str) -> Result<Vec<Known>, String> {
    let Logs { log } = toml::from_str(text).map_err(|error| error.to_string())?;
    let known = log.into_iter().map(|Log { origin, keys }| {
        let parsed = keys.iter().map(|key| key.parse().map_err(|error| format!("{key}: {error}")));
        Ok(Known { keys: parsed.collect::<Result<_, String>>()?, origin })
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use duban_merkle::Signer;

    use super::*;

    fn key() -> Verifier {
        Signer::ed25519("duban/logs/l".parse().unwrap(), &[7; 32]).unwrap().verifier().clone()
    }

    #[test]
    fn a_log_is_named_by_its_key_or_by_origin_and_key() {
        let by_key = Known { origin: "duban/logs/l".to_owned(), keys: vec![key()] };
        assert_eq!(one(&key().to_string()).unwrap(), by_key);
        let by_origin = Known { origin: "example.com/log".to_owned(), keys: vec![key()] };
        assert_eq!(one(&format!("example.com/log={}", key())).unwrap(), by_origin);
        assert!(one("example.com/log").is_err() && one("a=b").is_err());
    }

    #[test]
    fn a_file_lists_logs_and_says_what_it_does_not_know() {
        let text = format!("[[log]]\norigin = \"o\"\nkeys = [\"{}\"]\n", key());
        assert_eq!(listed(&text).unwrap(), [Known { origin: "o".to_owned(), keys: vec![key()] }]);
        assert!(listed("[[log]]\norigin = \"o\"\nkeys = [\"x\"]").is_err());
        assert!(listed("[[logs]]\n").is_err());
    }
}
