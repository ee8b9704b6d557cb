//! The audit service's requests, read once.

use std::collections::BTreeSet;

use duban_domain::event::schemas;
use duban_domain::{Position, Tag};
use duban_log::LogIdentity;
use duban_proto::audit::v1 as pb;
use duban_proto::call::v1 as call;
use duban_rpc::validate::{date, line, uuid};
use duban_rpc::{AsOf, Call, Error, Field, Fields, Filter, Known, Page, gather, other_log};

use crate::deliver::Format;
use crate::names::Named;
use crate::select::Selection;
use crate::types::FILTERABLE;

/// The most types or subjects in a filter of events.
const FILTER_MAX: usize = 100;
/// The longest origin of a tree, in code points.
const ORIGIN_MAX: usize = 300;
/// The longest name of an event type, in code points.
const TYPE_MAX: usize = 100;

/// What Read asks for.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) after: Place,
    pub(crate) up_to: Option<Position>,
    /// `None`: no limit.
    pub(crate) limit: Option<u64>,
    pub(crate) selection: Selection,
    pub(crate) format: Format,
}

/// What Subscribe asks for.
#[derive(Debug)]
pub(crate) struct Subscribe {
    pub(crate) after: Place,
    pub(crate) selection: Selection,
    pub(crate) format: Format,
}

/// A cursor as it came; the log must still say whether it is one of its own.
#[derive(Debug)]
pub(crate) struct Place(Option<(LogIdentity, Position)>);

impl Place {
    /// The position to begin after; OTHER_LOG, with both identities, or POSITION_BEYOND_HEAD.
    pub(crate) fn within(&self, ours: LogIdentity, head: Position) -> Result<Position, Error> {
        match self.0 {
            None => Ok(0),
            Some((theirs, _)) if theirs != ours => {
                Err(other_log(ours, &format!("{}/{}", theirs.log, theirs.epoch)))
            }
            Some((_, position)) if position > head => Err(Error::beyond_head(head)),
            Some((_, position)) => Ok(position),
        }
    }
}

pub(crate) fn read(request: pb::ReadRequest) -> Result<Read, Error> {
    let pb::ReadRequest { after, up_to, limit, filter, format: form } = request;
    let limit = (limit > 0).then_some(limit);
    Fields::read(|f| {
        let (after, selection) = (place(f, after), selection(f, filter));
        let format = format(f, form);
        Ok(Read { after: after?, up_to, limit, selection: selection?, format: format? })
    })
}

pub(crate) fn subscribe(request: pb::SubscribeRequest) -> Result<Subscribe, Error> {
    let pb::SubscribeRequest { after, filter, format: form } = request;
    Fields::read(|f| {
        gather!(Subscribe {
            after: place(f, after),
            selection: selection(f, filter),
            format: format(f, form),
        })
    })
}

fn place(f: &mut Fields, cursor: Option<pb::Cursor>) -> Field<Place> {
    let cursor = f.maybe_message("after", cursor, |f, cursor| {
        let pb::Cursor { log, position } = cursor;
        let log = f.message("log", log, |f, identity| {
            let call::LogIdentity { log, epoch } = identity;
            gather!(LogIdentity { log: f.one("log", log, uuid), epoch: f.one("epoch", epoch, uuid) })
        });
        Ok((log?, position))
    });
    cursor.map(Place)
}

fn selection(f: &mut Fields, filter: Option<pb::EventFilter>) -> Field<Selection> {
    let read = f.maybe_message("filter", filter, |f, filter| {
        let pb::EventFilter { types, subjects } = filter;
        let types = f.many("types", types, FILTER_MAX, event_type);
        let tags = f.many("subjects", subjects, FILTER_MAX, subject);
        let tags: BTreeSet<Tag> = tags?.into_iter().flatten().collect();
        Ok(Selection { types: types?.into_iter().collect(), tags: tags.into_iter().collect() })
    });
    read.map(Option::unwrap_or_default)
}

/// A type that there is: a misspelt one would wait for ever.
fn event_type(text: &str) -> Result<String, &'static str> {
    schemas().contains_key(text).then(|| text.to_owned()).ok_or("is no event type: see ListEventTypes")
}

fn subject(text: &str) -> Result<Vec<Tag>, &'static str> {
    match Named::parse(text)?.tags() {
        tags if tags.is_empty() => Err("is an assignment, whose events are found under its task"),
        tags => Ok(tags),
    }
}

