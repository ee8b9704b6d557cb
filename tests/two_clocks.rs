//! Who answered for what, under which name, how far had it come: on any day, as known at any position.
//!
//! A story of changes dated back into periods that later ended, corrected, refused and planned ahead is told
//! over gRPC. Then every month of several years is asked as known after every event, and each answer compared
//! with [`model`], which folds the events read from the audit service by hand, one day at a time.

mod model;
mod obligations;
mod story;

use duban_proto::call::v1 as call;
use duban_proto::call::v1::as_of::Known;
use duban_proto::tasks::v1 as tasks;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tonic::{Code, Response, Status};

use self::model::{Model, answers};
use crate::support::{
    As, Office, agency, assignment, because, from, noon, reason_of, task, valid_on, valid_on_known_at,
};

/// How many questions are under way at once.
const AT_ONCE: usize = 16;

/// The first of every month from 2021 to 2026.
fn months() -> Vec<String> {
    let months = (2021..=2026).flat_map(|year| (1..=12).map(move |month| format!("{year}-{month:02}-01")));
    months.collect()
}

/// Asks on both clocks; `ask` compares one answer with the model. These days and every month, as known at the end
/// of every day on which something was recorded; and as known at every single position, on some of these days.
async fn everywhere(
    model: &Model,
    mut days: Vec<String>,
    ask: impl AsyncFn(&str, u64) -> Result<(), Status>,
) {
    days.extend(months());
    let (ask, days, ends) = (&ask, &days, &model.ends_of_days());
    let head = model.events.len() as u64;
    let at_ends = days.iter().flat_map(|day| ends.iter().map(move |end| (day, *end)));
    let in_turn = (0..=2 * head).map(|number| (&days[number as usize * 7 % days.len()], number / 2));
    let asked = stream::iter(at_ends.chain(in_turn)).map(|(day, position)| ask(day, position));
    asked.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await.expect("every question has an answer");
}

#[tokio::test]
async fn who_answers_is_what_the_events_say_on_every_day_as_known_at_every_position() {
    let office = story::told().await;
    let (auditor, model) = (office.auditor(), Model::of(&office).await);
    everywhere(&model, model.edges(), async |day, position| {
        let expected = model.responsibilities(day, position);
        let reply = auditor.matrix(valid_on_known_at(day, position)).await?;
        model.check_answer(reply.answer.as_ref(), day, position);
        let told: Vec<_> = reply.responsibilities.iter().map(answers).collect();
        assert_eq!(told, expected, "the matrix on {day} as known at {position}");
        model.check_because(&reply.responsibilities, day, position);
        Ok(())
    })
    .await;
    office.verify().await;
}

#[tokio::test]
async fn of_a_task_and_of_an_agency_the_same_is_told_as_in_the_matrix() {
    let office = story::told().await;
    let (auditor, model) = (office.auditor(), Model::of(&office).await);
    everywhere(&model, vec![], async |day, position| {
        let all = model.responsibilities(day, position);
        for id in story::TASKS {
            let as_of = valid_on_known_at(day, position);
            let request = tasks::GetTaskResponsibilityRequest { task: task(id), as_of, consistency: None };
            let reply =
                auditor.responsibility().get_task_responsibility(request).await.map(Response::into_inner);
            let Some(rows) = model.known(reply, position, &task(id), "TASK_NOT_FOUND") else { continue };
            let rows = rows.responsibilities;
            let of_it: Vec<_> = all.iter().filter(|row| row.task == task(id)).cloned().collect();
            assert_eq!(
                rows.iter().map(answers).collect::<Vec<_>>(),
                of_it,
                "{id} on {day} as known at {position}"
            );
        }
        // One agency a question, each in its turn.
        let id = story::AGENCIES[(position as usize + day.as_bytes()[6] as usize) % story::AGENCIES.len()];
        let as_of = valid_on_known_at(day, position);
        let request =
            tasks::GetAgencyResponsibilityRequest { agency: agency(id), as_of, ..Default::default() };
        let reply = auditor.responsibility().get_agency_responsibility(request).await;
        let reply = reply.map(Response::into_inner);
        let Some(reply) = model.known(reply, position, &agency(id), "AGENCY_NOT_FOUND") else {
            return Ok(());
        };
        let rows: Vec<_> = reply.responsibilities.iter().map(answers).collect();
        let of_it: Vec<_> = all.iter().filter(|row| row.agency == agency(id)).cloned().collect();
        assert_eq!(rows, of_it, "{id} on {day} as known at {position}");
        Ok(())
    })
    .await;
    office.verify().await;
}

