//! The report for people, and for the file of an auditor.

use duban_tree::verification::{Checked, Outcome, Report};

use crate::i18n::{Lang, Text, messages, verification};

/// The report as text, a fact a line.
pub(super) fn of(report: &Report, lang: Lang) -> String {
    let mut lines = Vec::new();
    let mut say = |text: Text, values: &[&dyn std::fmt::Display]| lines.push(text.with(lang, values));
    say(messages::REPORT_TITLE, &[&report.version]);
    say(messages::REPORT_LOG, &[&report.log, &report.epoch]);
    say(messages::REPORT_SOURCE, &[&report.source]);
    say(messages::REPORT_TIMES, &[&report.started_at, &report.ended_at]);
    say(messages::REPORT_EVENTS, &[&report.events, &report.head, &report.tags]);
    say(messages::REPORT_RECEIPTS, &[&report.commands, &report.receipts]);
    match report.root {
        Some(root) => say(messages::REPORT_ROOT, &[&report.head, &root, &report.algorithm]),
        None => say(messages::REPORT_NO_ROOT, &[]),
    }
    for checkpoint in &report.checkpoints {
        say(messages::REPORT_CHECKPOINT, &[&checkpoint.name, &checkpoint.size, &outcome(checkpoint, lang)]);
        if let Some(root) = checkpoint.root {
            say(messages::REPORT_SIGNED, &[&root, &checkpoint.origin, &checkpoint.signed.join(", ")]);
        }
        if !checkpoint.witnesses.is_empty() {
            say(messages::REPORT_WITNESSES, &[&checkpoint.witnesses.join(", ")]);
        }
    }
    if let Some(tree) = &report.tree {
        say(messages::REPORT_TREE, &[&tree.folder, &tree.size, &tree.compared]);
    }
    for view in &report.views {
        let text = match &view.replayed {
            Some(replayed) if *replayed == view.claimed => messages::REPORT_VIEW_SAME,
            Some(_) => messages::REPORT_VIEW_OTHER,
            None => messages::REPORT_VIEW_UNKNOWN,
        };
        say(text, &[&view.view, &view.position, &view.claimed]);
    }
    for uncovered in &report.uncovered {
        let said = verification::uncovered(uncovered, lang);
        say(messages::REPORT_UNCOVERED, &[&said]);
    }
    for finding in &report.findings {
        say(messages::REPORT_FINDING, &[&verification::finding(finding, lang)]);
    }
    if report.further_findings > 0 {
        say(messages::REPORT_FURTHER, &[&report.further_findings]);
    }
    let verdict = if report.is_sound() { messages::REPORT_SOUND } else { messages::REPORT_UNSOUND };
    say(verdict, &[]);
    lines.join("\n") + "\n"
}

fn outcome(checkpoint: &Checked, lang: Lang) -> &'static str {
    let text = match checkpoint.outcome {
        Outcome::Same => messages::OUTCOME_SAME,
        Outcome::Other { .. } => messages::OUTCOME_OTHER,
        Outcome::Beyond => messages::OUTCOME_BEYOND,
        Outcome::GoesOn => messages::OUTCOME_GOES_ON,
        Outcome::Unknown => messages::OUTCOME_UNKNOWN,
        Outcome::Refused => messages::OUTCOME_REFUSED,
        Outcome::OtherTree => messages::OUTCOME_OTHER_TREE,
    };
    text.of(lang)
}
