//! The door of documents, their anomalies and their readings.

use std::sync::Arc;

use duban_domain::document::{Content, DocumentCommand, Entry};
use duban_domain::name::{DocumentId, ReadingId};
use duban_domain::{Position, Reason, Subject};
use duban_log::views::{Found, Of, Resource, Stated};
use duban_log::{Outcome, PAGE_EVENTS};
use duban_proto::tasks::v1 as pb;
use duban_proto::tasks::v1::document_service_server::DocumentService;
use duban_rpc::filter::{Filter, Term, Value};
use duban_rpc::rows::{Conditions, Order, page_at};
use duban_rpc::{Call, Error, Moment, Page, not_found, status};
use tonic::{Request, Response, Status};

use super::TasksDoor;
use crate::convert::{self, List};
use crate::render;
use crate::views::{Anomalies, Documents, Readings};

/// The most events that one page of dependents looks through: a filter that few pass makes short pages.
const LOOKED_THROUGH_MAX: usize = 10_000;

/// The document that the reply to a command shows.
fn document(outcome: &Outcome<DocumentCommand>) -> Result<Option<pb::Document>, Error> {
    let document = outcome.world.document(outcome.command.document())?;
    Ok(Some(render::document(&document.entry, Some(&document.content))))
}

/// The anomaly that the reply to a command shows.
fn anomaly(outcome: &Outcome<DocumentCommand>) -> Result<Option<pb::Anomaly>, Error> {
    let document = outcome.world.document(outcome.command.document())?;
    let anomaly = outcome.command.anomaly().map(|anomaly| document.anomaly(anomaly)).transpose()?;
    Ok(anomaly.map(|anomaly| render::anomaly(anomaly, document.entry.last)))
}

/// The reading that the reply to a command shows.
fn reading(outcome: &Outcome<DocumentCommand>) -> Result<Option<pb::Reading>, Error> {
    let document = outcome.world.document(outcome.command.document())?;
    let reading = outcome.command.reading().map(|reading| document.reading(reading)).transpose()?;
    Ok(reading.map(|reading| render::reading(reading, document.entry.last)))
}

/// A page of what belongs to a document.
struct Parts<S> {
    states: Vec<S>,
    /// The position of the document's last event: the etag of all its parts.
    last: Position,
    moment: Moment,
    next_page_token: String,
}

/// A row of a resource's view.
type Kept<R> = Found<Stated<<R as Resource>::Columns, <R as Resource>::State>>;

impl TasksDoor {
    /// A page of what a view keeps of a document, in order of place.
    async fn parts<R: Resource>(
        &self,
        call: &Call,
        document: &DocumentId,
        List { page, filter, as_of }: List,
        place: fn(&Kept<R>) -> String,
    ) -> Result<Parts<R::State>, Error> {
        let (mut snapshot, moment) =
            call.ask::<Of<Documents>>(&self.views, as_of, page.place.as_ref()).await?;
        let name = document.to_string();
        let of_name = Conditions::none().equal("key", name.as_str());
        let known = duban_rpc::rows::at::<Of<Documents>>(&mut snapshot, moment, of_name, "").await?;
        drop(snapshot);
        let last = match known.first() {
            Some(row) => row.columns.state.last,
            None if moment.position == 0 => 0,
            None => return Err(not_found(Reason::DocumentNotFound, document)),
        };
        let mut snapshot = call.ask_at::<Of<R>>(&self.views, moment).await?;
        let conditions = conditions(&filter).equal("document", name);
        let order = Order { column: "place", value: place };
        let listed = page_at::<Of<R>>(&mut snapshot, moment, &page, conditions, order).await?;
        let states = listed.rows.into_iter().map(|row| Arc::unwrap_or_clone(row.columns.state)).collect();
        Ok(Parts { states, last, moment, next_page_token: listed.next_page_token })
    }

    /// What a document says: its registration in the log tells it, and no view does.
    async fn content(&self, entry: &Entry) -> Result<Content, Error> {
        let registration = self.log.event(entry.registered_at).await?.ok_or_else(Error::internal)?;
        Content::of(&registration.decode()?.event).ok_or_else(Error::internal)
    }

