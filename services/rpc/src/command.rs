//! What every command carries and every command answers with (`duban/call/v1/command.proto`).

use duban_domain::Timestamp;
use duban_domain::command::{Basis, Context, READINGS_MAX};
use duban_domain::name::ClauseId;
use duban_domain::text::TEXT_MAX;
use duban_log::{LogIdentity, Outcome, Receipt, Request};
use duban_proto::call::v1 as pb;

use crate::call::Call;
use crate::error::Error;
use crate::validate::{Field, Fields, date, line, name, text, uuid};

/// The longest document number (发文字号), in code points.
const DOCUMENT_NUMBER_MAX: usize = 100;
/// The longest etag taken, in bytes: longer is none of ours.
const ETAG_MAX: usize = 128;

impl Call {
    /// Reads a command: what every one carries, then its own fields by `read`; all violations at once.
    pub fn command<C>(
        &self,
        context: Option<pb::CommandContext>,
        read: impl FnOnce(&mut Fields) -> Field<C>,
    ) -> Result<(Request, C), Error> {
        // Noted even if the rest can't be taken, so that the failure names the request.
        if let Some(Ok(id)) = context.as_ref().map(|context| uuid(&context.request_id)) {
            self.note_request_id(id);
        }
        Fields::read(|f| {
            let request = f.message("context", context, |f, context| self.request(f, context));
            let command = read(f);
            Ok((request?, command?))
        })
    }

    fn request(&self, f: &mut Fields, context: pb::CommandContext) -> Field<Request> {
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
        let etag = f.maybe("etag", etag, |etag| {
            if etag.len() <= ETAG_MAX { Ok(etag.to_owned()) } else { Err("is no etag") }
        });
        let context = crate::gather!(Context {
            on_behalf_of: f.maybe("on_behalf_of", on_behalf_of, name),
            basis: f.maybe_message("basis", basis, basis_of),
            reason: f.maybe("reason", reason, text(TEXT_MAX)),
            readings: f.many("readings", readings, READINGS_MAX, name),
        });
        Ok(Request {
            caller: self.caller().clone(),
            request_id: request_id?,
            context: context?,
            effective_on: effective_on?,
            etag: etag?,
            validate_only,
            rpc: self.rpc(),
            correlation: None,
            causation: None,
            trace_id: self.trace_id().map(ToOwned::to_owned),
        })
    }
}

fn basis_of(f: &mut Fields, basis: pb::Basis) -> Field<Basis> {
    let pb::Basis { document, clause, document_number } = basis;
    let basis: Basis = crate::gather!(Basis {
        document: f.maybe("document", document, name),
        clause: f.maybe("clause", clause, name),
        document_number: f.maybe("document_number", document_number, line(DOCUMENT_NUMBER_MAX)),
    })?;
    let Basis { document, clause, document_number } = &basis;
    let named = document.is_some() || clause.is_some() || document_number.is_some();
    f.check(named, "", "must name a document, a clause or a document number")?;
    let fits = |clause: &ClauseId| document.as_ref().is_none_or(|document| document == clause.document());
    f.check(clause.as_ref().is_none_or(fits), "clause", "is no clause of the document")?;
    Ok(basis)
}

/// The receipt of an outcome; none of what was only asked.
pub fn receipt<C>(outcome: &Outcome<C>, log: LogIdentity) -> Option<pb::Receipt> {
    let Receipt { first, last, recorded_at } = outcome.receipt?;
    Some(pb::Receipt {
        first_position: first,
        last_position: last,
        recorded_at: Some(instant(recorded_at)),
        log: Some(identity(log)),
    })
}

/// A log's identity on the wire.
pub fn identity(log: LogIdentity) -> pb::LogIdentity {
    pb::LogIdentity { log: log.log.to_string(), epoch: log.epoch.to_string() }
}

/// An instant on the wire, where a fraction counts forward even before 1970.
pub fn instant(at: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = (at.as_second(), at.subsec_nanosecond());
    if nanos < 0 {
        return prost_types::Timestamp { seconds: seconds - 1, nanos: nanos + 1_000_000_000 };
    }
    prost_types::Timestamp { seconds, nanos }
}

