//! The door of reports.

use duban_domain::caller::Caller;
use duban_domain::name::ReportId;
use duban_domain::report::{Report, ReportCommand, Stage};
use duban_domain::{Reason, Rejection, Role, Subject};
use duban_log::views::Of;
use duban_log::{ExecuteError, Request as Asked};
use duban_proto::call::v1::Receipt;
use duban_proto::reports::v1 as pb;
use duban_proto::reports::v1::report_service_server::ReportService;
use duban_rpc::rows::Conditions;
use duban_rpc::{Call, Error, not_found, receipt};
use tonic::{Request, Response, Status};

use super::ReportsDoor;
use crate::views::Reports;
use crate::{convert, render};

impl ReportsDoor {
    /// Executes a command: the report as it is after it.
    async fn execute(
        &self,
        call: &Call,
        asked: &Asked,
        command: ReportCommand,
    ) -> Result<(Option<pb::Report>, Option<Receipt>), Error> {
        let outcome = match self.log.execute(asked, command).await {
            Ok(outcome) => outcome,
            Err(ExecuteError::Rejected(no)) if call.role() == Role::Agency => {
                return Err(self.veiled(call, no).await?);
            }
            Err(error) => return Err(error.into()),
        };
        let report = outcome.world.report(outcome.command.shown())?;
        Ok((Some(render::report(report, self.shown_on(&outcome))), receipt(&outcome, self.log.identity())))
    }

    /// What an agency hears of a refusal: a report that isn't there sounds like another agency's, and of
    /// another's it learns not even the etag.
    async fn veiled(&self, call: &Call, no: Rejection) -> Result<Error, Error> {
        let own = match no.reason {
            Reason::ReportNotFound => false,
            Reason::EtagMismatch => match no.subject.parse::<ReportId>() {
                Ok(report) => {
                    let world =
                        self.log.fold(&[Subject::Report(report.clone())], self.log.head().await?).await?;
                    world.find_report(&report).is_some_and(|report| call.caller().acts_for(&report.agency))
                }
                Err(_) => true,
            },
            _ => true,
        };
        Ok(if own { no.into() } else { not_yours() })
    }
}

/// What is another's, or nobody's, in the same words.
fn not_yours() -> Error {
    Error::forbidden(Reason::NotYours.as_str())
}

/// Whether the caller may read the report: its own agency may, others only what is no draft any more, and
/// agencies none but their own. Whoever audits reads no draft at all.
fn may_read(caller: &Caller, report: &Report) -> bool {
    let own = caller.acts_for(&report.agency);
    let out = report.stage != Stage::Draft;
    match caller.role {
        Role::Agency => own,
        Role::Supervisor | Role::Coordinator => own || out,
        Role::Auditor => out,
        Role::Sysadmin | Role::Secadmin | Role::System => false,
    }
}

/// The same as a condition on the rows of a list.
fn readable(caller: &Caller) -> Conditions {
    let own = caller.agency.as_ref().map(ToString::to_string).unwrap_or_default();
    match caller.role {
        Role::Agency => Conditions::none().equal("agency", own),
        Role::Supervisor | Role::Coordinator => {
            Conditions::none().and("(draft = 0 OR agency = $?)", [own.into()])
        }
        Role::Auditor => Conditions::none().equal("draft", 0_i64),
        Role::Sysadmin | Role::Secadmin | Role::System => Conditions::none().and("1 = 0", []),
    }
}

