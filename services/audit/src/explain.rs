//! Why a resource is as it is: its events folded up to a position, and each field with those behind it.

use std::collections::BTreeSet;

use duban_domain::explain::Field;
use duban_domain::{Date, Position, Reason, World};
use duban_log::{Log, Wanted};
use duban_proto::audit::v1 as pb;
use duban_rpc::{AsOf, Error, Moment, not_found};
use prost::Message as _;

use crate::deliver::event;
use crate::names::Named;

/// The most events given in full.
const EVENTS_MAX: usize = 1000;
/// The most bytes of events given in full: with the fields, a reply stays under what a client takes.
const EVENTS_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Explains `named` as of a moment. What was not there then is NOT_FOUND, with its own reason; before the
/// first event nothing is known, and that is the answer.
pub(crate) async fn explain(log: &Log, named: &Named, as_of: AsOf) -> Result<pb::ExplainResponse, Error> {
    let moment = moment(log, as_of).await?;
    let fields = if moment.position == 0 {
        Vec::new()
    } else {
        let world = log.fold(&[named.subject()], moment.position).await?;
        fields(&world, named, moment.valid_on)?
    };
    let behind: BTreeSet<Position> = fields.iter().flat_map(|field| &field.because).copied().collect();
    Ok(pb::ExplainResponse {
        name: named.to_string(),
        fields: fields.into_iter().map(reason).collect(),
        events: in_full(log, &behind).await?,
        answer: Some(moment.answer(log).await?),
    })
}

/// Whether `named` was there at `position`; NOT_FOUND, with its own reason, if not.
pub(crate) async fn there(log: &Log, named: &Named, position: Position) -> Result<(), Error> {
    let world = log.fold(&[named.subject()], position).await?;
    fields(&world, named, duban_domain::time::civil_date(log.now())).map(|_| ())
}

/// The moment that is meant, answered from the log itself: it has no view to wait for.
async fn moment(log: &Log, as_of: AsOf) -> Result<Moment, Error> {
    let AsOf { valid_on, known, wanted } = as_of;
    let head = log.head().await?;
    match wanted {
        Wanted::AtLeast(position) if position > head => return Err(Error::beyond_head(head)),
        Wanted::AtLeast(_) | Wanted::Head | Wanted::Latest => {}
    }
    let position = known.position(log).await?.unwrap_or(head);
    let valid_on = valid_on.unwrap_or_else(|| duban_domain::time::civil_date(log.now()));
    Ok(Moment { valid_on, position })
}

fn fields(world: &World, named: &Named, day: Date) -> Result<Vec<Field>, Error> {
    Ok(match named {
        Named::Document(name) => world.document(name)?.explain(),
        Named::Reading(name) => {
            let document = world.find_document(name.document());
            let reading = document.and_then(|document| document.readings.get(name));
            reading.ok_or_else(|| not_found(Reason::ReadingNotFound, name))?.explain()
        }
        Named::Agency(name) => world.agency(name)?.explain(day),
        Named::Task(name) => world.task(name)?.explain(day),
        Named::Assignment(name) => {
            let (_, assignment) = world.assignment(name)?;
            // Told of its task they are under `assignments/{assignment}`; told of itself they are its own.
            let prefix = format!("assignments/{}.", name.id());
            let own = |field: Field| match field.name.strip_prefix(&prefix) {
                Some(name) => Field { name: name.to_owned(), ..field },
                None => field,
            };
            assignment.explain(day).into_iter().map(own).collect()
        }
        Named::Cycle(name) => world.cycle(*name)?.explain(day),
        Named::Obligation(name) => world.obligation(name)?.explain(day),
        Named::Report(name) => world.report(name)?.explain(day),
        Named::Log(name) => world.log(name)?.explain(),
    })
}

fn reason(field: Field) -> pb::FieldReason {
    let Field { name, value, because } = field;
    let positions: BTreeSet<Position> = because.into_iter().collect();
    pb::FieldReason { field: name, value, positions: positions.into_iter().collect() }
}

