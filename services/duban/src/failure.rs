//! Why a command failed, and with which exit code the program says so.

use std::io;
use std::process::ExitCode;

use duban_log::OpenError;
use tonic::{Code, Status};

use crate::import::Problem;

/// The exit codes, part of the command line's promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It is done.
    Ok = 0,
    /// It failed for a reason that is none of the others.
    Other = 1,
    /// It can't be meant like that: mend the command line or the request.
    Usage = 2,
    /// What is named is not there.
    NotFound = 3,
    /// The caller may not.
    NotAllowed = 4,
    /// The state of things forbids it, or it has changed.
    Conflict = 5,
    /// The server can't be reached or can't answer now.
    Unavailable = 6,
    /// What is recorded is not what it should be.
    Unverified = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// Of a status, as the server answered it.
    pub(crate) fn of(code: Code) -> Self {
        match code {
            Code::Ok => Self::Ok,
            Code::InvalidArgument => Self::Usage,
            Code::NotFound => Self::NotFound,
            Code::PermissionDenied | Code::Unauthenticated => Self::NotAllowed,
            Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition | Code::OutOfRange => {
                Self::Conflict
            }
            Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => Self::Unavailable,
            Code::DataLoss => Self::Unverified,
            Code::Cancelled | Code::Unknown | Code::Unimplemented | Code::Internal => Self::Other,
        }
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What was typed can't be meant.
    #[error("{0}")]
    Usage(String),
    /// The server refused a call, or couldn't be reached.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// A seed is wrong; nothing was sent.
    #[error("the seed is wrong")]
    Seed(Vec<Problem>),
    /// A command of a seed was refused: in the rehearsal (nothing was sent), or by the services.
    #[error("{place}: {refusal}")]
    Play {
        /// Where the command stands.
        place: String,
        /// Whether it was played into the throw-away log.
        rehearsal: bool,
        /// What the services said.
        refusal: Box<Refusal>,
    },
    /// Nobody reads what is printed: no failure at all.
    #[error("the output is closed")]
    Closed,
    /// The output can't be written.
    #[error("the output can't be written")]
    Output(#[source] io::Error),
    /// The server has ended, and its own log says why.
    #[error("the log lines say why")]
    Logged(Exit),
    /// Anything else, in words for people.
    #[error("{message}")]
    Other {
        /// With which code to end.
        exit: Exit,
        /// What happened.
        message: String,
    },
}

/// A call that failed.
#[derive(Debug, thiserror::Error)]
#[error("{}", status.message())]
pub(crate) struct Refusal {
    /// What the server said.
    pub(crate) status: Status,
    /// Where it was sent.
    pub(crate) server: String,
    /// The command's request id; none of a query.
    pub(crate) request_id: Option<String>,
}

impl Failure {
    /// With which code the program ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Seed(_) => Exit::Usage,
            Self::Refused(refusal) | Self::Play { refusal, .. } => Exit::of(refusal.status.code()),
            Self::Closed => Exit::Ok,
            Self::Output(_) => Exit::Other,
            Self::Logged(exit) | Self::Other { exit, .. } => *exit,
        }
    }

    /// A failure of our own, in words.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self::Other { exit: Exit::Other, message: message.into() }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let exit = match &error {
            OpenError::InUse(_)
            | OpenError::Folder(..)
            | OpenError::Storage(_)
            | OpenError::NoAnswer
            | OpenError::Read(_) => Exit::Unavailable,
            OpenError::Address(_) => Exit::Usage,
            OpenError::NewerSchema { .. }
            | OpenError::OlderSchema { .. }
            | OpenError::HalfLoaded
            | OpenError::NotALog(_)
            | OpenError::OldServer { .. }
            | OpenError::NotDurable(_)
            | OpenError::Role(_)
            | OpenError::NoPostgres(_)
            | OpenError::Migration(_) => Exit::Conflict,
        };
        Self::Other { exit, message: chain(&error) }
    }
}

/// An error with its causes. Some repeat their cause in their own words: that is said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    causes.fold(
        error.to_string(),
        |said, cause| {
            if said.ends_with(&cause) { said } else { format!("{said}: {cause}") }
        },
    )
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Output(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_exit() {
        let table = [
            (Code::Ok, 0),
            (Code::InvalidArgument, 2),
            (Code::NotFound, 3),
            (Code::PermissionDenied, 4),
            (Code::Unauthenticated, 4),
            (Code::AlreadyExists, 5),
            (Code::Aborted, 5),
            (Code::FailedPrecondition, 5),
            (Code::OutOfRange, 5),
            (Code::Unavailable, 6),
            (Code::DeadlineExceeded, 6),
            (Code::ResourceExhausted, 6),
            (Code::DataLoss, 7),
            (Code::Internal, 1),
            (Code::Unknown, 1),
            (Code::Unimplemented, 1),
            (Code::Cancelled, 1),
        ];
        for (code, exit) in table {
            assert_eq!(Exit::of(code) as u8, exit, "{code:?}");
        }
    }

    #[test]
    fn a_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{said}")]
        struct Told {
            said: &'static str,
            source: Option<Box<Told>>,
        }
        let root = Told { said: "refused", source: None };
        let repeats = Told { said: "can't connect: refused", source: Some(Box::new(root)) };
        assert_eq!(
            chain(&Told { said: "away", source: Some(Box::new(repeats)) }),
            "away: can't connect: refused"
        );
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).exit(), Exit::Ok);
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::StorageFull)).exit(), Exit::Other);
    }
}
