//! Anomalies and readings.

use super::*;

#[test]
fn a_repealed_document_takes_no_new_anomalies_or_readings_but_can_be_identified() {
    let given = damaged().and([repealed()]).on(AFTER);
    let other = "documents/opinion/anomalies/other";
    let anomaly = || {
        let mut command = record(lines(5, 5));
        if let DocumentCommand::RecordAnomaly { anomaly, .. } = &mut command {
            *anomaly = Some(name(other));
        }
        command
    };
    given.clone().when(anomaly()).then_rejected(Reason::DocumentRepealed);
    given.clone().when(adopt(FIRST, None)).then_rejected(Reason::DocumentRepealed);
    given.clone().when(identify(Some("青政〔2021〕1号"), None)).carried_out();
    // Before its last day is over, it takes them.
    given.clone().effective_on(DAY).when(anomaly()).carried_out();
    given.effective_on(DAY).when(adopt(FIRST, None)).carried_out();
}

#[test]
fn an_anomaly_is_recorded_on_lines_of_the_text() {
    let given = the_opinion().when(record(lines(5, 5))).then([recorded()]);
    assert_eq!(folded(&given).anomaly(&name(FUSED)).unwrap().at, 2);
    the_opinion().when(record(lines(5, 6))).then_rejected(Reason::InvalidField);
    the_opinion().when(record(lines(0, 5))).then_rejected(Reason::InvalidField);
    given_nothing().when(record(lines(5, 5))).then_rejected(Reason::DocumentNotFound);
}

#[test]
fn an_anomaly_id_is_taken_once() {
    damaged().when(record(lines(5, 5))).then_rejected(Reason::AnomalyExists);
}

#[test]
fn what_an_anomaly_says_is_bounded() {
    let long = text(&"损".repeat(STATEMENT_MAX + 1));
    for field in ["found", "description"] {
        let mut command = record(lines(5, 5));
        if let DocumentCommand::RecordAnomaly { found, description, .. } = &mut command {
            if field == "found" { *found = Some(long.clone()) } else { *description = long.clone() }
        }
        let rejection = the_opinion().when(command).then_rejected(Reason::InvalidField);
        assert_eq!(rejection.metadata["field"], field);
    }
}

#[test]
fn a_reading_is_adopted_for_a_reason_and_settles_its_anomaly() {
    let document = folded(&read());
    let reading = document.reading_in_force(&name(FIRST)).unwrap();
    assert_eq!(reading.reason, Some(text("表格排版所致")));
    assert_eq!((reading.adopted_on, reading.adopted_at), (DAY, 3));
    assert_eq!(document.anomaly(&name(FUSED)).unwrap().because(), [2, 3]);
    assert_eq!((&document.entry.because[..], document.entry.last), (&[1][..], 3));
    the_opinion().and([recorded()]).when(adopt(FIRST, None)).then_rejected(Reason::ReasonRequired);
    given_nothing().because("理由").when(adopt(FIRST, None)).then_rejected(Reason::DocumentNotFound);
}

#[test]
fn a_reading_id_is_taken_once() {
    read().when(adopt(FIRST, None)).then_rejected(Reason::ReadingExists);
    read().when(withdraw(FIRST)).carried_out().when(adopt(FIRST, None)).then_rejected(Reason::ReadingExists);
}

#[test]
fn a_reading_settles_anomalies_of_its_document_each_once() {
    let settling = |settled: Vec<&str>| {
        let mut command = adopt(FIRST, None);
        if let DocumentCommand::AdoptReading { anomalies, .. } = &mut command {
            *anomalies = settled.into_iter().map(name).collect();
        }
        command
    };
    damaged().when(settling(vec![])).carried_out();
    damaged().when(settling(vec![FUSED, FUSED])).then_rejected(Reason::InvalidField);
    for absent in ["documents/opinion/anomalies/none", "documents/other/anomalies/fused"] {
        damaged().when(settling(vec![absent])).then_rejected(Reason::AnomalyNotFound);
    }
}

/// The field that a reading is refused for.
fn reading_refused_for(spoil: impl FnOnce(&mut DocumentCommand)) -> String {
    let mut command = adopt(FIRST, None);
    spoil(&mut command);
    damaged().when(command).then_rejected(Reason::InvalidField).metadata["field"].clone()
}

#[test]
fn what_a_reading_says_is_bounded_and_stands_on_lines_of_the_text() {
    let long = || text(&"定".repeat(STATEMENT_MAX + 1));
    let field = reading_refused_for(|command| {
        if let DocumentCommand::AdoptReading { statement, .. } = command {
            *statement = long();
        }
    });
    assert_eq!(field, "statement");
    let field = reading_refused_for(|command| {
        if let DocumentCommand::AdoptReading { alternatives, .. } = command {
            alternatives.push(long());
        }
    });
    assert_eq!(field, "alternatives[1]");
    let field = reading_refused_for(|command| {
        if let DocumentCommand::AdoptReading { alternatives, .. } = command {
            *alternatives = vec![text("或"); ALTERNATIVES_MAX + 1];
        }
    });
    assert_eq!(field, "alternatives");
    let field = reading_refused_for(|command| {
        if let DocumentCommand::AdoptReading { anomalies, .. } = command {
            *anomalies = (0..=ANOMALIES_MAX).map(|i| name(&format!("{OPINION}/anomalies/a{i}"))).collect();
        }
    });
    assert_eq!(field, "anomalies");
    let field = reading_refused_for(|command| {
        if let DocumentCommand::AdoptReading { lines: on, .. } = command {
            *on = lines(5, 6);
        }
    });
    assert_eq!(field, "last_line");
}