#[tonic::async_trait]
impl ReportService for ReportsDoor {
    async fn draft_report(
        &self,
        request: Request<pb::DraftReportRequest>,
    ) -> Result<Response<pb::DraftReportResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::draft(&call, request.into_inner())?;
        let (report, receipt) = self.execute(&call, &asked, command).await?;
        Ok(Response::new(pb::DraftReportResponse { report, receipt }))
    }

    async fn revise_report(
        &self,
        request: Request<pb::ReviseReportRequest>,
    ) -> Result<Response<pb::ReviseReportResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::revise(&call, request.into_inner())?;
        let (report, receipt) = self.execute(&call, &asked, command).await?;
        Ok(Response::new(pb::ReviseReportResponse { report, receipt }))
    }

    async fn endorse_report(
        &self,
        request: Request<pb::EndorseReportRequest>,
    ) -> Result<Response<pb::EndorseReportResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::endorse(&call, request.into_inner())?;
        let (report, receipt) = self.execute(&call, &asked, command).await?;
        Ok(Response::new(pb::EndorseReportResponse { report, receipt }))
    }

    async fn submit_report(
        &self,
        request: Request<pb::SubmitReportRequest>,
    ) -> Result<Response<pb::SubmitReportResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::submit(&call, request.into_inner())?;
        let (report, receipt) = self.execute(&call, &asked, command).await?;
        Ok(Response::new(pb::SubmitReportResponse { report, receipt }))
    }

    async fn receive_report(
        &self,
        request: Request<pb::ReceiveReportRequest>,
    ) -> Result<Response<pb::ReceiveReportResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::receive(&call, request.into_inner())?;
        let (report, receipt) = self.execute(&call, &asked, command).await?;
        Ok(Response::new(pb::ReceiveReportResponse { report, receipt }))
    }

    async fn accept_report(
        &self,
        request: Request<pb::AcceptReportRequest>,
    ) -> Result<Response<pb::AcceptReportResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::accept(&call, request.into_inner())?;
        let (report, receipt) = self.execute(&call, &asked, command).await?;
        Ok(Response::new(pb::AcceptReportResponse { report, receipt }))
    }

    async fn return_report(
        &self,
        request: Request<pb::ReturnReportRequest>,
    ) -> Result<Response<pb::ReturnReportResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::give_back(&call, request.into_inner())?;
        let (report, receipt) = self.execute(&call, &asked, command).await?;
        Ok(Response::new(pb::ReturnReportResponse { report, receipt }))
    }

    async fn correct_report(
        &self,
        request: Request<pb::CorrectReportRequest>,
    ) -> Result<Response<pb::CorrectReportResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::correct(&call, request.into_inner())?;
        let (report, receipt) = self.execute(&call, &asked, command).await?;
        Ok(Response::new(pb::CorrectReportResponse { report, receipt }))
    }

    async fn get_report(
        &self,
        request: Request<pb::GetReportRequest>,
    ) -> Result<Response<pb::GetReportResponse>, Status> {
        let call = Call::of(&request)?;
        let (name, as_of) = convert::get_report(request.into_inner())?;
        let (found, moment) = call.find::<Of<Reports>>(&self.views, as_of, &name.to_string()).await?;
        let found = match found.map(|row| row.columns.state) {
            Some(report) if may_read(call.caller(), &report) => report,
            None if call.role() != Role::Agency => {
                return Err(not_found(Reason::ReportNotFound, &name).into());
            }
            Some(_) | None => return Err(not_yours().into()),
        };
        let report = Some(render::report(&found, moment.valid_on));
        let answer = Some(moment.answer(&self.log).await?);
        Ok(Response::new(pb::GetReportResponse { report, answer }))
    }

    async fn list_reports(
        &self,
        request: Request<pb::ListReportsRequest>,
    ) -> Result<Response<pb::ListReportsResponse>, Status> {
        let call = Call::of(&request)?;
        let (page, filter, as_of) = convert::list_reports(&call, self.log.identity(), request.into_inner())?;
        let conditions = readable(call.caller()).filter(&filter);
        let listed = call.list::<Of<Reports>>(&self.views, as_of, &page, conditions).await?;
        let shown = |report| render::report(report, listed.moment.valid_on);
        let reports = listed.rows.iter().map(|row| shown(&row.columns.state)).collect();
        let answer = Some(listed.moment.answer(&self.log).await?);
        Ok(Response::new(pb::ListReportsResponse {
            reports,
            next_page_token: listed.next_page_token,
            answer,
        }))
    }
}
