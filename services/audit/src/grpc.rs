//! The door of the audit service: an RPC a handler, nothing else.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use duban_domain::time::civil_date;
use duban_log::Log;
use duban_proto::audit::v1 as pb;
use duban_proto::audit::v1::audit_service_server::AuditService;
use duban_rpc::{Call, Error, Place, identity, instant, status};
use futures::{Stream, StreamExt as _, stream};
use tonic::{Request, Response, Status};

use crate::convert;
use crate::deliver::Delivery;
use crate::explain::explain;
use crate::read::{Part, Reading};
use crate::subscribe::{CHECKPOINT_EVERY, Source, Subscription};
use crate::types;

/// The replies of a stream.
pub(crate) type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The audit service on one log.
#[derive(Clone)]
pub struct AuditDoor {
    source: Source,
}

impl AuditDoor {
    /// Answers from this log.
    pub fn new(log: Log) -> Self {
        Self { source: Source { log, recent: Arc::default(), checkpoint_every: CHECKPOINT_EVERY } }
    }

    /// Tells quiet subscribers where they stand this often, instead of every [`CHECKPOINT_EVERY`].
    #[must_use]
    pub fn checkpoint_every(mut self, interval: Duration) -> Self {
        self.source.checkpoint_every = interval;
        self
    }

    fn log(&self) -> &Log {
        &self.source.log
    }

    async fn reading(&self, call: &Call, request: pb::ReadRequest) -> Result<Reading, Error> {
        let convert::Read { after, up_to, limit, selection, format } = convert::read(request)?;
        let (log, head) = (self.log().identity(), self.log().head().await?);
        let after = after.within(log, head)?;
        let up_to = up_to.unwrap_or(head);
        if up_to > head {
            return Err(Error::beyond_head(head));
        }
        let part = Part { after, up_to, limit, selection };
        Ok(Reading::new(self.log().clone(), part, Delivery { log, format }, call.draining().clone()))
    }

    async fn subscription(&self, call: &Call, request: pb::SubscribeRequest) -> Result<Subscription, Error> {
        let convert::Subscribe { after, selection, format } = convert::subscribe(request)?;
        let (log, head) = (self.log().identity(), self.log().head().await?);
        let after = after.within(log, head)?;
        let delivery = Delivery { log, format };
        let draining = call.draining().clone();
        Ok(Subscription::new(self.source.clone(), (after, head), selection, delivery, draining))
    }

    async fn position(&self, position: u64) -> Result<pb::GetHeadResponse, Error> {
        let recorded_at = self.log().recorded_at(position).await?.map(instant);
        Ok(pb::GetHeadResponse { log: Some(identity(self.log().identity())), position, recorded_at })
    }
}

#[tonic::async_trait]
impl AuditService for AuditDoor {
    type ReadStream = Replies<pb::ReadResponse>;
    type SubscribeStream = Replies<pb::SubscribeResponse>;

    async fn read(&self, request: Request<pb::ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let call = Call::of(&request)?;
        let reading = self.reading(&call, request.into_inner()).await?;
        let pages = stream::try_unfold(reading, async |mut reading| {
            Ok::<_, Error>(reading.next().await?.map(|page| (page, reading)))
        });
        Ok(Response::new(call.replies(pages).boxed()))
    }

    async fn subscribe(
        &self,
        request: Request<pb::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let call = Call::of(&request)?;
        let subscription = self.subscription(&call, request.into_inner()).await?;
        let frames = stream::try_unfold(subscription, async |mut subscription| {
            Ok::<_, Error>(Some((subscription.next().await?, subscription)))
        });
        Ok(Response::new(call.replies(frames).boxed()))
    }

    async fn get_head(
        &self,
        request: Request<pb::GetHeadRequest>,
    ) -> Result<Response<pb::GetHeadResponse>, Status> {
        Call::of(&request)?;
        let pb::GetHeadRequest {} = request.into_inner();
        let head = self.log().head().await.map_err(status)?;
        Ok(Response::new(self.position(head).await?))
    }

    async fn resolve_position(
        &self,
        request: Request<pb::ResolvePositionRequest>,
    ) -> Result<Response<pb::ResolvePositionResponse>, Status> {
        Call::of(&request)?;
        let time = convert::time(request.into_inner())?;
        let position = time.position(self.log()).await?.ok_or_else(Error::internal)?;
        let pb::GetHeadResponse { log, position, recorded_at } = self.position(position).await?;
        Ok(Response::new(pb::ResolvePositionResponse { log, position, recorded_at }))
    }

    async fn explain(
        &self,
        request: Request<pb::ExplainRequest>,
    ) -> Result<Response<pb::ExplainResponse>, Status> {
        Call::of(&request)?;
        let (named, as_of) = convert::explain(request.into_inner())?;
        Ok(Response::new(explain(self.log(), &named, as_of).await?))
    }

    async fn get_event_schema(
        &self,
        request: Request<pb::GetEventSchemaRequest>,
    ) -> Result<Response<pb::GetEventSchemaResponse>, Status> {
        Call::of(&request)?;
        let event_type = convert::schema(request.into_inner())?;
        Ok(Response::new(types::schema(&event_type)?))
    }

    async fn list_event_types(
        &self,
        request: Request<pb::ListEventTypesRequest>,
    ) -> Result<Response<pb::ListEventTypesResponse>, Status> {
        let call = Call::of(&request)?;
        let (page, filter) = convert::list(&call, self.log().identity(), request.get_ref())?;
        let after = page.place.as_ref().map_or("", |place| place.after.as_str());
        let (event_types, more) = types::page(&filter, after, page.size);
        // The list is the program's own, the same at every position and on every day.
        let (position, valid_on) = (0, civil_date(self.log().now()));
        let next_page_token = match event_types.last() {
            Some(last) if more => page.next(&Place { position, valid_on, after: last.r#type.clone() }),
            Some(_) | None => String::new(),
        };
        Ok(Response::new(pb::ListEventTypesResponse { event_types, next_page_token }))
    }
}