#[tokio::test]
async fn names_are_what_the_events_say_on_every_day_as_known_at_every_position() {
    let office = story::told().await;
    let (auditor, model) = (office.auditor(), Model::of(&office).await);
    everywhere(&model, model.edges(), async |day, position| {
        let id = story::RENAMED;
        if day < "2020-01-01" {
            let before = auditor.get_agency(id, valid_on_known_at(day, position)).await;
            assert!(before.is_err() || position == 0, "before it was there");
            return Ok(());
        }
        let reply = auditor.get_agency(id, valid_on_known_at(day, position)).await;
        let Some(reply) = model.known(reply, position, &agency(id), "AGENCY_NOT_FOUND") else {
            return Ok(());
        };
        model.check_answer(reply.answer.as_ref(), day, position);
        let Some(found) = reply.agency else {
            assert_eq!(position, 0, "an answer without an agency");
            return Ok(());
        };
        let expected = model.full_name(&agency(id), day, position).expect("it is known");
        assert_eq!(found.full_name, expected, "{id} on {day} as known at {position}");
        assert!(found.because.iter().all(|&at| at <= position && model.mentions(at, &agency(id))));
        Ok(())
    })
    .await;
    office.verify().await;
}

#[tokio::test]
async fn how_far_a_task_has_come_is_what_the_events_say_on_every_day_as_known_at_every_position() {
    let office = story::told().await;
    let (auditor, model) = (office.auditor(), Model::of(&office).await);
    everywhere(&model, model.edges(), async |day, position| {
        for id in story::TASKS {
            let reply = auditor.get_task(id, valid_on_known_at(day, position)).await;
            let expected = model.task(&task(id), day, position);
            let found = match (reply, &expected) {
                (Err(status), None) => {
                    assert_eq!(reason_of(&status), (Code::NotFound, "TASK_NOT_FOUND".to_owned()));
                    continue;
                }
                (reply, _) => reply?.task,
            };
            let Some(found) = found else {
                assert_eq!(position, 0, "an answer without a task");
                continue;
            };
            assert_eq!(Some(model::progress(&found)), expected, "{id} on {day} as known at {position}");
            assert!(found.because.iter().all(|&at| at <= position && model.mentions(at, &task(id))));
        }
        Ok(())
    })
    .await;
    office.verify().await;
}

/// Each row of the matrix names events that are there and concern it, and Explain gives them in full.
#[tokio::test]
async fn every_answer_names_its_events_and_explain_gives_them_in_full() {
    let office = story::told().await;
    let (auditor, model) = (office.auditor(), Model::of(&office).await);
    for day in ["2022-06-01", "2022-11-01", "2023-08-01", "2025-08-01"] {
        for position in model.ends_of_days().into_iter().skip(1) {
            let as_of = || valid_on_known_at(day, position);
            for row in auditor.matrix(as_of()).await.expect("a matrix").responsibilities {
                let explained = auditor.explain(&row.assignment, as_of()).await.expect("explained");
                model.check_explained(&explained, position);
                let given: Vec<u64> = explained.events.iter().map(|event| event.position).collect();
                assert!(!row.because.is_empty(), "{row:?}");
                assert!(row.because.iter().all(|at| given.contains(at)), "{row:?} of {given:?}");
            }
            for name in story::TASKS.map(task).into_iter().chain([agency(story::RENAMED)]) {
                let reply = auditor.explain(&name, as_of()).await;
                let Some(explained) = model.known(reply, position, &name, "TASK_NOT_FOUND") else { continue };
                model.check_explained(&explained, position);
                assert!(explained.events.iter().all(|event| model.mentions(event.position, &name)), "{name}");
            }
        }
    }
    office.verify().await;
}

/// An overlap is refused with the periods in the way; what is refused leaves no trace on either clock.
#[tokio::test]
async fn an_overlap_is_refused_with_the_periods_in_the_way() {
    use tasks::AssignmentRole as Role;
    let office = story::told().await;
    let supervisor = office.supervisor();
    let detail = |status: &Status, key: &str| {
        let details = tonic_types::StatusExt::get_error_details(status);
        details.error_info().and_then(|info| info.metadata.get(key).cloned()).unwrap_or_default()
    };
    let on = || from("2022-11-01");
    let until = Some("2023-01-15");
    let again = supervisor.assign(on(), ("t", "x"), "e", Role::Supporting, until);
    let status = office.refuses("AGENCY_ALREADY_ASSIGNED", again).await;
    assert_eq!(detail(&status, "assignment"), assignment("t", "d-e"));
    assert_eq!(detail(&status, "period"), "[2022-10-15, 2023-02-01)");
    let status =
        office.refuses("LEAD_TAKEN", supervisor.assign(on(), ("t", "x"), "g", Role::Lead, until)).await;
    assert_eq!(detail(&status, "period"), "[2022-10-15, 2023-02-01)");
    // The day after the named period: reassign whoever holds that day.
    let outside = supervisor.reassign(from("2022-12-01"), ("t", "a-d"), "g", "x");
    let status = office.refuses("OUTSIDE_PERIOD", outside).await;
    assert_eq!(detail(&status, "period"), "[2022-05-01, 2022-10-15)");
    office.verify().await;
}

