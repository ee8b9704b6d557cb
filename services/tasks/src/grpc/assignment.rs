//! The door of assignments.

use duban_domain::Reason;
use duban_domain::assignment::{Assignment, AssignmentCommand};
use duban_domain::name::{AssignmentId, TaskId};
use duban_log::Outcome;
use duban_log::views::Of;
use duban_proto::tasks::v1 as pb;
use duban_proto::tasks::v1::assignment_service_server::AssignmentService;
use duban_rpc::filter::Kind;
use duban_rpc::rows::{Conditions, Order, at, page_at};
use duban_rpc::validate::name;
use duban_rpc::{Call, Error, Fields, not_found, status};
use tonic::{Request, Response, Status};

use super::{TasksDoor, conditions, rests_on};
use crate::views::Assignments;
use crate::{convert, render};

/// The roles, as filters name them.
pub(super) const ROLES: &[&str] = &["LEAD", "CO_LEAD", "RESPONSIBLE", "SUPPORTING"];
/// The stages of an assignment, as filters name them.
pub(super) const STAGES: &[&str] = &["DISPATCHED", "ACTIVE", "CONTESTED", "REASSIGNED", "RELEASED"];

/// What assignments are filtered by.
const FILTER: &[(&str, Kind)] = &[
    ("task", Kind::Text),
    ("agency", Kind::Text),
    ("role", Kind::Choice(ROLES)),
    ("stage", Kind::Choice(STAGES)),
    ("contested", Kind::Flag),
];

impl TasksDoor {
    /// An assignment right after a command.
    pub(super) async fn changed_assignment<C>(
        &self,
        call: &Call,
        outcome: &Outcome<C>,
        assignment: &Assignment,
    ) -> Result<pb::Assignment, Error> {
        let moment = self.after(outcome);
        let fallen = self.fallen_after(call, outcome, &assignment.readings).await?;
        Ok(render::assignment(assignment, moment.valid_on, rests_on(&assignment.readings, &fallen)))
    }

    async fn named(
        &self,
        call: &Call,
        outcome: &Outcome<AssignmentCommand>,
        name: Option<&AssignmentId>,
    ) -> Result<Option<pb::Assignment>, Error> {
        match name.map(|name| outcome.world.assignment(name)) {
            Some(Ok((_, assignment))) => self.changed_assignment(call, outcome, assignment).await.map(Some),
            Some(Err(_)) | None => Ok(None),
        }
    }

    /// The assignment that the reply to a command shows.
    async fn shown(
        &self,
        call: &Call,
        outcome: &Outcome<AssignmentCommand>,
    ) -> Result<Option<pb::Assignment>, Error> {
        self.named(call, outcome, outcome.command.shown()).await
    }
}

#[tonic::async_trait]
impl AssignmentService for TasksDoor {
    async fn assign_agency(
        &self,
        request: Request<pb::AssignAgencyRequest>,
    ) -> Result<Response<pb::AssignAgencyResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::assign(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (assignment, receipt) = (self.shown(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::AssignAgencyResponse { assignment, receipt }))
    }

    async fn acknowledge_assignment(
        &self,
        request: Request<pb::AcknowledgeAssignmentRequest>,
    ) -> Result<Response<pb::AcknowledgeAssignmentResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::acknowledge(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (assignment, receipt) = (self.shown(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::AcknowledgeAssignmentResponse { assignment, receipt }))
    }

    async fn contest_assignment(
        &self,
        request: Request<pb::ContestAssignmentRequest>,
    ) -> Result<Response<pb::ContestAssignmentResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::contest(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (assignment, receipt) = (self.shown(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::ContestAssignmentResponse { assignment, receipt }))
    }

    async fn uphold_assignment(
        &self,
        request: Request<pb::UpholdAssignmentRequest>,
    ) -> Result<Response<pb::UpholdAssignmentResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::uphold(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (assignment, receipt) = (self.shown(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::UpholdAssignmentResponse { assignment, receipt }))
    }

    async fn reassign_assignment(
        &self,
        request: Request<pb::ReassignAssignmentRequest>,
    ) -> Result<Response<pb::ReassignAssignmentResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::reassign(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (assignment, receipt) = (self.shown(&call, &outcome).await?, self.receipt(&outcome));
        let predecessor = match &outcome.command {
            AssignmentCommand::Reassign { assignment, .. } => {
                self.named(&call, &outcome, Some(assignment)).await?
            }
            _ => None,
        };
        Ok(Response::new(pb::ReassignAssignmentResponse { assignment, receipt, predecessor }))
    }

