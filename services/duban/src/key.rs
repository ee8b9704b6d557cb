//! `duban key`: the keys that sign the log's checkpoints. The server that signs does it, asked on its admin port: it
//! has the signer's folder, and what becomes of a key is an event of the log.

use serde_json::Value;

use crate::admin::{got, post};
use crate::args::{KeyArgs, KeyCommand};
use crate::failure::{Exit, Failure};
use crate::output::Printer;

/// Does what was typed, and shows the keys that it is about.
pub(crate) async fn run(command: KeyCommand, printer: &mut Printer) -> Result<(), Failure> {
    let rows = match &command {
        KeyCommand::List { at } => asked(at, None, false).await?,
        KeyCommand::Announce { at } => asked(at, None, true).await?,
        KeyCommand::Retire { key, at } => asked(at, Some(key), true).await?,
    };
    let mut list = printer.list("keys");
    for row in rows {
        list.push(row)?;
    }
    list.end()
}

async fn asked(at: &KeyArgs, retired: Option<&str>, does: bool) -> Result<Vec<Value>, Failure> {
    let address = at.admin().address();
    let address = address.ok_or_else(|| Failure::Usage("--admin: the admin port is off".to_owned()))?;
    if retired.is_some_and(|key| key.len() != 8 || !key.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(Failure::Usage("a key's id is 8 hexadecimal digits: duban key list".to_owned()));
    }
    let tree = format!("/keys/{}", at.algorithm());
    let path = retired.map_or_else(|| tree.clone(), |key| format!("{tree}/{key}/retire"));
    let answer = if does { post(address, &path).await } else { got(address, &path).await };
    let unavailable = |message: String| Failure::Other { exit: Exit::Unavailable, message };
    let (yes, said) = answer.map_err(|error| unavailable(format!("{address}: {error}")))?;
    if !yes {
        return Err(Failure::Other { exit: Exit::Conflict, message: said.trim_end().to_owned() });
    }
    serde_json::from_str(&said).map_err(|error| unavailable(format!("{address} answers no keys: {error}")))
}
