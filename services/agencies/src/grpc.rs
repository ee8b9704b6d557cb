//! The door: who calls, what is asked, what became of it.

use duban_domain::agency::AgencyCommand;
use duban_domain::time::civil_date;
use duban_domain::{Reason, Timestamp};
use duban_log::views::Of;
use duban_log::{Log, Views, Wanted};
use duban_proto::agencies::v1 as pb;
use duban_proto::agencies::v1::agency_service_server::AgencyService;
use duban_proto::call::v1::Receipt;
use duban_rpc::{AsOf, Call, Error, Known, Moment, not_found, receipt, resources};
use tonic::{Request, Response, Status};

use crate::views::{Agencies, AgencyNames, Bearer, bearers};
use crate::{convert, render};

/// The agencies service.
#[derive(Clone)]
pub struct AgenciesDoor {
    log: Log,
    views: Views,
}

impl AgenciesDoor {
    pub(crate) fn new(log: Log, views: Views) -> Self {
        Self { log, views }
    }

    /// Executes a command: the agency as it is after it, on the day from which the command holds.
    async fn execute(
        &self,
        request: duban_log::Request,
        command: AgencyCommand,
    ) -> Result<(Option<pb::Agency>, Option<Receipt>), Error> {
        let outcome = self.log.execute(&request, command).await?;
        // A retry must show the first answer: its "today" is that of the receipt.
        let decided_at: Timestamp = outcome.receipt.map_or_else(|| self.log.now(), |first| first.recorded_at);
        let valid_on = request.effective_on.unwrap_or_else(|| civil_date(decided_at));
        let agency = outcome.world.agency(outcome.command.agency())?;
        Ok((Some(render::agency(agency, valid_on)), receipt(&outcome, self.log.identity())))
    }

    /// The agencies that a text means, all as known at one position.
    async fn candidates(
        &self,
        call: &Call,
        bearers: Vec<Bearer>,
        Moment { valid_on, position }: Moment,
    ) -> Result<Vec<pb::NameCandidate>, Error> {
        let known = Known::Position(position);
        let as_of = AsOf { valid_on: Some(valid_on), known, wanted: Wanted::AtLeast(position) };
        let (mut snapshot, moment) = call.ask::<Of<Agencies>>(&self.views, as_of, None).await?;
        let mut candidates = Vec::with_capacity(bearers.len());
        for bearer in bearers {
            let found = resources::find::<Agencies>(&mut snapshot, moment, &bearer.agency).await?;
            candidates.extend(found.map(|agency| render::candidate(bearer, &agency, valid_on)));
        }
        Ok(candidates)
    }
}

#[tonic::async_trait]
impl AgencyService for AgenciesDoor {
    async fn register_agency(
        &self,
        request: Request<pb::RegisterAgencyRequest>,
    ) -> Result<Response<pb::RegisterAgencyResponse>, Status> {
        let call = Call::of(&request)?;
        let (request, command) = convert::register(&call, request.into_inner())?;
        let (agency, receipt) = self.execute(request, command).await?;
        Ok(Response::new(pb::RegisterAgencyResponse { agency, receipt }))
    }

    async fn rename_agency(
        &self,
        request: Request<pb::RenameAgencyRequest>,
    ) -> Result<Response<pb::RenameAgencyResponse>, Status> {
        let call = Call::of(&request)?;
        let (request, command) = convert::rename(&call, request.into_inner())?;
        let (agency, receipt) = self.execute(request, command).await?;
        Ok(Response::new(pb::RenameAgencyResponse { agency, receipt }))
    }

    async fn add_alias(
        &self,
        request: Request<pb::AddAliasRequest>,
    ) -> Result<Response<pb::AddAliasResponse>, Status> {
        let call = Call::of(&request)?;
        let (request, command) = convert::add_alias(&call, request.into_inner())?;
        let (agency, receipt) = self.execute(request, command).await?;
        Ok(Response::new(pb::AddAliasResponse { agency, receipt }))
    }

    async fn end_alias(
        &self,
        request: Request<pb::EndAliasRequest>,
    ) -> Result<Response<pb::EndAliasResponse>, Status> {
        let call = Call::of(&request)?;
        let (request, command) = convert::end_alias(&call, request.into_inner())?;
        let (agency, receipt) = self.execute(request, command).await?;
        Ok(Response::new(pb::EndAliasResponse { agency, receipt }))
    }

    async fn amend_agency(
        &self,
        request: Request<pb::AmendAgencyRequest>,
    ) -> Result<Response<pb::AmendAgencyResponse>, Status> {
        let call = Call::of(&request)?;
        let (request, command) = convert::amend(&call, request.into_inner())?;
        let (agency, receipt) = self.execute(request, command).await?;
        Ok(Response::new(pb::AmendAgencyResponse { agency, receipt }))
    }

    async fn dissolve_agency(
        &self,
        request: Request<pb::DissolveAgencyRequest>,
    ) -> Result<Response<pb::DissolveAgencyResponse>, Status> {
        let call = Call::of(&request)?;
        let (request, command) = convert::dissolve(&call, request.into_inner())?;
        let (agency, receipt) = self.execute(request, command).await?;
        Ok(Response::new(pb::DissolveAgencyResponse { agency, receipt }))
    }

    async fn get_agency(
        &self,
        request: Request<pb::GetAgencyRequest>,
    ) -> Result<Response<pb::GetAgencyResponse>, Status> {
        let call = Call::of(&request)?;
        let (name, as_of) = convert::get(request.into_inner())?;
        let (mut snapshot, moment) = call.ask::<Of<Agencies>>(&self.views, as_of, None).await?;
        let found = resources::find::<Agencies>(&mut snapshot, moment, &name).await?;
        let found = found.ok_or_else(|| not_found(Reason::AgencyNotFound, &name))?;
        let agency = Some(render::agency(&found, moment.valid_on));
        let answer = Some(moment.answer(&self.log).await?);
        Ok(Response::new(pb::GetAgencyResponse { agency, answer }))
    }

    async fn list_agencies(
        &self,
        request: Request<pb::ListAgenciesRequest>,
    ) -> Result<Response<pb::ListAgenciesResponse>, Status> {
        let call = Call::of(&request)?;
        let (page, filter, as_of) = convert::list(&call, self.log.identity(), request.into_inner())?;
        let (mut snapshot, moment) =
            call.ask::<Of<Agencies>>(&self.views, as_of, page.place.as_ref()).await?;
        let found = resources::list::<Agencies>(&mut snapshot, moment, &filter, &page).await?;
        let agencies = found.states.iter().map(|agency| render::agency(agency, moment.valid_on)).collect();
        let answer = Some(moment.answer(&self.log).await?);
        let next_page_token = found.next_page_token;
        Ok(Response::new(pb::ListAgenciesResponse { agencies, next_page_token, answer }))
    }

    async fn resolve_name(
        &self,
        request: Request<pb::ResolveNameRequest>,
    ) -> Result<Response<pb::ResolveNameResponse>, Status> {
        let call = Call::of(&request)?;
        let (text, as_of) = convert::resolve(request.into_inner())?;
        let (mut names, moment) = call.ask::<AgencyNames>(&self.views, as_of, None).await?;
        let bearers = bearers(&mut names, moment, &text).await?;
        // Given back before another is taken: calls that wait for each other's connections would not end.
        drop(names);
        let candidates = self.candidates(&call, bearers, moment).await?;
        let answer = Some(moment.answer(&self.log).await?);
        let outcome = render::outcome(&candidates).into();
        Ok(Response::new(pb::ResolveNameResponse { outcome, candidates, answer }))
    }
}
