//! What callers do, a line each: the request is put together here, the refusal is the test's to judge.

mod reports;

use std::fmt::Debug;
use std::future::Future;

use duban_proto::agencies::v1 as agencies;
use duban_proto::audit::v1 as audit;
use duban_proto::call::v1::{AsOf, CommandContext, ProgressLevel};
use duban_proto::reports::v1 as pb_reports;
use duban_proto::tasks::v1 as tasks;
use duban_proto::tasks::v1::AssignmentRole as Role;
use tonic::Status;

use super::{As, Office, agency, assignment, reason_of, task};

type Answer<T> = Result<T, Status>;

/// Calls whose request is a context and one name.
macro_rules! acts {
    ($($(#[$doc:meta])* $act:ident: $client:ident.$rpc:ident($package:ident::$request:ident.$field:ident) -> $reply:ident,)*) => {
        impl As { $(
            $(#[$doc])*
            pub async fn $act(&self, context: CommandContext, name: &str) -> Answer<$package::$reply> {
                let request = $package::$request { context: Some(context), $field: name.to_owned() };
                Ok(self.$client().$rpc(request).await?.into_inner())
            }
        )* }
    };
}

acts! {
    /// 立项.
    register: tasks.register_task(tasks::RegisterTaskRequest.task) -> RegisterTaskResponse,
    /// 退回重办.
    give_back: tasks.return_task(tasks::ReturnTaskRequest.task) -> ReturnTaskResponse,
    /// 销号.
    strike_off: tasks.strike_off_task(tasks::StrikeOffTaskRequest.task) -> StrikeOffTaskResponse,
    /// 归档.
    archive: tasks.archive_task(tasks::ArchiveTaskRequest.task) -> ArchiveTaskResponse,
    /// 中止.
    suspend: tasks.suspend_task(tasks::SuspendTaskRequest.task) -> SuspendTaskResponse,
    /// 恢复.
    resume: tasks.resume_task(tasks::ResumeTaskRequest.task) -> ResumeTaskResponse,
    /// 撤销.
    withdraw: tasks.withdraw_task(tasks::WithdrawTaskRequest.task) -> WithdrawTaskResponse,
    /// 再交办.
    reopen: tasks.reopen_task(tasks::ReopenTaskRequest.task) -> ReopenTaskResponse,
    /// 签收.
    take: assignments.acknowledge_assignment(tasks::AcknowledgeAssignmentRequest.assignment) -> AcknowledgeAssignmentResponse,
    /// 维持.
    uphold: assignments.uphold_assignment(tasks::UpholdAssignmentRequest.assignment) -> UpholdAssignmentResponse,
    /// 解除.
    release: assignments.release_assignment(tasks::ReleaseAssignmentRequest.assignment) -> ReleaseAssignmentResponse,
    /// 撤销机构.
    dissolve: agencies.dissolve_agency(agencies::DissolveAgencyRequest.agency) -> DissolveAgencyResponse,
    /// 免报.
    waive: cycles.waive_obligation(pb_reports::WaiveObligationRequest.obligation) -> WaiveObligationResponse,
    /// 审签.
    endorse: reports.endorse_report(pb_reports::EndorseReportRequest.report) -> EndorseReportResponse,
    /// 报送.
    submit: reports.submit_report(pb_reports::SubmitReportRequest.report) -> SubmitReportResponse,
    /// 签收报告.
    receive: reports.receive_report(pb_reports::ReceiveReportRequest.report) -> ReceiveReportResponse,
    /// 采纳.
    accept: reports.accept_report(pb_reports::AcceptReportRequest.report) -> AcceptReportResponse,
}

/// Agencies.
impl As {
    /// 机构登记, under another name than its id if one is given.
    pub async fn register_agency(
        &self,
        context: CommandContext,
        id: Option<&str>,
        full_name: &str,
    ) -> Answer<agencies::RegisterAgencyResponse> {
        let request = agencies::RegisterAgencyRequest {
            context: Some(context),
            agency_id: id.map(ToOwned::to_owned),
            full_name: full_name.to_owned(),
            kind: agencies::AgencyKind::ConstituentDepartment.into(),
            ..Default::default()
        };
        Ok(self.agencies().register_agency(request).await?.into_inner())
    }

    /// 更名.
    pub async fn rename(
        &self,
        context: CommandContext,
        id: &str,
        full_name: &str,
    ) -> Answer<agencies::RenameAgencyResponse> {
        let request = agencies::RenameAgencyRequest {
            context: Some(context),
            agency: agency(id),
            full_name: full_name.to_owned(),
        };
        Ok(self.agencies().rename_agency(request).await?.into_inner())
    }

    /// The agency as of a date.
    pub async fn get_agency(&self, id: &str, as_of: Option<AsOf>) -> Answer<agencies::GetAgencyResponse> {
        let request = agencies::GetAgencyRequest { name: agency(id), as_of, consistency: None };
        Ok(self.agencies().get_agency(request).await?.into_inner())
    }
}

/// Tasks.
impl As {
    /// 拟办.
    pub async fn propose(
        &self,
        context: CommandContext,
        id: Option<&str>,
    ) -> Answer<tasks::ProposeTaskResponse> {
        let request = tasks::ProposeTaskRequest {
            context: Some(context),
            task_id: id.map(ToOwned::to_owned),
            title: format!("任务{}", id.unwrap_or_default()),
            track: tasks::TaskTrack::Continuing.into(),
            ..Default::default()
        };
        Ok(self.tasks().propose_task(request).await?.into_inner())
    }

    /// 交办, to agencies in roles; each assignment is called as its agency.
    pub async fn dispatch_to(
        &self,
        context: CommandContext,
        id: &str,
        parties: &[(&str, Role)],
    ) -> Answer<tasks::DispatchTaskResponse> {
        let new = |(name, role): &(&str, Role)| tasks::NewAssignment {
            assignment_id: Some((*name).to_owned()),
            agency: agency(name),
            role: (*role).into(),
            source: None,
        };
        let assignments = parties.iter().map(new).collect();
        let request = tasks::DispatchTaskRequest { context: Some(context), task: task(id), assignments };
        Ok(self.tasks().dispatch_task(request).await?.into_inner())
    }

    /// 自评.
    pub async fn record(
        &self,
        context: CommandContext,
        id: &str,
        level: ProgressLevel,
        text: &str,
    ) -> Answer<tasks::RecordProgressResponse> {
        let request = tasks::RecordProgressRequest {
            context: Some(context),
            task: task(id),
            level: level.into(),
            text: text.to_owned(),
            evidence: vec![],
        };
        Ok(self.tasks().record_progress(request).await?.into_inner())
    }

    /// 核验.
    pub async fn check(
        &self,
        context: CommandContext,
        id: &str,
        level: ProgressLevel,
        text: &str,
    ) -> Answer<tasks::VerifyProgressResponse> {
        let request = tasks::VerifyProgressRequest {
            context: Some(context),
            task: task(id),
            level: level.into(),
            text: text.to_owned(),
        };
        Ok(self.tasks().verify_progress(request).await?.into_inner())
    }

    /// 申请办结.
    pub async fn request_closure(
        &self,
        context: CommandContext,
        id: &str,
    ) -> Answer<tasks::RequestClosureResponse> {
        let request = tasks::RequestClosureRequest {
            context: Some(context),
            task: task(id),
            statement: "目标已达到".to_owned(),
            evidence: vec![],
        };
        Ok(self.tasks().request_closure(request).await?.into_inner())
    }

    /// 办结.
    pub async fn complete(&self, context: CommandContext, id: &str) -> Answer<tasks::CompleteTaskResponse> {
        let request = tasks::CompleteTaskRequest {
            context: Some(context),
            task: task(id),
            judgement: "经核验，已完成".to_owned(),
            evidence: vec![],
        };
        Ok(self.tasks().complete_task(request).await?.into_inner())
    }

    /// The task as of a date.
    pub async fn get_task(&self, id: &str, as_of: Option<AsOf>) -> Answer<tasks::GetTaskResponse> {
        let request = tasks::GetTaskRequest { name: task(id), as_of, consistency: None };
        Ok(self.tasks().get_task(request).await?.into_inner())
    }
}

/// Assignments.
impl As {
    /// 增派, until a day or without an end.
    pub async fn assign(
        &self,
        context: CommandContext,
        (of, id): (&str, &str),
        to: &str,
        role: Role,
        until: Option<&str>,
    ) -> Answer<tasks::AssignAgencyResponse> {
        let request = tasks::AssignAgencyRequest {
            context: Some(context),
            task: task(of),
            assignment_id: Some(id.to_owned()),
            agency: agency(to),
            role: role.into(),
            until: until.map(ToOwned::to_owned),
            source: None,
        };
        Ok(self.assignments().assign_agency(request).await?.into_inner())
    }

    /// 退办.
    pub async fn contest(
        &self,
        context: CommandContext,
        (of, id): (&str, &str),
        grounds: &str,
    ) -> Answer<tasks::ContestAssignmentResponse> {
        let request = tasks::ContestAssignmentRequest {
            context: Some(context),
            assignment: assignment(of, id),
            grounds: grounds.to_owned(),
        };
        Ok(self.assignments().contest_assignment(request).await?.into_inner())
    }

    /// 改派: the rest goes to another agency, under the assignment id `new`.
    pub async fn reassign(
        &self,
        context: CommandContext,
        (of, id): (&str, &str),
        to: &str,
        new: &str,
    ) -> Answer<tasks::ReassignAssignmentResponse> {
        let request = tasks::ReassignAssignmentRequest {
            context: Some(context),
            assignment: assignment(of, id),
            agency: agency(to),
            role: None,
            new_assignment_id: Some(new.to_owned()),
        };
        Ok(self.assignments().reassign_assignment(request).await?.into_inner())
    }

    /// 角色认定.
    pub async fn reinterpret(
        &self,
        context: CommandContext,
        (of, id): (&str, &str),
        role: Role,
    ) -> Answer<tasks::ReinterpretRoleResponse> {
        let request = tasks::ReinterpretRoleRequest {
            context: Some(context),
            assignment: assignment(of, id),
            role: role.into(),
        };
        Ok(self.assignments().reinterpret_role(request).await?.into_inner())
    }

    /// 更正起止日: of two assignments of a task that meet, or of one at its outer edge.
    pub async fn correct_boundary(
        &self,
        context: CommandContext,
        of: &str,
        (earlier, later): (Option<&str>, Option<&str>),
        on: &str,
    ) -> Answer<tasks::CorrectBoundaryResponse> {
        let request = tasks::CorrectBoundaryRequest {
            context: Some(context),
            earlier: earlier.map(|id| assignment(of, id)),
            later: later.map(|id| assignment(of, id)),
            on: on.to_owned(),
        };
        Ok(self.assignments().correct_boundary(request).await?.into_inner())
    }

    /// The assignment as of a date.
    pub async fn get_assignment(
        &self,
        (of, id): (&str, &str),
        as_of: Option<AsOf>,
    ) -> Answer<tasks::GetAssignmentResponse> {
        let request = tasks::GetAssignmentRequest { name: assignment(of, id), as_of, consistency: None };
        Ok(self.assignments().get_assignment(request).await?.into_inner())
    }

    /// The whole matrix as of a date: all of it in one page.
    pub async fn matrix(&self, as_of: Option<AsOf>) -> Answer<tasks::GetMatrixResponse> {
        let request = tasks::GetMatrixRequest { page_size: 1000, as_of, ..Default::default() };
        Ok(self.responsibility().get_matrix(request).await?.into_inner())
    }

    /// Why a resource is as it is.
    pub async fn explain(&self, name: &str, as_of: Option<AsOf>) -> Answer<audit::ExplainResponse> {
        let request = audit::ExplainRequest { name: name.to_owned(), as_of, consistency: None };
        Ok(self.audit().explain(request).await?.into_inner())
    }
}

impl Office {
    /// The call is refused for this reason, and leaves the log as it was (invariant 12).
    pub async fn refuses<T: Debug>(&self, reason: &str, call: impl Future<Output = Answer<T>>) -> Status {
        let before = self.head().await;
        let status = call.await.expect_err(reason);
        assert_eq!(reason_of(&status).1, reason, "{status}");
        assert_eq!(self.head().await, before, "a refusal leaves the log as it was");
        status
    }
}
