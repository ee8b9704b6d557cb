//! The messages that every call shares, to and from the domain's types.

use duban_domain::command::{Basis, Context, READINGS_MAX};
use duban_domain::{Date, Position, Timestamp};
use duban_proto::call::v1 as pb;
use uuid::Uuid;

use crate::call::Call;
use crate::error::Error;
use crate::validate::{Field, Fields, date, line, name, text, uuid};

/// The longest document number (发文字号), in code points.
const DOCUMENT_NUMBER_MAX: usize = 100;
/// The longest reason, in code points.
const REASON_MAX: usize = duban_domain::text::TEXT_MAX;
/// The longest etag taken, in bytes: longer is none of ours.
const ETAG_MAX: usize = 128;

/// What every command brings beside its own fields.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The caller's id for it: a retry brings the same.
    pub request_id: Uuid,
    /// The civil date from which it shall hold.
    pub effective_on: Option<Date>,
    /// The etag that the caller saw.
    pub etag: Option<String>,
    /// Check everything, write nothing.
    pub validate_only: bool,
    /// Why.
    pub context: Context,
}

/// How fresh an answer must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Freshness {
    /// At least the head that was found on arrival.
    #[default]
    Head,
    /// Whatever the view knows.
    Any,
    /// At least this position.
    AtLeast(Position),
}

/// What the log knew when: the second clock of a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Known {
    /// All that it knows.
    #[default]
    Now,
    /// What was recorded at or before an instant.
    At(Timestamp),
    /// What was recorded by the end of a day in Shanghai.
    On(Date),
    /// The first so many events.
    Position(Position),
}

/// As of when a question is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AsOf {
    /// The date in the world; `None`: today.
    pub valid_on: Option<Date>,
    /// What was known.
    pub known: Known,
}

impl Call {
    /// Reads a command: what every one carries, then its own fields by `read`; all violations at once.
    pub fn command<C>(
        &self,
        context: Option<pb::CommandContext>,
        read: impl FnOnce(&mut Fields) -> Field<C>,
    ) -> Result<(Asked, C), Error> {
        // Noted even if the rest can't be taken, so that the failure names the request.
        if let Some(Ok(id)) = context.as_ref().map(|context| uuid(&context.request_id)) {
            self.note_request_id(id);
        }
        Fields::read(|f| {
            let asked = f.message("context", context, asked);
            let command = read(f);
            Ok((asked?, command?))
        })
    }
}

fn asked(f: &mut Fields, context: pb::CommandContext) -> Field<Asked> {
    let pb::CommandContext {
        request_id,
        effective_on,
        on_behalf_of,
        basis,
        reason,
        readings,
        etag,
        validate_only,
    } = context;
    let request_id = f.one("request_id", request_id, uuid);
    let effective_on = f.maybe("effective_on", effective_on, date);
    let context = crate::gather!(Context {
        on_behalf_of: f.maybe("on_behalf_of", on_behalf_of, name),
        basis: f.maybe_message("basis", basis, basis_of),
        reason: f.maybe("reason", reason, text(REASON_MAX)),
        readings: f.many("readings", readings, READINGS_MAX, name),
    });
    let etag =
        f.maybe(
            "etag",
            etag,
            |etag| {
                if etag.len() <= ETAG_MAX { Ok(etag.to_owned()) } else { Err("is no etag") }
            },
        );
    Ok(Asked {
        request_id: request_id?,
        effective_on: effective_on?,
        etag: etag?,
        validate_only,
        context: context?,
    })
}

fn basis_of(f: &mut Fields, basis: pb::Basis) -> Field<Basis> {
    let pb::Basis { document, clause, document_number } = basis;
    let basis: Basis = crate::gather!(Basis {
        document: f.maybe("document", document, name),
        clause: f.maybe("clause", clause, name),
        document_number: f.maybe("document_number", document_number, line(DOCUMENT_NUMBER_MAX)),
    })?;
    let named = basis.document.is_some() || basis.clause.is_some() || basis.document_number.is_some();
    f.check(named, "", "must name a document, a clause or a document number")?;
    let fits = |clause: &duban_domain::name::ClauseId| {
        basis.document.as_ref().is_none_or(|d| d == clause.document())
    };
    f.check(basis.clause.as_ref().is_none_or(fits), "clause", "is no clause of the document")?;
    Ok(basis)
}

impl Fields {
    /// How fresh the answer must be.
    pub fn freshness(&mut self, consistency: Option<pb::Consistency>) -> Freshness {
        use pb::consistency::Requirement::{AtLeastAsFresh, MinimizeLatency};
        match consistency.and_then(|consistency| consistency.requirement) {
            None | Some(MinimizeLatency(false)) => Freshness::Head,
            Some(MinimizeLatency(true)) => Freshness::Any,
            Some(AtLeastAsFresh(position)) => Freshness::AtLeast(position),
        }
    }

    /// As of when the question is asked.
    pub fn as_of(&mut self, as_of: Option<pb::AsOf>) -> Field<AsOf> {
        use pb::as_of::Known as Wire;
        let Some(pb::AsOf { valid_on, known }) = as_of else { return Ok(AsOf::default()) };
        let valid_on = self.maybe("as_of.valid_on", valid_on, date);
        let known = match known {
            None => Ok(Known::Now),
            Some(Wire::KnownAt(at)) => self.instant("as_of.known_at", at).map(Known::At),
            Some(Wire::KnownOn(on)) => self.one("as_of.known_on", on, date).map(Known::On),
            Some(Wire::Position(position)) => Ok(Known::Position(position)),
        };
        Ok(AsOf { valid_on: valid_on?, known: known? })
    }
}

/// An instant on the wire, where a fraction counts forward even before 1970.
pub fn instant(at: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = (at.as_second(), at.subsec_nanosecond());
    if nanos < 0 {
        return prost_types::Timestamp { seconds: seconds - 1, nanos: nanos + 1_000_000_000 };
    }
    prost_types::Timestamp { seconds, nanos }
}
