//! The door of tasks.

use duban_domain::Reason;
use duban_domain::name::TaskId;
use duban_domain::task::{Stage, TaskCommand};
use duban_log::Outcome;
use duban_log::views::Of;
use duban_proto::tasks::v1 as pb;
use duban_proto::tasks::v1::task_service_server::TaskService;
use duban_rpc::filter::Kind;
use duban_rpc::rows::{Conditions, Order, at, page_at};
use duban_rpc::validate::name;
use duban_rpc::{Call, Error, Fields, not_found, status};
use tonic::{Request, Response, Status};

use super::{TasksDoor, conditions, rests_on};
use crate::views::Tasks;
use crate::{convert, render};

/// What tasks are filtered by.
const FILTER: &[(&str, Kind)] = &[
    ("stage", Kind::Choice(&STAGES)),
    ("track", Kind::Choice(&["GENERAL", "COMPLEX", "ANNUAL", "CONTINUING"])),
    ("document", Kind::Text),
    ("parent", Kind::Text),
    ("label", Kind::Text),
    ("due_on", Kind::Date),
    ("contested", Kind::Flag),
];

/// The stages, as filters name them.
const STAGES: [&str; Stage::ALL.len()] = {
    let mut words = [""; Stage::ALL.len()];
    let mut n = 0;
    while n < words.len() {
        words[n] = Stage::ALL[n].as_str();
        n += 1;
    }
    words
};

impl TasksDoor {
    /// The task right after a command.
    async fn changed_task(
        &self,
        call: &Call,
        outcome: &Outcome<TaskCommand>,
    ) -> Result<Option<pb::Task>, Error> {
        let Some(task) = outcome.world.find_task(outcome.command.task()) else { return Ok(None) };
        let moment = self.after(outcome);
        let fallen = self.fallen_after(call, outcome, &task.readings).await?;
        Ok(Some(render::task(task, moment.valid_on, rests_on(&task.readings, &fallen))))
    }

    /// The assignments that a dispatch made, in the order in which it named them.
    async fn made(&self, call: &Call, outcome: &Outcome<TaskCommand>) -> Result<Vec<pb::Assignment>, Error> {
        let TaskCommand::Dispatch { task, assignments } = &outcome.command else { return Ok(vec![]) };
        let Some(task) = outcome.world.find_task(task) else { return Ok(vec![]) };
        let named = assignments.iter().filter_map(|new| task.assignments.get(new.assignment.as_ref()?));
        let mut made = Vec::new();
        for assignment in named {
            made.push(self.changed_assignment(call, outcome, assignment).await?);
        }
        Ok(made)
    }
}

#[tonic::async_trait]
impl TaskService for TasksDoor {
    async fn propose_task(
        &self,
        request: Request<pb::ProposeTaskRequest>,
    ) -> Result<Response<pb::ProposeTaskResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::propose(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (task, receipt) = (self.changed_task(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::ProposeTaskResponse { task, receipt }))
    }

    async fn register_task(
        &self,
        request: Request<pb::RegisterTaskRequest>,
    ) -> Result<Response<pb::RegisterTaskResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::register(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (task, receipt) = (self.changed_task(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::RegisterTaskResponse { task, receipt }))
    }

    async fn dispatch_task(
        &self,
        request: Request<pb::DispatchTaskRequest>,
    ) -> Result<Response<pb::DispatchTaskResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::dispatch(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (task, receipt) = (self.changed_task(&call, &outcome).await?, self.receipt(&outcome));
        let assignments = self.made(&call, &outcome).await?;
        Ok(Response::new(pb::DispatchTaskResponse { task, receipt, assignments }))
    }

    async fn record_progress(
        &self,
        request: Request<pb::RecordProgressRequest>,
    ) -> Result<Response<pb::RecordProgressResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::record_progress(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (task, receipt) = (self.changed_task(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::RecordProgressResponse { task, receipt }))
    }

    async fn verify_progress(
        &self,
        request: Request<pb::VerifyProgressRequest>,
    ) -> Result<Response<pb::VerifyProgressResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::verify_progress(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (task, receipt) = (self.changed_task(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::VerifyProgressResponse { task, receipt }))
    }

    async fn request_closure(
        &self,
        request: Request<pb::RequestClosureRequest>,
    ) -> Result<Response<pb::RequestClosureResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::request_closure(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (task, receipt) = (self.changed_task(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::RequestClosureResponse { task, receipt }))
    }

    async fn return_task(
        &self,
        request: Request<pb::ReturnTaskRequest>,
    ) -> Result<Response<pb::ReturnTaskResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::return_task(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (task, receipt) = (self.changed_task(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::ReturnTaskResponse { task, receipt }))
    }