async fn in_full(log: &Log, positions: &BTreeSet<Position>) -> Result<Vec<pb::Event>, Error> {
    let mut events = Vec::new();
    let mut bytes = 0;
    for &position in positions.iter().take(EVENTS_MAX) {
        // Whatever was folded is in the log.
        let stored = log.event(position).await?.ok_or_else(Error::internal)?;
        let event = event(&stored);
        bytes += event.encoded_len();
        if bytes > EVENTS_BYTES_MAX {
            break;
        }
        events.push(event);
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use duban_proto::call::v1::Knowledge;
    use duban_rpc::Known;

    use super::*;
    use crate::testing::{self, Fixture};

    async fn asked(fixture: &Fixture, name: &str, known: Known) -> Result<pb::ExplainResponse, Error> {
        let as_of = AsOf { valid_on: None, known, wanted: Wanted::Head };
        explain(&fixture.log, &Named::parse(name).unwrap(), as_of).await
    }

    fn field<'a>(reply: &'a pb::ExplainResponse, name: &str) -> (&'a str, &'a [Position]) {
        let field = reply.fields.iter().find(|field| field.field == name);
        let field = field.unwrap_or_else(|| panic!("no {name} in {:?}", reply.fields));
        (&field.value, &field.positions)
    }

    #[tokio::test]
    async fn each_field_names_the_events_behind_it_and_they_come_in_full() {
        let fixture = testing::log().await;
        fixture.append(&[testing::registered("fgw"), testing::registered("czt")]).await;
        fixture.append(&[testing::renamed("fgw", "省发展和改革委员会")]).await;
        let reply = asked(&fixture, "agencies/fgw", Known::Now).await.unwrap();
        assert_eq!(field(&reply, "full_name"), ("省发展和改革委员会", &[3][..]));
        assert_eq!(field(&reply, "kind").1, [1]);
        let in_full: Vec<_> = reply.events.iter().map(|event| event.position).collect();
        assert_eq!(in_full, [1, 3]);
        assert_eq!(reply.events[1].body, fixture.log.event(3).await.unwrap().unwrap().body.as_ref());
        assert_eq!(reply.answer.unwrap().position, 3);
    }

    #[tokio::test]
    async fn an_earlier_position_knows_what_was_known_then() {
        let fixture = testing::log().await;
        fixture.append(&[testing::registered("fgw")]).await;
        fixture.append(&[testing::renamed("fgw", "新")]).await;
        let reply = asked(&fixture, "agencies/fgw", Known::Position(1)).await.unwrap();
        assert_eq!(field(&reply, "full_name"), ("fgw", &[1][..]));
        let answer = reply.answer.unwrap();
        assert_eq!((answer.position, answer.knowledge()), (1, Knowledge::Known));
    }

    #[tokio::test]
    async fn a_reading_and_its_document_are_explained_apart() {
        let fixture = testing::log().await;
        fixture.append(&[testing::document("d"), testing::reading("d", "r")]).await;
        let document = asked(&fixture, "documents/d", Known::Now).await.unwrap();
        assert!(document.events.iter().all(|event| event.position == 1));
        let reading = asked(&fixture, "documents/d/readings/r", Known::Now).await.unwrap();
        assert_eq!(field(&reading, "statement").1, [2]);
    }

    #[tokio::test]
    async fn an_assignment_is_explained_in_its_own_fields() {
        let fixture = testing::log().await;
        fixture.append(&[testing::task("t"), testing::assigned("t", "a", "fgw")]).await;
        let task = asked(&fixture, "tasks/t", Known::Now).await.unwrap();
        assert_eq!(field(&task, "assignments/a.stage").1, [2]);
        let assignment = asked(&fixture, "tasks/t/assignments/a", Known::Now).await.unwrap();
        assert_eq!(field(&assignment, "stage").1, [2]);
        assert_eq!(assignment.events.len(), 1);
    }

    #[tokio::test]
    async fn what_is_not_there_is_told_with_its_own_reason() {
        let fixture = testing::log().await;
        fixture.append(&[testing::document("d"), testing::task("t")]).await;
        for (name, reason) in [
            ("documents/x", "DOCUMENT_NOT_FOUND"),
            ("documents/d/readings/x", "READING_NOT_FOUND"),
            ("documents/x/readings/x", "READING_NOT_FOUND"),
            ("agencies/x", "AGENCY_NOT_FOUND"),
            ("tasks/x", "TASK_NOT_FOUND"),
            ("tasks/t/assignments/x", "ASSIGNMENT_NOT_FOUND"),
            ("cycles/2026", "CYCLE_NOT_FOUND"),
            ("cycles/2026/obligations/fgw", "OBLIGATION_NOT_FOUND"),
            ("reports/x", "REPORT_NOT_FOUND"),
        ] {
            assert_eq!(asked(&fixture, name, Known::Now).await.unwrap_err().reason(), reason);
        }
        let before = asked(&fixture, "tasks/t", Known::Position(1)).await.unwrap_err();
        assert_eq!(before.reason(), "TASK_NOT_FOUND");
        let beyond = asked(&fixture, "tasks/t", Known::Position(3)).await.unwrap_err();
        assert_eq!(beyond.reason(), "POSITION_BEYOND_HEAD");
    }

    #[tokio::test]
    async fn before_the_first_event_nothing_is_known() {
        let fixture = testing::log().await;
        fixture.append(&[testing::registered("fgw")]).await;
        let reply = asked(&fixture, "agencies/fgw", Known::Position(0)).await.unwrap();
        assert!(reply.fields.is_empty() && reply.events.is_empty());
        assert_eq!(reply.answer.unwrap().knowledge(), Knowledge::NothingKnown);
    }
}