#[cfg(test)]
mod tests {
    use duban_domain::Role;
    use tonic::Status;
    use tonic_types::StatusExt as _;

    use super::*;
    use crate::call::tests::call;

    const RENAME: &str = "/duban.agencies.v1.AgencyService/RenameAgency";

    fn good() -> pb::CommandContext {
        pb::CommandContext {
            request_id: "018f2f3e-7b1c-7c2a-9f00-1234567890ab".to_owned(),
            effective_on: Some("2026-01-02".to_owned()),
            on_behalf_of: Some("agencies/fgw".to_owned()),
            basis: Some(pb::Basis { clause: "documents/d/clauses/c".to_owned(), ..Default::default() }),
            reason: "因为".to_owned(),
            readings: vec!["documents/d/readings/r".to_owned()],
            etag: "7".to_owned(),
            validate_only: true,
        }
    }

    fn read(context: Option<pb::CommandContext>) -> Result<Request, Error> {
        let call = call(RENAME, Role::Supervisor).unwrap();
        call.command(context, |_| Ok(())).map(|(request, ())| request)
    }

    fn refused(change: impl FnOnce(&mut pb::CommandContext)) -> Vec<String> {
        let mut context = good();
        change(&mut context);
        let details = Status::from(read(Some(context)).unwrap_err()).get_error_details();
        details.bad_request().unwrap().field_violations.iter().map(|v| v.field.clone()).collect()
    }

    #[test]
    fn a_context_is_read_whole() {
        let request = read(Some(good())).unwrap();
        assert_eq!(request.rpc, RENAME);
        assert_eq!(request.effective_on.unwrap().to_string(), "2026-01-02");
        assert_eq!(request.context.basis.unwrap().clause.unwrap().id(), "c");
        assert_eq!(request.context.readings[0].to_string(), "documents/d/readings/r");
        assert!(request.validate_only && request.etag.as_deref() == Some("7"));
    }

    #[test]
    fn a_minimal_context_is_a_request_id() {
        let context = pb::CommandContext { request_id: good().request_id, ..Default::default() };
        let request = read(Some(context)).unwrap();
        assert!(request.effective_on.is_none() && request.etag.is_none() && request.context.reason.is_none());
    }

    #[test]
    fn what_cannot_be_taken_is_told_by_its_path() {
        assert_eq!(refused(|c| c.request_id.clear()), ["context.request_id"]);
        assert_eq!(refused(|c| c.request_id = "1".into()), ["context.request_id"]);
        assert_eq!(refused(|c| c.effective_on = Some("1900-01-01".into())), ["context.effective_on"]);
        assert_eq!(refused(|c| c.on_behalf_of = Some("fgw".into())), ["context.on_behalf_of"]);
        assert_eq!(refused(|c| c.reason = "a\0".into()), ["context.reason"]);
        assert_eq!(refused(|c| c.readings.push("x".into())), ["context.readings[1]"]);
        assert_eq!(refused(|c| c.readings = vec!["documents/d/readings/r".into(); 9]), ["context.readings"]);
        assert_eq!(refused(|c| c.etag = "x".repeat(200)), ["context.etag"]);
        assert_eq!(refused(|c| c.basis = Some(pb::Basis::default())), ["context.basis"]);
        let elsewhere = |c: &mut pb::CommandContext| {
            c.basis.as_mut().unwrap().document = "documents/other".into();
        };
        assert_eq!(refused(elsewhere), ["context.basis.clause"]);
        let missing = Status::from(read(None).unwrap_err()).get_error_details();
        assert_eq!(missing.bad_request().unwrap().field_violations[0].field, "context");
    }

    #[test]
    fn instants_before_1970_count_forward() {
        let wire = instant(Timestamp::from_microsecond(-1).unwrap());
        assert_eq!((wire.seconds, wire.nanos), (-1, 999_999_000));
    }
}
