//! The requests that the tests make most, and who makes them.

use std::sync::atomic::{AtomicU64, Ordering};

use duban_proto::call::v1::{AsOf, CommandContext, ProgressLevel, as_of};
use duban_proto::reports::v1 as pb;
use prost_types::FieldMask;
use tonic::{Response, Status};
use uuid::Uuid;

use crate::support::{Service, auditor, coordinator, officer, said, supervisor};

/// The cycle that most tests are about.
pub(crate) const CYCLE: &str = "cycles/2026";
/// Its due day.
pub(crate) const DUE: &str = "2026-12-20";

/// What a command carries, with a request id of its own.
pub(crate) fn context() -> CommandContext {
    static REQUESTS: AtomicU64 = AtomicU64::new(1);
    let id = Uuid::from_u128(REQUESTS.fetch_add(1, Ordering::Relaxed).into());
    CommandContext { request_id: id.to_string(), reason: "因为".to_owned(), ..Default::default() }
}

/// Valid on a day, as known now.
pub(crate) fn valid_on(day: &str) -> AsOf {
    AsOf { valid_on: Some(day.to_owned()), known: None }
}

/// Valid on a day, as known at a position.
pub(crate) fn known_at(day: &str, position: u64) -> AsOf {
    AsOf { valid_on: Some(day.to_owned()), known: Some(as_of::Known::Position(position)) }
}

/// The obligation of an agency.
pub(crate) fn obligation(agency: &str) -> String {
    format!("{CYCLE}/obligations/{agency}")
}

/// The report that an agency drafts.
pub(crate) fn report(agency: &str) -> String {
    format!("reports/{agency}-2026")
}

pub(crate) fn opening(year: u32) -> pb::OpenCycleRequest {
    let due_on = Some(format!("{year}-12-20"));
    pb::OpenCycleRequest { context: Some(context()), year, due_on, holders_on: None, rule: None }
}

pub(crate) fn drafting(agency: &str) -> pb::DraftReportRequest {
    pb::DraftReportRequest {
        context: Some(context()),
        cycle: CYCLE.to_owned(),
        report_id: Some(format!("{agency}-2026")),
        items: vec![],
    }
}

/// An item that says enough to be endorsed.
pub(crate) fn item(task: &str, progress: &str) -> pb::ReportItem {
    pb::ReportItem {
        task: format!("tasks/{task}"),
        progress: progress.to_owned(),
        self_assessment: ProgressLevel::Substantial.into(),
        ..Default::default()
    }
}

pub(crate) fn revising(report: &str, items: Vec<pb::ReportItem>) -> pb::ReviseReportRequest {
    pb::ReviseReportRequest {
        context: Some(context()),
        report: Some(pb::Report { name: report.to_owned(), items, ..Default::default() }),
        update_mask: Some(FieldMask { paths: vec!["items".to_owned()] }),
    }
}

pub(crate) fn returning(report: &str, words: &str) -> pb::ReturnReportRequest {
    let findings = vec![pb::Finding { task: None, text: words.to_owned() }];
    pb::ReturnReportRequest { context: Some(context()), report: report.to_owned(), findings }
}

pub(crate) fn correcting(report: &str, id: &str) -> pb::CorrectReportRequest {
    pb::CorrectReportRequest {
        context: Some(context()),
        report: report.to_owned(),
        report_id: Some(id.to_owned()),
    }
}

/// A request that says nothing but which.
macro_rules! step {
    ($($name:ident: $request:ident { $field:ident },)*) => {
        $(pub(crate) fn $name(name: &str) -> pb::$request {
            pb::$request { context: Some(context()), $field: name.to_owned() }
        })*
    };
}

step! {
    waiving: WaiveObligationRequest { obligation },
    endorsing: EndorseReportRequest { report },
    submitting: SubmitReportRequest { report },
    receiving: ReceiveReportRequest { report },
    accepting: AcceptReportRequest { report },
}

impl Service {
    pub(crate) async fn open_cycle(&self, year: u32) -> pb::OpenCycleResponse {
        said(self.cycles.clone().open_cycle(coordinator(opening(year))).await)
    }

