//! A call for a command as the log sees it, and what becomes of it.

use duban_domain::caller::Caller;
use duban_domain::command::Context;
use duban_domain::{Command, Date, Facts, Position, Timestamp, World};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::append::{Fingerprint, Origin, Receipt};

/// A call for a command: who asks, which request it is, and what all commands carry.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// The caller's id for it.
    pub request_id: Uuid,
    /// Why.
    pub context: Context,
    /// The civil date from which it shall hold, if the caller said one.
    pub effective_on: Option<Date>,
    /// The etag that the caller saw, if it said one.
    pub etag: Option<String>,
    /// Whether it is only asked what would happen.
    pub validate_only: bool,
    /// The full name of the RPC: part of what makes two requests the same.
    pub rpc: &'static str,
    /// What it belongs to; without it, itself.
    pub correlation: Option<Uuid>,
    /// The position of the event that caused it, where one did.
    pub causation: Option<Position>,
    /// The W3C trace id, 32 lower-case hexadecimal digits.
    pub trace_id: Option<String>,
}

/// What became of a command.
#[derive(Debug, Clone)]
pub struct Outcome<C> {
    /// The command, with what the caller left out.
    pub command: C,
    /// The receipt; none if it was only asked what would happen.
    pub receipt: Option<Receipt>,
    /// The subjects it read, as they were right after it (for `validate_only`: as they would be).
    pub world: World,
    /// The position at which that is.
    pub position: Position,
}

impl Request {
    pub(crate) fn facts(&self, now: Timestamp) -> Facts {
        Facts {
            now,
            caller: self.caller.clone(),
            context: self.context.clone(),
            effective_on: self.effective_on,
            etag: self.etag.clone(),
        }
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin {
            caller: self.caller.clone(),
            request_id: self.request_id,
            correlation: self.correlation.unwrap_or(self.request_id),
            causation: self.causation,
            trace_id: self.trace_id.clone(),
        }
    }

    /// SHA-256 of the RPC's name and of what was asked, before defaults are filled in.
    pub(crate) fn fingerprint(&self, command: &impl Command) -> Fingerprint {
        #[derive(Serialize)]
        struct Asked<'a, C> {
            rpc: &'a str,
            command: &'a C,
            context: &'a Context,
            effective_on: Option<Date>,
            etag: Option<&'a str>,
        }
        let asked = Asked {
            rpc: self.rpc,
            command,
            context: &self.context,
            effective_on: self.effective_on,
            etag: self.etag.as_deref(),
        };
        // A command is plain data with text keys: it is always writable.
        Sha256::digest(serde_json::to_vec(&asked).unwrap_or_default()).into()
    }
}
