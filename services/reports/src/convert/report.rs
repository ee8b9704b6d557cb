//! Reports.

use duban_domain::name::ReportId;
use duban_domain::report::{FINDINGS_MAX, Finding, ITEMS_MAX, Item, ReportCommand};
use duban_log::{LogIdentity, Request};
use duban_proto::call::v1::ProgressLevel;
use duban_proto::reports::v1 as pb;
use duban_rpc::filter::Kind;
use duban_rpc::validate::{id, name, text};
use duban_rpc::{AsOf, Call, Error, Field, Fields, Filter, Page, gather};

/// The longest text of an item or a finding, in code points.
const WORDS_MAX: usize = 4_000;
/// The one field that a revision may change.
const REVISED: [&str; 1] = ["items"];
/// What reports are filtered by: columns of the view.
const FILTERED: &[(&str, Kind)] =
    &[("cycle", Kind::Text), ("agency", Kind::Text), ("stage", Kind::Choice(&STAGES)), ("late", Kind::Flag)];
/// The words of stages in filters.
const STAGES: [&str; 7] =
    ["DRAFT", "ENDORSED", "SUBMITTED", "RECEIVED", "ACCEPTED", "RETURNED", "SUPERSEDED"];

type Read = Result<(Request, ReportCommand), Error>;

pub(crate) fn draft(call: &Call, request: pb::DraftReportRequest) -> Read {
    let pb::DraftReportRequest { context, cycle, report_id, items: given } = request;
    // Whoever comes in the role of an agency has said which.
    let agency = call.caller().agency.clone().ok_or_else(|| Error::forbidden("ROLE_NOT_ALLOWED"))?;
    call.command(context, |f| {
        gather!(ReportCommand::Draft {
            cycle: f.one("cycle", cycle, name),
            agency: Ok(agency),
            report: f.maybe("report_id", report_id, id(ReportId::from_id)),
            items: items(f, given),
        })
    })
}

pub(crate) fn revise(call: &Call, request: pb::ReviseReportRequest) -> Read {
    let pb::ReviseReportRequest { context, report, update_mask } = request;
    call.command(context, |f| {
        let mask = f.mask("update_mask", update_mask, &REVISED);
        let command = f.message("report", report, |f, report| {
            // What a revision can't change is the server's to say: whatever stands there is passed over.
            let pb::Report {
                name: report,
                cycle: _,
                agency: _,
                obligation: _,
                stage: _,
                items: given,
                late: _,
                round: _,
                corrects: _,
                superseded_by: _,
                findings: _,
                return_reason: _,
                drafted_on: _,
                endorsed_on: _,
                submitted_on: _,
                received_on: _,
                accepted_on: _,
                returned_on: _,
                etag: _,
                because: _,
            } = report;
            gather!(ReportCommand::Revise { report: f.one("name", report, name), items: items(f, given) })
        });
        mask.and(command)
    })
}

fn items(f: &mut Fields, given: Vec<pb::ReportItem>) -> Field<Vec<Item>> {
    f.each("items", given, ITEMS_MAX, |f, item| {
        let pb::ReportItem { task, progress, self_assessment, difficulties, next_steps, evidence } = item;
        // A draft may leave it open until it is endorsed.
        let open = self_assessment == i32::from(ProgressLevel::Unspecified);
        gather!(Item {
            task: f.one("task", task, name),
            progress: f.maybe("progress", progress, text(WORDS_MAX)),
            self_assessment: (!open).then(|| f.level("self_assessment", self_assessment)).transpose(),
            difficulties: f.maybe("difficulties", difficulties, text(WORDS_MAX)),
            next_steps: f.maybe("next_steps", next_steps, text(WORDS_MAX)),
            evidence: f.evidence("evidence", evidence),
        })
    })
}

pub(crate) fn give_back(call: &Call, request: pb::ReturnReportRequest) -> Read {
    let pb::ReturnReportRequest { context, report, findings } = request;
    call.command(context, |f| {
        let named = f.check(!findings.is_empty(), "findings", "is required");
        let command = gather!(ReportCommand::Return {
            report: f.one("report", report, name),
            findings: f.each("findings", findings, FINDINGS_MAX, finding),
        });
        named.and(command)
    })
}

fn finding(f: &mut Fields, finding: pb::Finding) -> Field<Finding> {
    let pb::Finding { task, text: words } = finding;
    gather!(Finding { task: f.maybe("task", task, name), text: f.one("text", words, text(WORDS_MAX)) })
}

pub(crate) fn correct(call: &Call, request: pb::CorrectReportRequest) -> Read {
    let pb::CorrectReportRequest { context, report, report_id } = request;
    call.command(context, |f| {
        gather!(ReportCommand::Correct {
            report: f.one("report", report, name),
            correction: f.maybe("report_id", report_id, id(ReportId::from_id)),
        })
    })
}

/// The commands that say nothing but which report.
macro_rules! of_a_report {
    ($($read:ident: $request:ident => $command:ident,)*) => {
        $(pub(crate) fn $read(call: &Call, request: pb::$request) -> Read {
            let pb::$request { context, report } = request;
            call.command(context, |f| gather!(ReportCommand::$command { report: f.one("report", report, name) }))
        })*
    };
}

of_a_report! {
    endorse: EndorseReportRequest => Endorse,
    submit: SubmitReportRequest => Submit,
    receive: ReceiveReportRequest => Receive,
    accept: AcceptReportRequest => Accept,
}

/// Which report, as of when.
pub(crate) fn get_report(request: pb::GetReportRequest) -> Result<(ReportId, AsOf), Error> {
    let pb::GetReportRequest { name: report, as_of, consistency } = request;
    Fields::read(|f| {
        let report = f.one("name", report, name);
        let as_of = f.as_of(as_of, consistency);
        Ok((report?, as_of?))
    })
}

/// Which page of which reports, as of when.
pub(crate) fn list_reports(
    call: &Call,
    log: LogIdentity,
    request: pb::ListReportsRequest,
) -> Result<(Page, Filter, AsOf), Error> {
    let query = pb::ListReportsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
    let pb::ListReportsRequest { page_size, page_token, filter, as_of, consistency } = request;
    Fields::read(|f| {
        let page = f.page(page_size, &page_token, &query, &call.scope(log));
        let filter = f.filter(&filter, FILTERED);
        let as_of = f.as_of(as_of, consistency);
        Ok((page?, filter?, as_of?))
    })
}
