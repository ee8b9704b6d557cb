//! Anomalies and readings: what each command answers, and what was known of them when.

use duban_proto::call::v1::{AsOf, CommandContext, as_of};
use duban_proto::tasks::v1 as pb;
use pb::AnomalyKind::{FusedCells, LabelMismatch, Other};
use tonic::Code;

use crate::support::{
    OPINION, Service, TODAY, adoption, anomaly, auditor, context, fields, known_at, known_on, now, said,
    supervisor, told, withdrawal, written,
};

fn named(kind: &str, id: &str) -> String {
    format!("{OPINION}/{kind}/{id}")
}

/// With an anomaly, at position 2.
async fn damaged() -> Service {
    let service = Service::with_opinion().await;
    service.record(anomaly("fused", FusedCells, 5)).await;
    service
}

#[tokio::test]
async fn an_anomaly_is_answered_as_it_was_recorded() {
    let service = Service::with_opinion().await;
    let request =
        pb::RecordAnomalyRequest { last_line: 5, found: String::new(), ..anomaly("fused", FusedCells, 3) };
    let reply = service.record(request.clone()).await;
    let expected = pb::Anomaly {
        name: named("anomalies", "fused"),
        kind: FusedCells.into(),
        first_line: 3,
        last_line: 5,
        found: String::new(),
        description: "标号不一".into(),
        readings: vec![],
        etag: "\"2\"".into(),
        because: vec![2],
    };
    assert_eq!((reply.anomaly.clone(), written(reply.receipt.clone())), (Some(expected.clone()), (2, 2)));
    assert_eq!(service.record(request).await, reply);
    assert_eq!(service.anomalies(now(), "").await, [expected]);
    let taken = service.documents.clone().record_anomaly(supervisor(anomaly("fused", Other, 1))).await;
    assert_eq!(told(taken), (Code::AlreadyExists, "ANOMALY_EXISTS".into()));
    service.stop().await;
}

#[tokio::test]
async fn a_reading_is_answered_as_it_was_adopted_and_settles_its_anomaly() {
    let service = damaged().await;
    let reply = service.adopt(adoption("first", &["fused"], None)).await;
    let expected = pb::Reading {
        name: named("readings", "first"),
        anomalies: vec![named("anomalies", "fused")],
        statement: "即正文第三条".into(),
        reason: "因为".into(),
        alternatives: vec!["另有所指".into()],
        confidence: pb::Confidence::Medium.into(),
        first_line: 3,
        last_line: 5,
        supersedes: None,
        superseded_by: None,
        state: pb::ReadingState::Adopted.into(),
        adopted_on: TODAY.into(),
        withdrawal_reason: None,
        etag: "\"3\"".into(),
        because: vec![3],
    };
    assert_eq!(reply.reading.as_ref(), Some(&expected));
    assert_eq!(service.readings(now(), "").await, [expected]);
    let settled = service.anomalies(now(), "").await.remove(0);
    assert_eq!(
        (&settled.readings[..], &settled.because[..]),
        (&[named("readings", "first")][..], &[2, 3][..])
    );
    let open = service.anomalies(known_at(2), "").await.remove(0);
    assert_eq!((&open.readings[..], &open.because[..]), (&[][..], &[2][..]));
    service.stop().await;
}

#[tokio::test]
async fn ids_that_are_left_out_are_made_up_once() {
    let service = damaged().await;
    let request = pb::AdoptReadingRequest { reading_id: None, ..adoption("", &["fused"], None) };
    let first = service.adopt(request.clone()).await;
    assert!(first.reading.as_ref().unwrap().name.starts_with(&named("readings", "")));
    assert_eq!(service.adopt(request).await, first);
    let request = pb::RecordAnomalyRequest { anomaly_id: None, ..anomaly("", Other, 1) };
    let first = service.record(request.clone()).await;
    assert!(first.anomaly.as_ref().unwrap().name.starts_with(&named("anomalies", "")));
    assert_eq!(service.record(request).await, first);
    assert_eq!(service.head().await, 4);
    service.stop().await;
}