fn format(f: &mut Fields, number: i32) -> Field<Format> {
    if number == 0 {
        return Ok(Format::Event);
    }
    f.choice("format", number, |format| match format {
        pb::EventFormat::Unspecified => None,
        pb::EventFormat::Event => Some(Format::Event),
        pb::EventFormat::CloudEventsJson => Some(Format::CloudEvents),
    })
}

/// The time that ResolvePosition asks about.
pub(crate) fn time(request: pb::ResolvePositionRequest) -> Result<Known, Error> {
    use pb::resolve_position_request::Time;
    let pb::ResolvePositionRequest { time } = request;
    Fields::read(|f| match time {
        None => Err(f.invalid("at", "is required, or `on`")),
        Some(Time::At(at)) => f.instant("at", at).map(Known::At),
        Some(Time::On(on)) => f.one("on", on, date).map(Known::On),
    })
}

/// What Explain asks about, and as of when.
pub(crate) fn explain(request: pb::ExplainRequest) -> Result<(Named, AsOf), Error> {
    let pb::ExplainRequest { name, as_of, consistency } = request;
    Fields::read(|f| {
        let (named, as_of) = (f.one("name", name, Named::parse), f.as_of(as_of, consistency));
        Ok((named?, as_of?))
    })
}

/// The type whose schema is asked for.
pub(crate) fn schema(request: pb::GetEventSchemaRequest) -> Result<String, Error> {
    let pb::GetEventSchemaRequest { r#type } = request;
    Fields::read(|f| f.one("type", r#type, line(TYPE_MAX)).map(|line| line.to_string()))
}

/// The page of event types asked for.
pub(crate) fn list(
    call: &Call,
    log: LogIdentity,
    request: &pb::ListEventTypesRequest,
) -> Result<(Page, Filter), Error> {
    let query =
        pb::ListEventTypesRequest { page_size: 0, page_token: String::new(), filter: request.filter.clone() };
    Fields::read(|f| {
        let page = f.page(request.page_size, &request.page_token, &query, &call.scope(log));
        let filter = f.filter(&request.filter, &FILTERABLE);
        Ok((page?, filter?))
    })
}

/// The tree whose checkpoint GetCheckpoint asks for.
pub(crate) fn checkpoint(request: pb::GetCheckpointRequest) -> Result<String, Error> {
    let pb::GetCheckpointRequest { origin } = request;
    Fields::read(|f| tree(f, origin))
}

/// The tree and the position that ProveInclusion asks about.
pub(crate) fn inclusion(request: pb::ProveInclusionRequest) -> Result<(String, Position), Error> {
    let pb::ProveInclusionRequest { origin, position } = request;
    Fields::read(|f| {
        let (origin, there) = (tree(f, origin), from_one(f, "position", position));
        Ok((origin?, there?))
    })
}

/// The tree and the sizes that ProveConsistency asks about.
pub(crate) fn consistency(
    request: pb::ProveConsistencyRequest,
) -> Result<(String, Position, Option<Position>), Error> {
    let pb::ProveConsistencyRequest { origin, from_size, to_size } = request;
    Fields::read(|f| {
        let (origin, from) = (tree(f, origin), from_one(f, "from_size", from_size));
        let grown = to_size.is_none_or(|to_size| to_size >= from_size);
        let to = f.check(grown, "to_size", "is at least from_size");
        Ok((origin?, from?, to.map(|()| to_size)?))
    })
}

/// The origin of a tree; empty: the default one.
fn tree(f: &mut Fields, origin: String) -> Field<String> {
    let origin = Some(origin).filter(|origin| !origin.is_empty());
    f.maybe("origin", origin, line(ORIGIN_MAX))
        .map(|line| line.map(|line| line.to_string()).unwrap_or_default())
}

/// Positions, and sizes that are asked about, begin with 1.
fn from_one(f: &mut Fields, path: &str, number: u64) -> Field<u64> {
    f.check(number > 0, path, "is required, from 1 on").map(|()| number)
}

/// What ProveHistory asks for.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) origin: String,
    pub(crate) named: Named,
    pub(crate) tags: Vec<Tag>,
    pub(crate) after: Position,
    pub(crate) up_to: Option<Position>,
}

pub(crate) fn history(request: pb::ProveHistoryRequest) -> Result<History, Error> {
    let pb::ProveHistoryRequest { origin, name, after, up_to } = request;
    Fields::read(|f| {
        let origin = tree(f, origin);
        let (named, tags) =
            f.one("name", name, |name| Ok::<_, &'static str>((Named::parse(name)?, subject(name)?)))?;
        Ok(History { origin: origin?, named, tags, after, up_to })
    })
}
