//! The stored JSON of every event: a difference here is a broken history.

use super::*;
use crate::command::Context;

fn stored(event: &DocumentEvent) -> serde_json::Value {
    serde_json::from_slice(&Event::from(event.clone()).encode(&Context::default())).unwrap()
}

#[test]
fn every_event_of_a_document_is_stored_as_it_always_was() {
    let barest = DocumentEvent::Registered {
        document: name(OPINION),
        title: line("实施意见"),
        issuer: None,
        sha256: source().sha256(),
        text: source(),
        clauses: vec![],
        rows: vec![],
        targets: vec![],
        number: Some(line("青政〔2021〕1号")),
        issued_on: Some(BEFORE),
    };
    let events = [
        registered(),
        barest,
        identified(Some("青政〔2021〕1号"), Some(BEFORE)),
        DocumentEvent::Repealed { document: name(OPINION) },
        recorded(),
        adopted(FIRST, None),
        adopted(SECOND, Some(FIRST)),
        DocumentEvent::ReadingSuperseded { reading: name(FIRST), by: name(SECOND) },
        DocumentEvent::ReadingWithdrawn { reading: name(SECOND) },
    ];
    insta::assert_json_snapshot!(events.each_ref().map(stored));
}

#[test]
fn every_kind_of_anomaly_has_a_word_that_stays() {
    let kinds = [
        AnomalyKind::RepeatedSerial,
        AnomalyKind::HeadingWithContent,
        AnomalyKind::RowOrder,
        AnomalyKind::MisplacedCell,
        AnomalyKind::FusedCells,
        AnomalyKind::RepeatedHeader,
        AnomalyKind::BrokenParagraph,
        AnomalyKind::Punctuation,
        AnomalyKind::LabelMismatch,
        AnomalyKind::MissingElement,
        AnomalyKind::AmbiguousWording,
        AnomalyKind::Other,
    ];
    insta::assert_json_snapshot!((kinds, [Confidence::Low, Confidence::Medium, Confidence::High]));
}