#[tokio::test]
async fn each_state_of_a_reading_stays_known_at_its_time() {
    let service = damaged().await;
    service.adopt(adoption("first", &["fused"], None)).await;
    service.on("2026-03-02");
    let reply = service.adopt(adoption("second", &["fused"], Some("first"))).await;
    assert_eq!(written(reply.receipt), (4, 5));
    service.on("2026-03-03");
    let reply = service.withdraw(&named("readings", "second")).await;
    assert_eq!(reply.reading.unwrap().withdrawal_reason.as_deref(), Some("与正文不符"));

    let states = async |as_of| -> Vec<(String, pb::ReadingState, Vec<u64>)> {
        let readings = service.readings(as_of, "").await;
        let seen = |reading: pb::Reading| {
            let id = reading.name.rsplit('/').next().unwrap().to_owned();
            (id, reading.state(), reading.because)
        };
        readings.into_iter().map(seen).collect()
    };
    let (first, second) = (|| "first".to_owned(), || "second".to_owned());
    let (adopted, superseded, withdrawn) =
        (pb::ReadingState::Adopted, pb::ReadingState::Superseded, pb::ReadingState::Withdrawn);
    assert_eq!(states(known_on(TODAY)).await, [(first(), adopted, vec![3])]);
    let next_day = [(first(), superseded, vec![3, 5]), (second(), adopted, vec![4])];
    assert_eq!(states(known_on("2026-03-02")).await, next_day);
    assert_eq!(states(known_at(5)).await, next_day);
    let last_day = [(first(), superseded, vec![3, 5]), (second(), withdrawn, vec![4, 6])];
    assert_eq!(states(now()).await, last_day);
    let long_ago = AsOf { valid_on: Some("1999-01-01".into()), known: Some(as_of::Known::Position(6)) };
    assert_eq!(states(long_ago).await, last_day, "a reading is of the text, not of a day");
    let ended = service.readings(now(), "").await.remove(0);
    assert_eq!(ended.superseded_by, Some(named("readings", "second")));
    assert_eq!(service.anomalies(now(), "").await[0].readings.len(), 2);
    service.stop().await;
}

#[tokio::test]
async fn readings_are_filtered_by_state_and_confidence() {
    let service = damaged().await;
    let high =
        pb::AdoptReadingRequest { confidence: pb::Confidence::High.into(), ..adoption("z", &[], None) };
    service.adopt(high).await;
    service.adopt(adoption("a", &["fused"], None)).await;
    service.adopt(adoption("m", &["fused"], None)).await;
    service.withdraw(&named("readings", "a")).await;
    let ids = async |as_of: AsOf, filter: &str| -> String {
        let readings = service.readings(as_of, filter).await;
        readings.iter().map(|reading| reading.name.rsplit('/').next().unwrap()).collect()
    };
    assert_eq!(ids(now(), "").await, "zam", "in order of adoption");
    assert_eq!(ids(now(), "state = ADOPTED").await, "zm");
    assert_eq!(ids(now(), "state != ADOPTED").await, "a");
    assert_eq!(ids(now(), "state = WITHDRAWN AND confidence = MEDIUM").await, "a");
    assert_eq!(ids(now(), "confidence = HIGH").await, "z");
    assert_eq!(ids(known_at(5), "state = ADOPTED").await, "zam");
    let request = pb::ListReadingsRequest {
        parent: OPINION.into(),
        filter: "state = GONE".into(),
        ..Default::default()
    };
    let bad = service.documents.clone().list_readings(auditor(request)).await;
    assert_eq!(told(bad), (Code::InvalidArgument, "FILTER_INVALID".into()));
    service.stop().await;
}

#[tokio::test]
async fn anomalies_stand_in_order_of_line_on_every_page() {
    let service = Service::with_opinion().await;
    for (id, kind, line) in
        [("b", Other, 5), ("a", LabelMismatch, 5), ("z", LabelMismatch, 1), ("c", Other, 3)]
    {
        service.record(anomaly(id, kind, line)).await;
    }
    let (mut seen, mut token) = (String::new(), String::new());
    loop {
        let request = pb::ListAnomaliesRequest {
            parent: OPINION.into(),
            page_size: 1,
            page_token: token,
            ..Default::default()
        };
        let reply = said(service.documents.clone().list_anomalies(auditor(request)).await);
        seen.extend(reply.anomalies.iter().filter_map(|anomaly| anomaly.name.chars().last()));
        assert_eq!(reply.answer.unwrap().position, 5);
        // Before all that is still to be shown, and so not for these pages.
        service.record(anomaly(&format!("n{}", seen.len()), Other, 1)).await;
        token = reply.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, "zcab");
    let kinds = service.anomalies(known_at(5), "kind = LABEL_MISMATCH").await;
    let kinds: String = kinds.iter().filter_map(|anomaly| anomaly.name.chars().last()).collect();
    assert_eq!(kinds, "za");
    service.stop().await;
}