    async fn complete_task(
        &self,
        request: Request<pb::CompleteTaskRequest>,
    ) -> Result<Response<pb::CompleteTaskResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::complete(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (task, receipt) = (self.changed_task(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::CompleteTaskResponse { task, receipt }))
    }

    async fn strike_off_task(
        &self,
        request: Request<pb::StrikeOffTaskRequest>,
    ) -> Result<Response<pb::StrikeOffTaskResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::strike_off(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (task, receipt) = (self.changed_task(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::StrikeOffTaskResponse { task, receipt }))
    }

    async fn archive_task(
        &self,
        request: Request<pb::ArchiveTaskRequest>,
    ) -> Result<Response<pb::ArchiveTaskResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::archive(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (task, receipt) = (self.changed_task(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::ArchiveTaskResponse { task, receipt }))
    }

    async fn suspend_task(
        &self,
        request: Request<pb::SuspendTaskRequest>,
    ) -> Result<Response<pb::SuspendTaskResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::suspend(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (task, receipt) = (self.changed_task(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::SuspendTaskResponse { task, receipt }))
    }

    async fn resume_task(
        &self,
        request: Request<pb::ResumeTaskRequest>,
    ) -> Result<Response<pb::ResumeTaskResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::resume(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (task, receipt) = (self.changed_task(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::ResumeTaskResponse { task, receipt }))
    }

    async fn withdraw_task(
        &self,
        request: Request<pb::WithdrawTaskRequest>,
    ) -> Result<Response<pb::WithdrawTaskResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::withdraw(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (task, receipt) = (self.changed_task(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::WithdrawTaskResponse { task, receipt }))
    }

    async fn reopen_task(
        &self,
        request: Request<pb::ReopenTaskRequest>,
    ) -> Result<Response<pb::ReopenTaskResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::reopen(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (task, receipt) = (self.changed_task(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::ReopenTaskResponse { task, receipt }))
    }

    async fn get_task(
        &self,
        request: Request<pb::GetTaskRequest>,
    ) -> Result<Response<pb::GetTaskResponse>, Status> {
        let call = Call::of(&request)?;
        let pb::GetTaskRequest { name: task, as_of, consistency } = request.into_inner();
        let (task, as_of) = Fields::read(|f| {
            let task = f.one("name", task, name::<TaskId>);
            let as_of = f.as_of(as_of, consistency);
            Ok((task?, as_of?))
        })?;
        let (moment, fallen) = self.moment(&call, as_of, None).await?;
        let mut snapshot = call.ask_at::<Of<Tasks>>(&self.views, moment).await?;
        let found =
            at::<Of<Tasks>>(&mut snapshot, moment, Conditions::none().equal("key", task.to_string()), "")
                .await?;
        drop(snapshot);
        let row = found.first().ok_or_else(|| not_found(Reason::TaskNotFound, &task))?;
        let found = &row.columns.state;
        let shown = render::task(found, moment.valid_on, rests_on(&found.readings, &fallen));
        let answer = self.answer(moment).await?;
        Ok(Response::new(pb::GetTaskResponse { task: Some(shown), answer }))
    }

    async fn list_tasks(
        &self,
        request: Request<pb::ListTasksRequest>,
    ) -> Result<Response<pb::ListTasksResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let query = pb::ListTasksRequest { page_size: 0, page_token: String::new(), ..request.clone() };
        let pb::ListTasksRequest { page_size, page_token, filter, as_of, consistency } = request;
        let (page, filter, as_of) = Fields::read(|f| {
            let page = f.page(page_size, &page_token, &query, &self.scope(&call));
            let filter = f.filter(&filter, FILTER);
            let as_of = f.as_of(as_of, consistency);
            Ok((page?, filter?, as_of?))
        })?;
        let (moment, fallen) = self.moment(&call, as_of, page.place.as_ref()).await?;
        let mut snapshot = call.ask_at::<Of<Tasks>>(&self.views, moment).await?;
        let conditions = conditions(&filter, &fallen);
        let listed = page_at::<Of<Tasks>>(&mut snapshot, moment, &page, conditions, Order::by_key()).await?;
        drop(snapshot);
        let shown = |task| render::task(task, moment.valid_on, rests_on(&task.readings, &fallen));
        Ok(Response::new(pb::ListTasksResponse {
            tasks: listed.rows.iter().map(|row| shown(&row.columns.state)).collect(),
            next_page_token: listed.next_page_token,
            answer: self.answer(moment).await?,
        }))
    }
}