    /// The scene of three agencies with its cycle open and both obligations in it.
    pub(crate) async fn with_open_cycle() -> Self {
        let service = Self::start().await;
        service.with_three_agencies().await;
        service.open_cycle(2026).await;
        service.tick().await;
        service
    }

    pub(crate) async fn waive(
        &self,
        request: tonic::Request<pb::WaiveObligationRequest>,
    ) -> Result<Response<pb::WaiveObligationResponse>, Status> {
        self.cycles.clone().waive_obligation(request).await
    }

    pub(crate) async fn draft(&self, agency: &str) -> pb::Report {
        let reply = said(self.reports.clone().draft_report(officer(agency, drafting(agency))).await);
        reply.report.unwrap()
    }

    /// Fills in every item of an agency's report, and endorses it.
    pub(crate) async fn endorse(&self, agency: &str, name: &str, progress: &str) -> pb::Report {
        let found =
            self.report(officer(agency, asking(name, None))).await.unwrap().into_inner().report.unwrap();
        let items = found.items.iter().map(|known| item(known.task.trim_start_matches("tasks/"), progress));
        let revise = revising(name, items.collect());
        said(self.reports.clone().revise_report(officer(agency, revise)).await);
        let reply = said(self.reports.clone().endorse_report(officer(agency, endorsing(name))).await);
        reply.report.unwrap()
    }

    pub(crate) async fn submit(&self, agency: &str, name: &str) -> pb::Report {
        let reply = said(self.reports.clone().submit_report(officer(agency, submitting(name))).await);
        reply.report.unwrap()
    }

    /// From nothing to submitted.
    pub(crate) async fn deliver(&self, agency: &str) -> pb::Report {
        let name = self.draft(agency).await.name;
        self.endorse(agency, &name, "完成年度任务").await;
        self.submit(agency, &name).await
    }

    /// Receives and accepts a report as the coordinator.
    pub(crate) async fn accept(&self, name: &str) -> pb::Report {
        said(self.reports.clone().receive_report(coordinator(receiving(name))).await);
        said(self.reports.clone().accept_report(coordinator(accepting(name))).await).report.unwrap()
    }

    pub(crate) async fn cycle(&self, as_of: AsOf) -> Result<Response<pb::GetCycleResponse>, Status> {
        let request = pb::GetCycleRequest { name: CYCLE.to_owned(), as_of: Some(as_of), consistency: None };
        self.cycles.clone().get_cycle(auditor(request)).await
    }

    pub(crate) async fn owed(
        &self,
        agency: &str,
        as_of: AsOf,
    ) -> Result<Response<pb::GetObligationResponse>, Status> {
        let request =
            pb::GetObligationRequest { name: obligation(agency), as_of: Some(as_of), consistency: None };
        self.cycles.clone().get_obligation(auditor(request)).await
    }

    /// The agencies with obligations that pass a filter.
    pub(crate) async fn owing(&self, filter: &str, as_of: AsOf) -> Vec<String> {
        let request = pb::ListObligationsRequest {
            parent: CYCLE.to_owned(),
            filter: filter.to_owned(),
            as_of: Some(as_of),
            ..Default::default()
        };
        let reply = said(self.cycles.clone().list_obligations(supervisor(request)).await);
        let id = |owed: pb::Obligation| owed.agency.trim_start_matches("agencies/").to_owned();
        reply.obligations.into_iter().map(id).collect()
    }

    pub(crate) async fn report(
        &self,
        request: tonic::Request<pb::GetReportRequest>,
    ) -> Result<Response<pb::GetReportResponse>, Status> {
        self.reports.clone().get_report(request).await
    }

    /// The names of the reports that pass a filter, as somebody sees them.
    pub(crate) async fn listed(
        &self,
        who: impl Fn(pb::ListReportsRequest) -> tonic::Request<pb::ListReportsRequest>,
        filter: &str,
    ) -> Vec<String> {
        let request = pb::ListReportsRequest { filter: filter.to_owned(), ..Default::default() };
        let reply = said(self.reports.clone().list_reports(who(request)).await);
        reply.reports.into_iter().map(|report| report.name).collect()
    }
}

pub(crate) fn asking(name: &str, as_of: Option<AsOf>) -> pb::GetReportRequest {
    pb::GetReportRequest { name: name.to_owned(), as_of, consistency: None }
}