    /// A page of the events that rest on a reading, and the token of the next one.
    async fn dependents(
        &self,
        reading: &ReadingId,
        page: &Page,
        filter: &Filter,
        moment: Moment,
        contested: bool,
    ) -> Result<(Vec<pb::Dependent>, String), Error> {
        let tags = [Subject::Reading(reading.clone()).tag()];
        // A place of ours is a position.
        let mut after = page.place.as_ref().map_or(0, |place| place.after.parse().unwrap_or(moment.position));
        let (mut dependents, mut looked_through) = (Vec::new(), 0);
        while after < moment.position {
            let filed = self.log.read_tags(&tags, after, moment.position, PAGE_EVENTS).await?;
            looked_through += filed.events.len();
            for event in &filed.events {
                let recorded = event.decode()?;
                let dependent = render::dependent(&recorded, &event.event_type, contested);
                // The reading's own life is filed under it too, and does not rest on it.
                if recorded.context.readings.contains(reading) && passes(filter, &dependent) {
                    if dependents.len() == page.size {
                        return Ok((dependents, page.next(&moment.after(after.to_string()))));
                    }
                    dependents.push(dependent);
                }
                after = event.position;
            }
            after = filed.through;
            if looked_through >= LOOKED_THROUGH_MAX && after < moment.position {
                return Ok((dependents, page.next(&moment.after(after.to_string()))));
            }
        }
        Ok((dependents, String::new()))
    }
}

/// A filter on the views' columns, two of which can't have the wire's name: every view has columns so called.
fn conditions(filter: &Filter) -> Conditions {
    let column = |field| match field {
        "number" => Documents::NUMBER,
        "state" => Readings::STANDING,
        same => same,
    };
    filter.terms.iter().fold(Conditions::none(), |conditions, term| {
        conditions.term(&Term { field: column(term.field), ..term.clone() })
    })
}

