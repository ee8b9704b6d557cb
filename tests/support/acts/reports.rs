//! What callers do about reports.

use duban_proto::call::v1::{AsOf, CommandContext, ProgressLevel};
use duban_proto::reports::v1 as reports;

use super::Answer;
use crate::support::{As, Office, context, task};

impl As {
    /// 开启报送; due at the end of its year unless said otherwise.
    pub async fn open_cycle(
        &self,
        context: CommandContext,
        year: u32,
        due_on: Option<&str>,
    ) -> Answer<reports::OpenCycleResponse> {
        let due_on = due_on.map(ToOwned::to_owned);
        let request =
            reports::OpenCycleRequest { context: Some(context), year, due_on, ..Default::default() };
        Ok(self.cycles().open_cycle(request).await?.into_inner())
    }

    /// 草拟, as it comes pre-filled.
    pub async fn draft(
        &self,
        context: CommandContext,
        year: u32,
        id: &str,
    ) -> Answer<reports::DraftReportResponse> {
        let request = reports::DraftReportRequest {
            context: Some(context),
            cycle: format!("cycles/{year}"),
            report_id: Some(id.to_owned()),
            items: vec![],
        };
        Ok(self.reports().draft_report(request).await?.into_inner())
    }

    /// 修改: what the report says of each of these tasks.
    pub async fn revise(
        &self,
        context: CommandContext,
        report: &str,
        progress: &[(&str, &str)],
    ) -> Answer<reports::ReviseReportResponse> {
        let item = |(id, said): &(&str, &str)| reports::ReportItem {
            task: task(id),
            progress: (*said).to_owned(),
            self_assessment: ProgressLevel::Substantial.into(),
            ..Default::default()
        };
        let items = progress.iter().map(item).collect();
        let request = reports::ReviseReportRequest {
            context: Some(context),
            report: Some(reports::Report { name: report.to_owned(), items, ..Default::default() }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["items".to_owned()] }),
        };
        Ok(self.reports().revise_report(request).await?.into_inner())
    }

    /// 退回, with one finding about the whole.
    pub async fn return_report(
        &self,
        context: CommandContext,
        report: &str,
        finding: &str,
    ) -> Answer<reports::ReturnReportResponse> {
        let request = reports::ReturnReportRequest {
            context: Some(context),
            report: report.to_owned(),
            findings: vec![reports::Finding { task: None, text: finding.to_owned() }],
        };
        Ok(self.reports().return_report(request).await?.into_inner())
    }

    /// 更正.
    pub async fn correct(
        &self,
        context: CommandContext,
        report: &str,
        id: &str,
    ) -> Answer<reports::CorrectReportResponse> {
        let request = reports::CorrectReportRequest {
            context: Some(context),
            report: report.to_owned(),
            report_id: Some(id.to_owned()),
        };
        Ok(self.reports().correct_report(request).await?.into_inner())
    }

    /// The report as it is.
    pub async fn get_report(&self, report: &str) -> Answer<reports::Report> {
        let request = reports::GetReportRequest { name: report.to_owned(), ..Default::default() };
        let reply = self.reports().get_report(request).await?.into_inner();
        Ok(reply.report.expect("a report"))
    }

    /// What an agency owes in a year's cycle, as of a date.
    pub async fn obligation(&self, year: u32, id: &str, as_of: Option<AsOf>) -> Answer<reports::Obligation> {
        let name = format!("cycles/{year}/obligations/{id}");
        let request = reports::GetObligationRequest { name, as_of, consistency: None };
        let reply = self.cycles().get_obligation(request).await?.into_inner();
        Ok(reply.obligation.expect("an obligation"))
    }

    /// The names of the obligations of a year's cycle that the filter lets through.
    pub async fn obligations(&self, year: u32, filter: &str) -> Answer<Vec<String>> {
        let request = reports::ListObligationsRequest {
            parent: format!("cycles/{year}"),
            filter: filter.to_owned(),
            ..Default::default()
        };
        let reply = self.cycles().list_obligations(request).await?.into_inner();
        Ok(reply.obligations.into_iter().map(|owed| owed.name).collect())
    }
}

impl Office {
    /// The coordinator of an agency opens a year's cycle; waits until so many obligations are open.
    pub async fn cycle_opened(&self, coordinator: &str, year: u32, due_on: &str, obligations: u64) {
        let opened = self.coordinator(coordinator).open_cycle(context(), year, Some(due_on)).await;
        let receipt = opened.expect("it is opened").receipt.expect("a receipt");
        // Each obligation is an event, and one says that they are all.
        self.reached(receipt.last_position + obligations + 1).await;
    }

    /// An agency drafts a report that says something of each task, endorses and submits it.
    pub async fn submitted(&self, id: &str, year: u32, report: &str, tasks: &[&str]) {
        let (own, name) = (self.agency(id), format!("reports/{report}"));
        own.draft(context(), year, report).await.expect("drafted");
        let said: Vec<_> = tasks.iter().map(|task| (*task, "按计划推进")).collect();
        own.revise(context(), &name, &said).await.expect("revised");
        own.endorse(context(), &name).await.expect("endorsed");
        own.submit(context(), &name).await.expect("submitted");
    }
}