    async fn release_assignment(
        &self,
        request: Request<pb::ReleaseAssignmentRequest>,
    ) -> Result<Response<pb::ReleaseAssignmentResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::release(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (assignment, receipt) = (self.shown(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::ReleaseAssignmentResponse { assignment, receipt }))
    }

    async fn reinterpret_role(
        &self,
        request: Request<pb::ReinterpretRoleRequest>,
    ) -> Result<Response<pb::ReinterpretRoleResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::reinterpret(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (assignment, receipt) = (self.shown(&call, &outcome).await?, self.receipt(&outcome));
        Ok(Response::new(pb::ReinterpretRoleResponse { assignment, receipt }))
    }

    async fn correct_boundary(
        &self,
        request: Request<pb::CorrectBoundaryRequest>,
    ) -> Result<Response<pb::CorrectBoundaryResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::correct_boundary(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let receipt = self.receipt(&outcome);
        let (earlier, later) = match &outcome.command {
            AssignmentCommand::CorrectBoundary { earlier, later, .. } => (earlier.as_ref(), later.as_ref()),
            _ => (None, None),
        };
        let (earlier, later) =
            (self.named(&call, &outcome, earlier).await?, self.named(&call, &outcome, later).await?);
        Ok(Response::new(pb::CorrectBoundaryResponse { earlier, receipt, later }))
    }

    async fn get_assignment(
        &self,
        request: Request<pb::GetAssignmentRequest>,
    ) -> Result<Response<pb::GetAssignmentResponse>, Status> {
        let call = Call::of(&request)?;
        let pb::GetAssignmentRequest { name: assignment, as_of, consistency } = request.into_inner();
        let (assignment, as_of) = Fields::read(|f| {
            let assignment = f.one("name", assignment, name::<AssignmentId>);
            let as_of = f.as_of(as_of, consistency);
            Ok((assignment?, as_of?))
        })?;
        let (moment, fallen) = self.moment(&call, as_of, None).await?;
        let mut snapshot = call.ask_at::<Of<Assignments>>(&self.views, moment).await?;
        let key = Conditions::none().equal("key", assignment.to_string());
        let found = at::<Of<Assignments>>(&mut snapshot, moment, key, "").await?;
        drop(snapshot);
        let row = found.first().ok_or_else(|| not_found(Reason::AssignmentNotFound, &assignment))?;
        let found = &row.columns.state;
        let shown = render::assignment(found, moment.valid_on, rests_on(&found.readings, &fallen));
        let answer = self.answer(moment).await?;
        Ok(Response::new(pb::GetAssignmentResponse { assignment: Some(shown), answer }))
    }

    async fn list_assignments(
        &self,
        request: Request<pb::ListAssignmentsRequest>,
    ) -> Result<Response<pb::ListAssignmentsResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let query = pb::ListAssignmentsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
        let pb::ListAssignmentsRequest { parent, page_size, page_token, filter, as_of, consistency } =
            request;
        let (task, page, filter, as_of) = Fields::read(|f| {
            let task = match parent.as_str() {
                "tasks/-" => Ok(None),
                _ => f.one("parent", parent, name::<TaskId>).map(Some),
            };
            let page = f.page(page_size, &page_token, &query, &self.scope(&call));
            let filter = f.filter(&filter, FILTER);
            let as_of = f.as_of(as_of, consistency);
            Ok((task?, page?, filter?, as_of?))
        })?;
        let (moment, fallen) = self.moment(&call, as_of, page.place.as_ref()).await?;
        if let Some(task) = &task {
            self.task_is_known(&call, moment, task).await?;
        }
        let mut snapshot = call.ask_at::<Of<Assignments>>(&self.views, moment).await?;
        let mut conditions = conditions(&filter, &fallen);
        if let Some(task) = &task {
            conditions = conditions.equal("task", task.to_string());
        }
        let listed =
            page_at::<Of<Assignments>>(&mut snapshot, moment, &page, conditions, Order::by_key()).await?;
        drop(snapshot);
        let shown = |found: &Assignment| {
            render::assignment(found, moment.valid_on, rests_on(&found.readings, &fallen))
        };
        Ok(Response::new(pb::ListAssignmentsResponse {
            assignments: listed.rows.iter().map(|row| shown(&row.columns.state)).collect(),
            next_page_token: listed.next_page_token,
            answer: self.answer(moment).await?,
        }))
    }
}
