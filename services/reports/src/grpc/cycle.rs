//! The door of cycles and obligations.

use duban_domain::Reason;
use duban_domain::cycle::CycleCommand;
use duban_domain::name::CycleId;
use duban_log::Outcome;
use duban_log::views::Of;
use duban_proto::reports::v1 as pb;
use duban_proto::reports::v1::cycle_service_server::CycleService;
use duban_rpc::filter::{Filter, Op, Term, Value};
use duban_rpc::rows::{Conditions, Order, page_at};
use duban_rpc::{AsOf, Call, Error, Moment, Place, not_found, receipt, resources, status};
use tonic::{Request, Response, Status};

use super::ReportsDoor;
use crate::views::{Counted, Cycles, Obligations, newest_first};
use crate::{convert, render};

impl ReportsDoor {
    /// The cycle right after a command. It was opened in this very append, before any obligation.
    fn changed_cycle(outcome: &Outcome<CycleCommand>) -> Option<pb::Cycle> {
        let CycleCommand::Open { cycle, .. } = outcome.command else { return None };
        outcome.world.find_cycle(cycle).map(|cycle| render::cycle(cycle, 0))
    }

    /// The obligation right after a command.
    fn changed_obligation(&self, outcome: &Outcome<CycleCommand>) -> Option<pb::Obligation> {
        let CycleCommand::Waive { obligation } = &outcome.command else { return None };
        let obligation = outcome.world.find_obligation(obligation)?;
        Some(render::obligation(obligation, self.shown_on(outcome)))
    }

    /// A cycle, and the moment that the answer is of.
    async fn cycle_at(
        &self,
        call: &Call,
        as_of: AsOf,
        place: Option<&Place>,
        name: CycleId,
    ) -> Result<(Counted, Moment), Error> {
        let (mut snapshot, moment) = call.ask::<Of<Cycles>>(&self.views, as_of, place).await?;
        let found = resources::find::<Cycles>(&mut snapshot, moment, &name).await?;
        Ok((found.ok_or_else(|| not_found(Reason::CycleNotFound, name))?, moment))
    }
}

/// The conditions of a filter on obligations: `state` is the column `standing`, and `overdue` is past due,
/// nothing submitted and not waived, on the day asked about.
fn owed(filter: &Filter) -> Conditions {
    filter.terms.iter().fold(Conditions::none(), |conditions, term| match (term.field, &term.value) {
        ("overdue", Value::Flag(flag)) => {
            let overdue = "(due_on < $1 AND submitted = 0 AND standing <> 'WAIVED')";
            let wanted = (term.op == Op::Equal) == *flag;
            let sql = if wanted { overdue.to_owned() } else { format!("NOT {overdue}") };
            conditions.and(&sql, [])
        }
        ("state", _) => conditions.term(&Term { field: "standing", ..term.clone() }),
        _ => conditions.term(term),
    })
}

#[tonic::async_trait]
impl CycleService for ReportsDoor {
    async fn open_cycle(
        &self,
        request: Request<pb::OpenCycleRequest>,
    ) -> Result<Response<pb::OpenCycleResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::open_cycle(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (cycle, receipt) = (Self::changed_cycle(&outcome), receipt(&outcome, self.log.identity()));
        Ok(Response::new(pb::OpenCycleResponse { cycle, receipt }))
    }

    async fn waive_obligation(
        &self,
        request: Request<pb::WaiveObligationRequest>,
    ) -> Result<Response<pb::WaiveObligationResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::waive(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (obligation, receipt) =
            (self.changed_obligation(&outcome), receipt(&outcome, self.log.identity()));
        Ok(Response::new(pb::WaiveObligationResponse { obligation, receipt }))
    }

    async fn get_cycle(
        &self,
        request: Request<pb::GetCycleRequest>,
    ) -> Result<Response<pb::GetCycleResponse>, Status> {
        let call = Call::of(&request)?;
        let (name, as_of) = convert::get_cycle(request.into_inner())?;
        let (found, moment) = self.cycle_at(&call, as_of, None, name).await?;
        let cycle = Some(render::cycle(&found.cycle, found.obligations));
        let answer = Some(moment.answer(&self.log).await?);
        Ok(Response::new(pb::GetCycleResponse { cycle, answer }))
    }

    async fn list_cycles(
        &self,
        request: Request<pb::ListCyclesRequest>,
    ) -> Result<Response<pb::ListCyclesResponse>, Status> {
        let call = Call::of(&request)?;
        let (page, filter, as_of) = convert::list_cycles(&call, self.log.identity(), request.into_inner())?;
        let (mut snapshot, moment) = call.ask::<Of<Cycles>>(&self.views, as_of, page.place.as_ref()).await?;
        let conditions = Conditions::none().filter(&filter);
        let listed = page_at::<Of<Cycles>>(&mut snapshot, moment, &page, conditions, newest_first()).await?;
        let states = listed.rows.iter().map(|row| &row.columns.state);
        let cycles = states.map(|state| render::cycle(&state.cycle, state.obligations)).collect();
        let answer = Some(moment.answer(&self.log).await?);
        Ok(Response::new(pb::ListCyclesResponse { cycles, next_page_token: listed.next_page_token, answer }))
    }

    async fn get_obligation(
        &self,
        request: Request<pb::GetObligationRequest>,
    ) -> Result<Response<pb::GetObligationResponse>, Status> {
        let call = Call::of(&request)?;
        let (name, as_of) = convert::get_obligation(request.into_inner())?;
        let (_, moment) = self.cycle_at(&call, as_of, None, *name.cycle()).await?;
        let mut snapshot = call.ask_at::<Of<Obligations>>(&self.views, moment).await?;
        let found = resources::find::<Obligations>(&mut snapshot, moment, &name).await?;
        let found = found.ok_or_else(|| not_found(Reason::ObligationNotFound, &name))?;
        let obligation = Some(render::obligation(&found, moment.valid_on));
        let answer = Some(moment.answer(&self.log).await?);
        Ok(Response::new(pb::GetObligationResponse { obligation, answer }))
    }

    async fn list_obligations(
        &self,
        request: Request<pb::ListObligationsRequest>,
    ) -> Result<Response<pb::ListObligationsResponse>, Status> {
        let call = Call::of(&request)?;
        let (cycle, page, filter, as_of) =
            convert::list_obligations(&call, self.log.identity(), request.into_inner())?;
        let (_, moment) = self.cycle_at(&call, as_of, page.place.as_ref(), cycle).await?;
        let mut snapshot = call.ask_at::<Of<Obligations>>(&self.views, moment).await?;
        let conditions = owed(&filter).equal("cycle", cycle.to_string());
        let listed =
            page_at::<Of<Obligations>>(&mut snapshot, moment, &page, conditions, Order::by_key()).await?;
        let states = listed.rows.iter().map(|row| &row.columns.state);
        let obligations = states.map(|state| render::obligation(state, moment.valid_on)).collect();
        let answer = Some(moment.answer(&self.log).await?);
        let next_page_token = listed.next_page_token;
        Ok(Response::new(pb::ListObligationsResponse { obligations, next_page_token, answer }))
    }
}