#[tokio::test]
async fn another_documents_parts_are_not_listed() {
    let service = damaged().await;
    service.adopt(adoption("first", &["fused"], None)).await;
    let other =
        pb::RegisterDocumentRequest { document_id: Some("opinion-2".into()), ..crate::support::opinion() };
    service.register(other).await;
    let parent = "documents/opinion-2".to_owned();
    let request = pb::ListReadingsRequest { parent: parent.clone(), ..Default::default() };
    assert_eq!(said(service.documents.clone().list_readings(auditor(request)).await).readings, []);
    let request = pb::ListAnomaliesRequest { parent, ..Default::default() };
    assert_eq!(said(service.documents.clone().list_anomalies(auditor(request)).await).anomalies, []);
    let parent = "documents/none".to_owned();
    let request = pb::ListReadingsRequest { parent: parent.clone(), ..Default::default() };
    let absent = service.documents.clone().list_readings(auditor(request)).await;
    assert_eq!(told(absent), (Code::NotFound, "DOCUMENT_NOT_FOUND".into()));
    let request = pb::ListAnomaliesRequest { parent, ..Default::default() };
    let absent = service.documents.clone().list_anomalies(auditor(request)).await;
    assert_eq!(told(absent), (Code::NotFound, "DOCUMENT_NOT_FOUND".into()));
    service.stop().await;
}

#[tokio::test]
async fn a_reading_is_refused_for_what_it_names() {
    let service = damaged().await;
    let adopt = async |request| told(service.documents.clone().adopt_reading(supervisor(request)).await);
    let absent = |what: &str| (Code::NotFound, format!("{what}_NOT_FOUND"));
    assert_eq!(adopt(adoption("first", &["none"], None)).await, absent("ANOMALY"));
    assert_eq!(adopt(adoption("first", &[], Some("none"))).await, absent("READING"));
    let elsewhere =
        pb::AdoptReadingRequest { document: "documents/none".into(), ..adoption("first", &[], None) };
    assert_eq!(adopt(elsewhere).await, absent("DOCUMENT"));
    let unfounded = CommandContext { reason: String::new(), ..context("") };
    let unfounded = pb::AdoptReadingRequest { context: Some(unfounded), ..adoption("first", &[], None) };
    assert_eq!(adopt(unfounded).await, (Code::InvalidArgument, "REASON_REQUIRED".into()));
    service.adopt(adoption("first", &[], None)).await;
    assert_eq!(adopt(adoption("first", &[], None)).await, (Code::AlreadyExists, "READING_EXISTS".into()));
    service.withdraw(&named("readings", "first")).await;
    let gone = (Code::FailedPrecondition, "READING_NOT_IN_FORCE".to_owned());
    assert_eq!(adopt(adoption("second", &[], Some("first"))).await, gone);
    let again = service.withdraw(&named("readings", "first")).await;
    assert_eq!(written(again.receipt), (5, 4), "withdrawing twice writes nothing");
    let none = withdrawal(&named("readings", "none"));
    let none = service.documents.clone().withdraw_reading(supervisor(none)).await;
    assert_eq!(told(none), absent("READING"));
    let bad = pb::AdoptReadingRequest {
        document: "opinion".into(),
        reading_id: Some("No".into()),
        anomalies: vec!["x".into()],
        statement: String::new(),
        confidence: 9,
        first_line: 4,
        last_line: 3,
        ..adoption("", &[], None)
    };
    let bad = service.documents.clone().adopt_reading(supervisor(bad)).await;
    let named = ["document", "reading_id", "anomalies[0]", "statement", "confidence", "last_line"];
    assert_eq!(fields(bad), named);
    service.stop().await;
}