/// The second clock by instant, by day and by position: one answer, forever.
#[tokio::test]
async fn what_was_known_is_asked_by_instant_by_day_and_by_position() {
    let office = story::told().await;
    let (auditor, model) = (office.auditor(), Model::of(&office).await);
    let ask = async |known| {
        let as_of = Some(call::AsOf { valid_on: Some("2022-11-01".to_owned()), known: Some(known) });
        auditor.matrix(as_of).await
    };
    for event in &model.events {
        let at = event.recorded_at.expect("a time");
        let day = model::day_of(at);
        // Of all that was recorded at that instant, and on that day, the last one.
        let last_at = model.last_recorded(|other| (other.seconds, other.nanos) <= (at.seconds, at.nanos));
        let by_instant = ask(Known::KnownAt(at)).await.expect("an answer");
        assert_eq!(by_instant, ask(Known::Position(last_at)).await.expect("an answer"));
        assert_eq!(by_instant.answer.as_ref().expect("an answer").position, last_at);
        let last_on = model.last_recorded(|other| model::day_of(other) <= day);
        let by_day = ask(Known::KnownOn(day)).await.expect("an answer");
        assert_eq!(by_day, ask(Known::Position(last_on)).await.expect("an answer"));
    }
    let first = model.events[0].recorded_at.expect("a time");
    let before = prost_types::Timestamp { seconds: first.seconds - 1, ..first };
    for known in [Known::KnownAt(before), Known::KnownOn("2022-01-09".to_owned()), Known::Position(0)] {
        let reply = ask(known).await.expect("an answer");
        let answer = reply.answer.expect("an answer");
        assert_eq!((answer.position, answer.knowledge()), (0, call::Knowledge::NothingKnown));
        assert!(reply.responsibilities.is_empty() && answer.recorded_at.is_none());
    }
    let now = prost_types::Timestamp { seconds: noon(story::TODAY).as_second(), nanos: 0 };
    let head = office.head().await;
    for known in [Known::KnownAt(now), Known::KnownOn(story::TODAY.to_owned())] {
        assert_eq!(ask(known).await.expect("an answer").answer.expect("an answer").position, head);
    }
    let later = prost_types::Timestamp { seconds: now.seconds + 1, ..now };
    let future =
        [Known::KnownAt(later), Known::KnownOn(story::TOMORROW.to_owned()), Known::Position(head + 1)];
    for known in future {
        let status = ask(known).await.expect_err("not yet");
        assert_eq!(reason_of(&status), (Code::OutOfRange, "POSITION_BEYOND_HEAD".to_owned()));
    }
    office.verify().await;
}

/// An answer once given stays: asked again as of the same date and position after more has happened.
#[tokio::test]
async fn an_earlier_belief_stays_answerable() {
    let office = story::told().await;
    let auditor = office.auditor();
    let head = office.head().await;
    let ask = async |day: &str, auditor: &As| {
        auditor.matrix(valid_on_known_at(day, head)).await.expect("an answer")
    };
    let mut before = Vec::new();
    for day in months() {
        before.push(ask(&day, &auditor).await);
    }
    let now = office.who("t", valid_on("2022-08-01")).await;
    office.reassign("t", "a-d", "g", "2022-06-01").await;
    assert_ne!(office.who("t", valid_on("2022-08-01")).await, now, "it is known otherwise now");
    for (day, told) in months().into_iter().zip(before) {
        assert_eq!(ask(&day, &auditor).await, told, "{day} as known at {head}");
    }
    office.verify().await;
}

/// A day corrected to before the task was even proposed is a day of that task all the same.
#[tokio::test]
async fn a_task_is_called_by_its_title_on_days_before_it_was_proposed() {
    let office = Office::open().await;
    office.register_agencies(&["a"]).await;
    office.dispatch("t", "2026-03-01", &["a"]).await;
    let start = (None, Some("a"));
    let corrected =
        office.supervisor().correct_boundary(because("以公文为准"), "t", start, "2026-02-01").await;
    corrected.expect("it is active then");
    let rows = office.auditor().matrix(valid_on("2026-02-15")).await.expect("a matrix").responsibilities;
    let shown: Vec<_> = rows.iter().map(|row| (row.agency.as_str(), row.task_title.as_str())).collect();
    assert_eq!(shown, [("agencies/a", "任务t")]);
    office.verify().await;
}

/// The echo in an answer is of the head, when nothing is said of what was known.
#[tokio::test]
async fn a_log_without_events_knows_nothing() {
    let office = Office::open().await;
    let reply = office.auditor().matrix(None).await.expect("an answer");
    let answer = reply.answer.expect("an answer");
    assert_eq!((answer.valid_on.as_str(), answer.position), ("2026-03-02", 0));
    assert_eq!(answer.knowledge(), call::Knowledge::NothingKnown);
    let request = tasks::GetTaskResponsibilityRequest { task: task("t"), ..Default::default() };
    let of_task =
        office.auditor().responsibility().get_task_responsibility(request).await.expect("an answer");
    let of_task = of_task.into_inner();
    assert_eq!(of_task.answer.expect("an answer").knowledge(), call::Knowledge::NothingKnown);
    assert!(of_task.responsibilities.is_empty());
    office.verify().await;
}
