//! An error as it is told: what, which fields, the request id, and what to do next.

use tonic_types::StatusExt as _;

use crate::failure::{Failure, Refusal};
use crate::i18n::{self, Lang, messages};

/// How many mistakes of a seed are told at once.
const MISTAKES_MAX: usize = 20;

/// The lines that say why a command failed.
pub(super) fn lines(lang: Lang, failure: &Failure) -> Vec<String> {
    match failure {
        Failure::Closed | Failure::Logged(_) => Vec::new(),
        Failure::Refused(refusal) => refused(lang, refusal),
        Failure::Seed(mistakes) => {
            let mut lines = vec![match mistakes.len() {
                1 => messages::SEED_WRONG_ONE.of(lang).to_owned(),
                count => messages::SEED_WRONG.with(lang, &[&count]),
            }];
            lines.extend(mistakes.iter().take(MISTAKES_MAX).map(|mistake| format!("  {mistake}")));
            if mistakes.len() > MISTAKES_MAX {
                lines.push(messages::SEED_MORE.with(lang, &[&(mistakes.len() - MISTAKES_MAX)]));
            }
            lines
        }
        Failure::Play { place, rehearsal, refusal } => {
            let what = if *rehearsal { messages::REHEARSAL_REFUSED } else { messages::PLAY_REFUSED };
            let mut lines = vec![messages::ERROR.with(lang, &[&what.with(lang, &[place])])];
            lines.extend(refused(lang, refusal));
            lines
        }
        Failure::Output(source) => vec![messages::ERROR.with(lang, &[&format!("{failure}: {source}")])],
        Failure::Usage(_) | Failure::Other { .. } => vec![messages::ERROR.with(lang, &[failure])],
    }
}

fn refused(lang: Lang, refusal: &Refusal) -> Vec<String> {
    let status = &refusal.status;
    let details = status.get_error_details();
    let info = details.error_info();
    let reason = info.map(|info| info.reason.as_str());
    let message = if reason.is_none() && status.code() == tonic::Code::Unavailable {
        format!("{} ({})", refusal.server, status.message())
    } else {
        status.message().to_owned()
    };
    let mut lines = vec![match reason {
        Some(reason) => messages::ERROR_WITH_REASON.with(lang, &[&reason, &message]),
        None => messages::ERROR_WITH_REASON.with(lang, &[&format!("{:?}", status.code()), &message]),
    }];
    let mut more = |line: String| lines.push(format!("  {line}"));
    for field in details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default() {
        more(messages::FIELD.with(lang, &[&field.field, &field.description]));
    }
    let named = details.resource_info().map(|resource| &resource.resource_name);
    if let Some(name) = named.filter(|name| !status.message().contains(name.as_str())) {
        more(messages::ABOUT.with(lang, &[name]));
    }
    for violation in
        details.precondition_failure().map(|failed| failed.violations.as_slice()).unwrap_or_default()
    {
        more(messages::ABOUT.with(lang, &[&violation.subject]));
    }
    let mut facts: Vec<_> = info.map(|info| info.metadata.iter().collect()).unwrap_or_default();
    facts.sort();
    for (key, value) in facts.into_iter().filter(|(key, _)| key.as_str() != "request_id") {
        more(messages::FACT.with(lang, &[key, value]));
    }
    if let Some(request_id) = &refusal.request_id {
        more(messages::REQUEST_ID.with(lang, &[request_id]));
    }
    if let Some(next) = i18n::hint(reason, status.code()) {
        more(messages::NEXT.with(lang, &[&next.of(lang)]));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic::{Code, Status};
    use tonic_types::ErrorDetails;

    use super::*;

    fn refusal(status: Status) -> Failure {
        let request_id = Some("0198c0de".to_owned());
        Failure::Refused(Box::new(Refusal { status, server: "http://127.0.0.1:7350".to_owned(), request_id }))
    }

    #[test]
    fn a_refusal_says_reason_fields_request_id_and_next_step() {
        let mut details = ErrorDetails::with_error_info(
            "REASON_REQUIRED",
            "duban",
            HashMap::from([("trace_id".to_owned(), "4bf9".to_owned())]),
        );
        details.add_bad_request_violation("context.reason", "is empty");
        let status = Status::with_error_details(Code::InvalidArgument, "context.reason: is empty", details);
        let en = lines(Lang::En, &refusal(status.clone()));
        assert_eq!(
            en,
            [
                "error REASON_REQUIRED: context.reason: is empty",
                "  field context.reason: is empty",
                "  trace_id: 4bf9",
                "  request id: 0198c0de",
                "  next: say why with --reason",
            ]
        );
        let zh = lines(Lang::Zh, &refusal(status));
        assert_eq!(
            (zh[0].as_str(), zh[4].as_str()),
            ("错误 REASON_REQUIRED：context.reason: is empty", "  下一步：用 --reason 说明理由")
        );
    }

    #[test]
    fn an_unreachable_server_is_named() {
        let said = lines(Lang::En, &refusal(Status::unavailable("tcp connect error")));
        assert_eq!(said[0], "error Unavailable: http://127.0.0.1:7350 (tcp connect error)");
        assert!(said[2].contains("duban serve"), "{said:?}");
    }
}
