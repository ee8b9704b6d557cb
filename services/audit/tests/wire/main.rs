//! The audit service as a client meets it.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod server;

use duban_proto::audit::v1 as pb;
use duban_proto::audit::v1::resolve_position_request::Time;
use duban_proto::audit::v1::subscribe_response::Frame;
use duban_proto::call::v1 as call;
use server::{asked, by, day, fields, is, start, told};
use tonic::Code;

#[tokio::test]
async fn the_head_names_the_log() {
    let mut server = start(2).await;
    let head = server.client.get_head(asked(pb::GetHeadRequest {})).await.unwrap().into_inner();
    assert_eq!(head.log, Some(duban_rpc::identity(server.log.identity())));
    assert_eq!((head.position, head.recorded_at), (2, Some(duban_rpc::instant(day(1)))));
    server.stopped().await;
}

#[tokio::test]
async fn only_those_who_may_see_all_of_the_log_are_let_in() {
    let mut server = start(1).await;
    for role in ["supervisor", "coordinator", "auditor"] {
        assert!(server.client.get_head(by(role, pb::GetHeadRequest {})).await.is_ok(), "{role}");
    }
    for role in ["agency", "sysadmin", "secadmin"] {
        let read = server.client.read(by(role, pb::ReadRequest::default())).await.unwrap_err();
        is(&read, Code::PermissionDenied, "ROLE_NOT_ALLOWED");
        let follow = server.client.subscribe(by(role, pb::SubscribeRequest::default())).await.unwrap_err();
        is(&follow, Code::PermissionDenied, "ROLE_NOT_ALLOWED");
        let request = pb::ExplainRequest { name: "agencies/a0".into(), ..Default::default() };
        let explain = server.client.explain(by(role, request)).await.unwrap_err();
        is(&explain, Code::PermissionDenied, "ROLE_NOT_ALLOWED");
    }
    server.stopped().await;
}

