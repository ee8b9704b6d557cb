//! What the commands that move a log share: how far it is, and why it can't go on.

use duban_log::moving::{MoveError, Phase, Progress};
use duban_log::{LogIdentity, ReadError};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::failure::{Exit, Failure, chain};
use crate::i18n::{Lang, Text};
use crate::output;

/// One bar after the other, on a terminal.
pub(crate) struct Bar {
    current: Option<(&'static str, ProgressBar)>,
}

impl Bar {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { current: None }
    }

    /// Shows how far it is with what has this title.
    pub(crate) fn show(&mut self, title: &'static str, done: u64, of: u64) {
        if self.current.as_ref().is_none_or(|(shown, _)| *shown != title) {
            self.clear();
            let steps = usize::try_from(of).unwrap_or(usize::MAX);
            self.current = Some((title, output::progress(title, steps)));
        }
        if let Some((_, bar)) = &self.current {
            bar.set_length(of);
            bar.set_position(done);
        }
    }

    /// Takes it away.
    pub(crate) fn clear(&mut self) {
        if let Some((_, bar)) = self.current.take() {
            bar.finish_and_clear();
        }
    }
}

/// A bar for each phase of a move.
pub(crate) struct Bars {
    lang: Lang,
    events: Text,
    receipts: Text,
    bar: Bar,
}

impl Bars {
    /// Bars with these titles.
    pub(crate) fn new(lang: Lang, events: Text, receipts: Text) -> Self {
        Self { lang, events, receipts, bar: Bar::new() }
    }

    /// Shows how far it is.
    pub(crate) fn show(&mut self, progress: Progress) {
        let Progress { phase, done, of } = progress;
        let title = match phase {
            Phase::Events => self.events,
            Phase::Receipts => self.receipts,
        };
        self.bar.show(title.of(self.lang), done, of);
    }

    /// Takes them away.
    pub(crate) fn clear(&mut self) {
        self.bar.clear();
    }
}

/// Which log, for programs.
pub(crate) fn identity(identity: LogIdentity) -> Value {
    json!({ "log": identity.log.to_string(), "epoch": identity.epoch.to_string() })
}

impl From<MoveError> for Failure {
    fn from(error: MoveError) -> Self {
        let exit = match &error {
            MoveError::Open(_) => {
                let MoveError::Open(error) = error else { unreachable!("it was one") };
                return error.into();
            }
            MoveError::NoLog(_) | MoveError::Incomplete(_) => Exit::NotFound,
            MoveError::NotEmpty { .. }
            | MoveError::OtherLoad
            | MoveError::OtherExport { .. }
            | MoveError::NewerFormat { .. }
            | MoveError::Sealed
            | MoveError::Read(ReadError::Outdated { .. }) => Exit::Conflict,
            MoveError::Busy | MoveError::Storage(_) | MoveError::Read(ReadError::Unavailable(_)) => {
                Exit::Unavailable
            }
            MoveError::Tree(_) => Exit::Unavailable,
            MoveError::Damaged { .. } | MoveError::Read(ReadError::DataLoss { .. }) => Exit::Unverified,
            MoveError::File(..) => Exit::Other,
        };
        Self::Other { exit, message: chain(&error) }
    }
}
