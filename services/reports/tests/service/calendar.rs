//! The calendar: whom it asks to report, whom it finds silent, once each, wherever it is interrupted.

use std::collections::BTreeMap;
use std::time::Duration;

use duban_domain::assignment::Role as Part;
use duban_domain::time::end_of;
use duban_log::StoredEvent;
use duban_proto::reports::v1 as pb;
use duban_reports::{Calendar, Health};
use jiff::SignedDuration;

use crate::requests::{DUE, valid_on};
use crate::support::{Service, TODAY, coordinator, said};

/// Longer than anything takes that is going to happen.
const PATIENCE: Duration = Duration::from_secs(30);

async fn events(service: &Service) -> Vec<StoredEvent> {
    service.log.read(0, 1000).await.unwrap().events
}

/// How often each type of event is in the log.
async fn counts(service: &Service) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in events(service).await {
        *counts.entry(event.event_type).or_default() += 1;
    }
    counts
}

/// Waits until the log has come to a position.
async fn reach(service: &Service, position: u64) {
    let mut head = service.log.watch();
    tokio::time::timeout(PATIENCE, head.wait_for(|head| *head >= position)).await.unwrap().unwrap();
}

#[tokio::test]
async fn every_lead_of_the_annex_must_report_and_under_the_other_rule_the_first_named() {
    let service = Service::start().await;
    service.with_the_annex().await;
    let opened = service.open_cycle(2026).await.receipt.unwrap().last_position;
    // By itself, when it hears of the cycle.
    reach(&service, opened + 30).await;
    let cycle = said(service.cycle(valid_on(TODAY)).await).cycle.unwrap();
    assert_eq!((cycle.stage(), cycle.obligation_count), (pb::CycleStage::Open, 29));
    let owing = service.owing("", valid_on(TODAY)).await;
    assert_eq!((owing.len(), owing[0].as_str(), owing[28].as_str()), (29, "a01", "a29"));

    let rule = Some("first-named".to_owned());
    let request = pb::OpenCycleRequest { rule, ..crate::requests::opening(2027) };
    let second =
        said(service.cycles.clone().open_cycle(coordinator(request)).await).receipt.unwrap().last_position;
    reach(&service, second + 12).await;
    service.tick().await;
    assert_eq!(service.types_after(second).await.len(), 12);
    service.stop().await;
}

#[tokio::test]
async fn what_it_does_points_to_what_made_it_act() {
    let service = Service::with_open_cycle().await;
    let all = events(&service).await;
    let opened = all.iter().find(|event| event.event_type == "cycle.opened.v1").unwrap();
    let done = &all[usize::try_from(opened.position).unwrap()..];
    let types: Vec<_> = done.iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(types, ["obligation.opened.v1", "obligation.opened.v1", "cycle.enrolled.v1"]);
    for event in done {
        assert_eq!(
            (event.actor.as_str(), event.role.as_str(), &event.agency),
            ("system:calendar", "system", &None)
        );
        assert_eq!((event.causation, event.correlation), (Some(opened.position), opened.correlation));
    }
    service.on("2026-12-21");
    service.tick().await;
    let all = events(&service).await;
    for missed in &all[all.len() - 2..] {
        let owed = missed.tags.first().unwrap();
        let obligation = &all[usize::try_from(owed.previous).unwrap() - 1];
        assert_eq!(
            (obligation.event_type.as_str(), missed.causation),
            ("obligation.opened.v1", Some(owed.previous))
        );
        assert_eq!(missed.correlation, opened.correlation);
        assert_eq!(missed.effective_on.to_string(), DUE);
    }
    service.stop().await;
}

#[tokio::test]
async fn interrupted_again_and_again_it_goes_on_where_it_was() {
    let mut service = Service::without_calendar().await;
    service.with_the_annex().await;
    let opened = service.open_cycle(2026).await.receipt.unwrap().last_position;
    let mut interruptions = 0;
    while service.head().await < opened + 30 {
        let next = service.head().await + 3;
        service.start_calendar().await;
        reach(&service, next.min(opened + 30)).await;
        service.calendar.take().unwrap().stop().await;
        interruptions += usize::from(service.head().await < opened + 30);
        service = service.restart().await;
    }
    assert!(interruptions > 1, "it was never interrupted");
    service.start_calendar().await;
    service.tick().await;
    assert_eq!(service.head().await, opened + 30);
    let counts = counts(&service).await;
    assert_eq!((counts["obligation.opened.v1"], counts["cycle.enrolled.v1"]), (29, 1));
    assert_eq!(said(service.cycle(valid_on(TODAY)).await).cycle.unwrap().obligation_count, 29);
    assert_eq!(service.owing("state = OPEN", valid_on(TODAY)).await.len(), 29);
    service.stop().await;
}