#[test]
fn the_longest_reading_fits_an_event() {
    // The heaviest character: four bytes of UTF-8.
    let mut command = adopt(FIRST, None);
    if let DocumentCommand::AdoptReading { statement, alternatives, .. } = &mut command {
        *statement = text(&"𠮷".repeat(STATEMENT_MAX));
        *alternatives = vec![statement.clone(); ALTERNATIVES_MAX];
    }
    damaged().because(&"𠮷".repeat(TEXT_MAX)).when(command).carried_out();
}

#[test]
fn a_reading_may_take_the_place_of_one_in_force() {
    let given = read().when(adopt(SECOND, Some(FIRST))).then([
        adopted(SECOND, Some(FIRST)),
        DocumentEvent::ReadingSuperseded { reading: name(FIRST), by: name(SECOND) },
    ]);
    let document = folded(&given);
    let first = document.reading(&name(FIRST)).unwrap();
    assert_eq!(first.state, ReadingState::Superseded { by: name(SECOND), at: 5 });
    assert_eq!(first.because(), [3, 5]);
    assert!(document.reading_in_force(&name(SECOND)).is_ok());
    let rejection = document.reading_in_force(&name(FIRST)).unwrap_err();
    assert_eq!(
        (rejection.reason, rejection.metadata["superseded_by"].as_str()),
        (Reason::ReadingNotInForce, SECOND)
    );
    let settle = &document.anomaly(&name(FUSED)).unwrap().readings;
    let settle: Vec<String> = settle.iter().map(|reading| reading.value.to_string()).collect();
    assert_eq!(settle, [FIRST, SECOND]);
}

#[test]
fn only_a_reading_in_force_can_be_superseded() {
    damaged().when(adopt(SECOND, Some(FIRST))).then_rejected(Reason::ReadingNotFound);
    let gone = read().when(withdraw(FIRST)).carried_out();
    gone.when(adopt(SECOND, Some(FIRST))).then_rejected(Reason::ReadingNotInForce);
}

#[test]
fn a_reading_is_dated_neither_before_the_one_it_supersedes_nor_after_today() {
    read().effective_on(BEFORE).when(adopt(SECOND, Some(FIRST))).then_rejected(Reason::StepBeforeLast);
    damaged().effective_on(AFTER).when(adopt(FIRST, None)).then_rejected(Reason::StepInFuture);
    read().effective_on(BEFORE).when(adopt(SECOND, None)).carried_out();
}

#[test]
fn a_withdrawn_reading_says_why_and_bears_nothing_new() {
    let given = read().because("与正文不符").when(withdraw(FIRST));
    let given = given.then([DocumentEvent::ReadingWithdrawn { reading: name(FIRST) }]);
    let document = folded(&given);
    let withdrawn = ReadingState::Withdrawn { reason: Some(text("与正文不符")), on: DAY, at: 4 };
    assert_eq!(document.reading(&name(FIRST)).unwrap().state, withdrawn);
    given.when(withdraw(FIRST)).then_nothing();
}

#[test]
fn withdrawing_needs_a_reason_a_reading_and_a_day_that_can_be() {
    the_opinion()
        .and([recorded(), adopted(FIRST, None)])
        .when(withdraw(FIRST))
        .then_rejected(Reason::ReasonRequired);
    damaged().when(withdraw(FIRST)).then_rejected(Reason::ReadingNotFound);
    given_nothing().because("理由").when(withdraw(FIRST)).then_rejected(Reason::ReadingNotFound);
    read().effective_on(BEFORE).when(withdraw(FIRST)).then_rejected(Reason::StepBeforeLast);
    read().effective_on(AFTER).when(withdraw(FIRST)).then_rejected(Reason::StepInFuture);
}

#[test]
fn a_superseded_reading_is_not_withdrawn() {
    let given = read().when(adopt(SECOND, Some(FIRST))).carried_out();
    given.when(withdraw(FIRST)).then_rejected(Reason::ReadingNotInForce);
}

#[test]
fn a_command_rests_on_readings_in_force_only() {
    let rests = |given: Given, reading: &str| given.resting_on([name(reading)]).when(adopt(SECOND, None));
    rests(read(), FIRST).carried_out();
    rests(read(), "documents/opinion/readings/none").then_rejected(Reason::ReadingNotFound);
    rests(read(), "documents/other/readings/first").then_rejected(Reason::ReadingNotFound);
    let gone = read().when(withdraw(FIRST)).carried_out();
    rests(gone, FIRST).then_rejected(Reason::ReadingNotInForce);
}

#[test]
fn whatever_rests_on_a_reading_is_filed_under_it() {
    let reading = Subject::Reading(name(FIRST)).tag();
    let given = read().resting_on([name(FIRST)]).when(adopt(SECOND, None)).carried_out();
    let filed: Vec<u64> =
        given.events.iter().filter(|e| e.is_filed_under(&reading)).map(|e| e.position).collect();
    assert_eq!(filed, [3, 4]);
}