#[tokio::test]
async fn an_event_has_all_that_the_log_has() {
    let mut server = start(1).await;
    let (events, cursor) = server.read(pb::ReadRequest::default()).await.unwrap();
    assert_eq!(cursor, server.cursor(1));
    let stored = server.log.event(1).await.unwrap().unwrap();
    let event = &events[0];
    assert_eq!((event.position, event.r#type.as_str()), (1, "agency.registered.v1"));
    assert_eq!((event.actor.as_str(), event.role.as_str()), ("supervisor-1", "supervisor"));
    assert_eq!(event.effective_on, "2026-03-01");
    assert_eq!(event.body, stored.body.as_ref());
    assert_eq!(event.nonce, stored.nonce);
    assert_eq!(Some(event.fingerprint.clone()), stored.fingerprint.map(Vec::from));
    assert_eq!(event.tags.len(), stored.tags.len());
    assert!(event.tags.iter().any(|tag| tag.tag == "agency:a0" && tag.previous == 0));
    server.stopped().await;
}

#[tokio::test]
async fn a_part_is_bounded_and_filtered() {
    let mut server = start(5).await;
    let part = pb::ReadRequest { after: Some(server.cursor(1)), up_to: Some(4), ..Default::default() };
    let (events, cursor) = server.read(part.clone()).await.unwrap();
    assert_eq!((events.len(), cursor.position), (3, 4));
    let (events, cursor) = server.read(pb::ReadRequest { limit: 2, ..part }).await.unwrap();
    assert_eq!((events.last().unwrap().position, cursor.position), (3, 3));
    let subjects = vec!["agencies/a3".into(), "agencies/a0".into(), "tasks/none".into()];
    let filter = pb::EventFilter { subjects, ..Default::default() };
    let (events, cursor) =
        server.read(pb::ReadRequest { filter: Some(filter), ..Default::default() }).await.unwrap();
    assert_eq!(events.iter().map(|event| event.position).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(cursor.position, 5, "everything asked for up to the head");
    let filter = pb::EventFilter { types: vec!["task.proposed.v1".into()], ..Default::default() };
    let (events, _) =
        server.read(pb::ReadRequest { filter: Some(filter), ..Default::default() }).await.unwrap();
    assert!(events.is_empty());
    server.stopped().await;
}

#[tokio::test]
async fn cloud_events_come_on_request() {
    let mut server = start(1).await;
    let format = pb::EventFormat::CloudEventsJson.into();
    let request = pb::ReadRequest { format, ..Default::default() };
    let mut pages = server.client.read(asked(request)).await.unwrap().into_inner();
    let page = pages.message().await.unwrap().unwrap();
    assert!(page.events.is_empty() && page.cloud_events.len() == 1);
    assert!(page.cloud_events[0].contains(r#""specversion":"1.0""#), "{}", page.cloud_events[0]);
    drop(pages);
    server.stopped().await;
}

/// The cursors that no log of ours takes, for Read and Subscribe alike.
#[tokio::test]
async fn a_cursor_of_another_log_or_beyond_the_head_is_refused() {
    let mut server = start(2).await;
    let ours = duban_rpc::identity(server.log.identity());
    let other_epoch =
        call::LogIdentity { epoch: "00000000-0000-4000-8000-000000000001".into(), ..ours.clone() };
    let after = |log: &call::LogIdentity, position| Some(pb::Cursor { log: Some(log.clone()), position });
    for (after, code, reason) in [
        (after(&other_epoch, 1), Code::FailedPrecondition, "OTHER_LOG"),
        (after(&other_epoch, 9), Code::FailedPrecondition, "OTHER_LOG"),
        (after(&ours, 3), Code::OutOfRange, "POSITION_BEYOND_HEAD"),
    ] {
        let request = pb::ReadRequest { after: after.clone(), ..Default::default() };
        let read = server.client.read(asked(request)).await.unwrap_err();
        is(&read, code, reason);
        let request = pb::SubscribeRequest { after, ..Default::default() };
        let follow = server.client.subscribe(asked(request)).await.unwrap_err();
        is(&follow, code, reason);
        if reason == "OTHER_LOG" {
            let ours = format!("{}/{}", ours.log, ours.epoch);
            assert_eq!(told(&read, "expected").2, ours);
            assert_eq!(told(&read, "current").2, format!("{}/{}", other_epoch.log, other_epoch.epoch));
        } else {
            assert_eq!(told(&follow, "head").2, "2");
        }
    }
    let request = pb::ReadRequest { up_to: Some(3), ..Default::default() };
    is(&server.read(request).await.unwrap_err(), Code::OutOfRange, "POSITION_BEYOND_HEAD");
    server.stopped().await;
}

#[tokio::test]
async fn a_request_that_cannot_be_meant_is_told_field_by_field() {
    let mut server = start(1).await;
    let log = call::LogIdentity { log: "x".into(), epoch: String::new() };
    let request = pb::ReadRequest {
        after: Some(pb::Cursor { log: Some(log), position: 0 }),
        filter: Some(pb::EventFilter {
            types: vec!["task.invented.v1".into()],
            subjects: vec!["agencies/a0".into(), "tasks/t/assignments/a".into(), "\0".into()],
        }),
        format: 77,
        ..Default::default()
    };
    let refused = server.read(request).await.unwrap_err();
    is(&refused, Code::InvalidArgument, "INVALID_FIELD");
    let expected = [
        "after.log.log",
        "after.log.epoch",
        "filter.types[0]",
        "filter.subjects[1]",
        "filter.subjects[2]",
        "format",
    ];
    assert_eq!(fields(&refused), expected);
    let bare = pb::SubscribeRequest { after: Some(pb::Cursor::default()), ..Default::default() };
    let refused = server.client.subscribe(asked(bare)).await.unwrap_err();
    assert_eq!(fields(&refused), ["after.log"]);
    let filter = pb::EventFilter { subjects: vec!["agencies/a".into(); 101], ..Default::default() };
    let request = pb::ReadRequest { filter: Some(filter), ..Default::default() };
    assert_eq!(fields(&server.read(request).await.unwrap_err()), ["filter.subjects"]);
    server.stopped().await;
}

#[tokio::test]
async fn a_subscriber_hears_the_past_then_the_present_then_where_to_go_on() {
    let mut server = start(3).await;
    let request = pb::SubscribeRequest { after: Some(server.cursor(1)), ..Default::default() };
    let mut frames = server.client.subscribe(asked(request)).await.unwrap().into_inner();
    let mut next = async || frames.message().await.map(|frame| frame.unwrap().frame.unwrap());
    let Frame::Started(started) = next().await.unwrap() else { panic!("the first frame is started") };
    assert_eq!((started.cursor, started.head), (Some(server.cursor(1)), 3));
    let Frame::Events(events) = next().await.unwrap() else { panic!("the past comes next") };
    assert_eq!((events.events.len(), events.cursor), (2, Some(server.cursor(3))));
    assert_eq!(next().await.unwrap(), Frame::CaughtUp(pb::CaughtUp { cursor: Some(server.cursor(3)) }));
    assert_eq!(next().await.unwrap(), Frame::Checkpoint(pb::Checkpoint { cursor: Some(server.cursor(3)) }));
    server.register(3).await;
    let live = loop {
        match next().await.unwrap() {
            Frame::Checkpoint(_) => {}
            other => break other,
        }
    };
    let Frame::Events(events) = live else { panic!("what comes is heard: {live:?}") };
    assert_eq!((events.events[0].position, events.cursor), (4, Some(server.cursor(4))));
    server.tell_to_stop();
    let mut last = None;
    let end = loop {
        match next().await {
            Ok(frame) => last = Some(frame),
            Err(status) => break status,
        }
    };
    is(&end, Code::Unavailable, "DRAINING");
    assert_eq!(last, Some(Frame::Checkpoint(pb::Checkpoint { cursor: Some(server.cursor(4)) })));
    drop(frames);
    server.stopped().await;
}

#[tokio::test]
async fn one_that_never_reads_delays_nobody() {
    let mut server = start(0).await;
    let request = pb::SubscribeRequest::default();
    let mut stuck = server.client.subscribe(asked(request.clone())).await.unwrap().into_inner();
    let mut frames = server.client.subscribe(asked(request)).await.unwrap().into_inner();
    for n in 0..300 {
        server.register(n).await;
    }
    let mut heard = Vec::new();
    while heard.len() < 300 {
        if let Frame::Events(events) = frames.message().await.unwrap().unwrap().frame.unwrap() {
            heard.extend(events.events.iter().map(|event| event.position));
        }
    }
    assert_eq!(heard, (1..=300).collect::<Vec<_>>());
    // It has lost nothing meanwhile.
    let mut late = Vec::new();
    while late.len() < 300 {
        if let Frame::Events(events) = stuck.message().await.unwrap().unwrap().frame.unwrap() {
            late.extend(events.events.iter().map(|event| event.position));
        }
    }
    assert_eq!(late, heard);
    drop((stuck, frames));
    server.stopped().await;
}

#[tokio::test]
async fn a_time_is_resolved_to_a_position() {
    let mut server = start(3).await;
    let mut at = async |time: Option<Time>| {
        server.client.resolve_position(asked(pb::ResolvePositionRequest { time })).await
    };
    let on = |text: &str| Some(Time::On(text.to_owned()));
    let instant = |at| Some(Time::At(duban_rpc::instant(at)));
    let found = at(on("2026-03-02")).await.unwrap().into_inner();
    assert_eq!((found.position, found.recorded_at), (2, Some(duban_rpc::instant(day(1)))));
    assert_eq!(at(instant(day(1))).await.unwrap().into_inner().position, 2);
    assert_eq!(at(on("2026-03-03")).await.unwrap().into_inner().position, 3, "today, so far");
    let before = at(on("2026-02-28")).await.unwrap().into_inner();
    assert_eq!((before.position, before.recorded_at), (0, None));
    for future in [on("2026-03-04"), instant(day(4))] {
        let refused = at(future).await.unwrap_err();
        assert_eq!(told(&refused, "head"), (Code::OutOfRange, "POSITION_BEYOND_HEAD".into(), "3".into()));
    }
    assert_eq!(fields(&at(None).await.unwrap_err()), ["at"]);
    assert_eq!(fields(&at(on("2026-02-30")).await.unwrap_err()), ["on"]);
    server.stopped().await;
}

#[tokio::test]
async fn why_a_resource_is_as_it_is() {
    let mut server = start(2).await;
    let mut explain = async |name: &str, known: Option<call::as_of::Known>| {
        let as_of = Some(call::AsOf { known, ..Default::default() });
        let request = pb::ExplainRequest { name: name.into(), as_of, ..Default::default() };
        server.client.explain(asked(request)).await
    };
    let told = explain("agencies/a1", None).await.unwrap().into_inner();
    assert!(told.fields.iter().any(|f| f.field == "full_name" && f.value == "第1厅" && f.positions == [2]));
    assert_eq!((told.events.len(), told.events[0].position), (1, 2));
    let absent = explain("agencies/a9", None).await.unwrap_err();
    is(&absent, Code::NotFound, "AGENCY_NOT_FOUND");
    let not_yet = explain("agencies/a1", Some(call::as_of::Known::KnownOn("2026-03-01".into()))).await;
    is(&not_yet.unwrap_err(), Code::NotFound, "AGENCY_NOT_FOUND");
    let nothing =
        explain("agencies/a1", Some(call::as_of::Known::KnownOn("2026-02-01".into()))).await.unwrap();
    let answer = nothing.into_inner().answer.unwrap();
    assert_eq!((answer.position, answer.knowledge()), (0, call::Knowledge::NothingKnown));
    assert_eq!(fields(&explain("agencies", None).await.unwrap_err()), ["name"]);
    assert_eq!(fields(&explain("", None).await.unwrap_err()), ["name"]);
    server.stopped().await;
}

#[tokio::test]
async fn every_event_type_is_listed_and_has_a_schema() {
    let mut server = start(0).await;
    let mut request = pb::ListEventTypesRequest { page_size: 20, ..Default::default() };
    let mut names = Vec::new();
    loop {
        let page = server.client.list_event_types(asked(request.clone())).await.unwrap().into_inner();
        names.extend(page.event_types.into_iter().map(|one| one.r#type));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(names, duban_domain::event::schemas().keys().cloned().collect::<Vec<_>>());
    request.filter = "subject = task".into();
    let other = server.client.list_event_types(asked(request)).await.unwrap_err();
    is(&other, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let bad = pb::ListEventTypesRequest { filter: "body = 1".into(), ..Default::default() };
    let refused = server.client.list_event_types(asked(bad)).await.unwrap_err();
    is(&refused, Code::InvalidArgument, "FILTER_INVALID");
    let mut schema = async |name: &str| {
        server.client.get_event_schema(asked(pb::GetEventSchemaRequest { r#type: name.into() })).await
    };
    assert!(schema(&names[0]).await.unwrap().into_inner().schema.starts_with('{'));
    is(&schema("task.invented.v1").await.unwrap_err(), Code::NotFound, "EVENT_TYPE_NOT_FOUND");
    assert_eq!(fields(&schema("a\0").await.unwrap_err()), ["type"]);
    assert_eq!(fields(&schema("").await.unwrap_err()), ["type"]);
    server.stopped().await;
}