/// It had been asked and need not; found to lead before the opening was finished, it must.
#[tokio::test]
async fn who_is_found_to_lead_while_it_is_interrupted_must_report_too() {
    let mut service = Service::without_calendar().await;
    service.with_the_annex().await;
    service.register("a00").await;
    service.dispatch("former", &[("a00", Part::Lead)]).await;
    service.reassign("former", "a00", "a01", "2026-02-01").await;
    let opened = service.open_cycle(2026).await.receipt.unwrap().last_position;
    service.start_calendar().await;
    reach(&service, opened + 3).await;
    service.calendar.take().unwrap().stop().await;
    assert!(service.head().await < opened + 10, "it was never interrupted");
    service.reassign("t00", "a12", "a00", "2026-01-01").await;
    service.start_calendar().await;
    service.tick().await;
    let owing = service.owing("", valid_on(TODAY)).await;
    assert_eq!((owing.len(), owing[0].as_str()), (29, "a00"));
    assert!(!owing.contains(&"a12".to_owned()));
    assert_eq!(said(service.cycle(valid_on(TODAY)).await).cycle.unwrap().obligation_count, 29);
    service.stop().await;
}

/// A turn that the other one got in the way of is taken again, as the calendar itself does.
async fn turn(calendar: &Calendar) {
    let mut ended = calendar.tick().await;
    for _ in 0..10 {
        if ended.is_err() {
            ended = calendar.tick().await;
        }
    }
    ended.unwrap();
}

#[tokio::test]
async fn two_calendars_at_once_do_nothing_twice() {
    let mut service = Service::without_calendar().await;
    service.with_the_annex().await;
    service.start_calendar().await;
    // As another process on the same log would have it.
    let second = Calendar::start(&service.log, &service.views).await.unwrap();
    let opened = service.open_cycle(2026).await.receipt.unwrap().last_position;
    tokio::join!(turn(service.calendar.as_ref().unwrap()), turn(&second));
    assert_eq!(service.head().await, opened + 30);
    service.on("2026-12-21");
    tokio::join!(turn(service.calendar.as_ref().unwrap()), turn(&second));
    assert_eq!(counts(&service).await["obligation.missed.v1"], 29);
    assert_eq!(service.head().await, opened + 30 + 29);
    second.stop().await;
    service.stop().await;
}

#[tokio::test]
async fn a_day_is_over_when_it_ends_in_shanghai() {
    let service = Service::with_open_cycle().await;
    let end = end_of(DUE.parse().unwrap());
    let head = service.head().await;
    service.clock.set(end - SignedDuration::from_micros(1));
    service.tick().await;
    assert_eq!(service.head().await, head);
    service.clock.set(end);
    // By itself, at the next poll: nobody tells it that the clock was moved.
    reach(&service, head + 2).await;
    service.tick().await;
    assert_eq!(service.types_after(head).await, ["obligation.missed.v1"; 2]);
    service.stop().await;
}

#[tokio::test]
async fn silence_is_recorded_after_a_restart_too() {
    let service = Service::with_open_cycle().await;
    let head = service.head().await;
    let mut service = service.restart().await;
    service.on("2027-03-01");
    service.start_calendar().await;
    reach(&service, head + 2).await;
    assert_eq!(service.types_after(head).await, ["obligation.missed.v1"; 2]);
    assert_eq!(service.owing("state = MISSED", valid_on(DUE)).await, ["czt", "fgw"]);
    assert!(service.owing("state = MISSED", valid_on("2026-12-19")).await.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn a_failure_is_told_and_tried_again() {
    let mut service = Service::start().await;
    let calendar = service.calendar.take().unwrap();
    let mut health = calendar.health();
    assert_eq!(*health.borrow(), Health::Well);
    service.views.close().await;
    let failing = |health: &Health| matches!(health, Health::Failing(words) if words.contains("views"));
    tokio::time::timeout(PATIENCE, health.wait_for(failing)).await.unwrap().unwrap();
    assert!(calendar.tick().await.is_err());
    calendar.stop().await;
    assert_eq!(*health.borrow(), Health::Stopped);
    service.stop().await;
}