fn passes(filter: &Filter, dependent: &pb::Dependent) -> bool {
    filter.passes(|field| match field {
        "type" => Some(Value::Text(dependent.r#type.clone())),
        "subject" => Some(Value::Text(dependent.subject.clone())),
        _ => None,
    })
}

#[tonic::async_trait]
impl DocumentService for TasksDoor {
    async fn register_document(
        &self,
        request: Request<pb::RegisterDocumentRequest>,
    ) -> Result<Response<pb::RegisterDocumentResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::register_document(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (document, receipt) = (document(&outcome)?, self.receipt(&outcome));
        Ok(Response::new(pb::RegisterDocumentResponse { document, receipt }))
    }

    async fn identify_document(
        &self,
        request: Request<pb::IdentifyDocumentRequest>,
    ) -> Result<Response<pb::IdentifyDocumentResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::identify(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (document, receipt) = (document(&outcome)?, self.receipt(&outcome));
        Ok(Response::new(pb::IdentifyDocumentResponse { document, receipt }))
    }

    async fn repeal_document(
        &self,
        request: Request<pb::RepealDocumentRequest>,
    ) -> Result<Response<pb::RepealDocumentResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::repeal(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (document, receipt) = (document(&outcome)?, self.receipt(&outcome));
        Ok(Response::new(pb::RepealDocumentResponse { document, receipt }))
    }

    async fn record_anomaly(
        &self,
        request: Request<pb::RecordAnomalyRequest>,
    ) -> Result<Response<pb::RecordAnomalyResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::record_anomaly(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (anomaly, receipt) = (anomaly(&outcome)?, self.receipt(&outcome));
        Ok(Response::new(pb::RecordAnomalyResponse { anomaly, receipt }))
    }

    async fn adopt_reading(
        &self,
        request: Request<pb::AdoptReadingRequest>,
    ) -> Result<Response<pb::AdoptReadingResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::adopt_reading(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (reading, receipt) = (reading(&outcome)?, self.receipt(&outcome));
        Ok(Response::new(pb::AdoptReadingResponse { reading, receipt }))
    }

    async fn withdraw_reading(
        &self,
        request: Request<pb::WithdrawReadingRequest>,
    ) -> Result<Response<pb::WithdrawReadingResponse>, Status> {
        let call = Call::of(&request)?;
        let (asked, command) = convert::withdraw_reading(&call, request.into_inner())?;
        let outcome = self.log.execute(&asked, command).await.map_err(status)?;
        let (reading, receipt) = (reading(&outcome)?, self.receipt(&outcome));
        Ok(Response::new(pb::WithdrawReadingResponse { reading, receipt }))
    }

    async fn get_document(
        &self,
        request: Request<pb::GetDocumentRequest>,
    ) -> Result<Response<pb::GetDocumentResponse>, Status> {
        let call = Call::of(&request)?;
        let (name, as_of) = convert::get_document(request.into_inner())?;
        let (found, moment) = call.find::<Of<Documents>>(&self.views, as_of, &name.to_string()).await?;
        let entry = found.ok_or_else(|| not_found(Reason::DocumentNotFound, name))?.columns.state;
        let document = Some(render::document(&entry, Some(&self.content(&entry).await?)));
        Ok(Response::new(pb::GetDocumentResponse { document, answer: self.answer(moment).await? }))
    }

    async fn list_documents(
        &self,
        request: Request<pb::ListDocumentsRequest>,
    ) -> Result<Response<pb::ListDocumentsResponse>, Status> {
        let call = Call::of(&request)?;
        let scope = call.scope(self.log.identity());
        let List { page, filter, as_of } = convert::list_documents(&scope, request.into_inner())?;
        let listed = call.list::<Of<Documents>>(&self.views, as_of, &page, conditions(&filter)).await?;
        Ok(Response::new(pb::ListDocumentsResponse {
            documents: listed.rows.iter().map(|row| render::document(&row.columns.state, None)).collect(),
            next_page_token: listed.next_page_token,
            answer: self.answer(listed.moment).await?,
        }))
    }

    async fn list_anomalies(
        &self,
        request: Request<pb::ListAnomaliesRequest>,
    ) -> Result<Response<pb::ListAnomaliesResponse>, Status> {
        let call = Call::of(&request)?;
        let scope = call.scope(self.log.identity());
        let (document, list) = convert::list_anomalies(&scope, request.into_inner())?;
        let place = |row: &Kept<Anomalies>| row.columns.columns.place.clone();
        let parts = self.parts::<Anomalies>(&call, &document, list, place).await?;
        Ok(Response::new(pb::ListAnomaliesResponse {
            anomalies: parts.states.iter().map(|anomaly| render::anomaly(anomaly, parts.last)).collect(),
            next_page_token: parts.next_page_token,
            answer: self.answer(parts.moment).await?,
        }))
    }

    async fn list_readings(
        &self,
        request: Request<pb::ListReadingsRequest>,
    ) -> Result<Response<pb::ListReadingsResponse>, Status> {
        let call = Call::of(&request)?;
        let scope = call.scope(self.log.identity());
        let (document, list) = convert::list_readings(&scope, request.into_inner())?;
        let place = |row: &Kept<Readings>| row.columns.columns.place.clone();
        let parts = self.parts::<Readings>(&call, &document, list, place).await?;
        Ok(Response::new(pb::ListReadingsResponse {
            readings: parts.states.iter().map(|reading| render::reading(reading, parts.last)).collect(),
            next_page_token: parts.next_page_token,
            answer: self.answer(parts.moment).await?,
        }))
    }

    async fn list_dependents(
        &self,
        request: Request<pb::ListDependentsRequest>,
    ) -> Result<Response<pb::ListDependentsResponse>, Status> {
        let call = Call::of(&request)?;
        let scope = call.scope(self.log.identity());
        let (reading, list) = convert::list_dependents(&scope, request.into_inner())?;
        let List { page, filter, as_of } = list;
        let (mut snapshot, moment) =
            call.ask::<Of<Readings>>(&self.views, as_of, page.place.as_ref()).await?;
        let of_name = Conditions::none().equal("key", reading.to_string());
        let known = duban_rpc::rows::at::<Of<Readings>>(&mut snapshot, moment, of_name, "").await?;
        drop(snapshot);
        let contested = match known.first() {
            Some(row) => !row.columns.state.is_in_force(),
            None if moment.position == 0 => false,
            None => return Err(not_found(Reason::ReadingNotFound, reading).into()),
        };
        let (dependents, next_page_token) =
            self.dependents(&reading, &page, &filter, moment, contested).await?;
        let answer = self.answer(moment).await?;
        Ok(Response::new(pb::ListDependentsResponse { dependents, next_page_token, answer }))
    }
}
