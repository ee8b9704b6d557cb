//! The stored JSON of every event of a task: a change here is a broken history.

use super::*;
use crate::event::Event;
use crate::task::{Milestone, RuleVersion};

fn stored(event: &TaskEvent) -> serde_json::Value {
    let body = Event::Task(event.clone()).encode(&crate::command::Context::default());
    let (read, _) = Event::decode(crate::event::type_of(&body).unwrap(), &body).unwrap();
    assert_eq!(read, Event::Task(event.clone()));
    serde_json::from_slice(&body).unwrap()
}

fn shown() -> Assessment {
    let evidence = Evidence {
        name: line("总结.pdf"),
        media_type: line("application/pdf"),
        size: 1024,
        sha256: "ab".repeat(32),
    };
    Assessment { level: Level::Substantial, text: text("进展明显"), evidence: vec![evidence] }
}

#[test]
fn tasks_are_stored_like_this() {
    let task = || name(TASK);
    let full = Outline {
        document: Some(name("documents/d")),
        clauses: vec![name("documents/d/clauses/annex-21")],
        parent: Some(name("tasks/above")),
        milestones: vec![Milestone { year: 2025, statement: text("初步形成") }],
        source: Some(crate::assignment::Source {
            document: name("documents/d"),
            first_line: 112,
            last_line: 112,
            cell: Some(text("(二十一)大力发展绿色金融")),
        }),
        ..outline()
    };
    let rule = RuleVersion { id: "qinghai-710".into(), version: 1 };
    let evidence = shown().evidence;
    let events = [
        TaskEvent::Proposed { task: task(), outline: full },
        TaskEvent::Registered { task: task() },
        TaskEvent::Dispatched { task: task(), due_on: Some(date(2026, 12, 31)), rule },
        TaskEvent::Started { task: task() },
        TaskEvent::ProgressRecorded { task: task(), agency: name(FINANCE), assessment: shown() },
        TaskEvent::ProgressVerified { task: task(), assessment: assessment(Level::Limited) },
        TaskEvent::ClosureRequested {
            task: task(),
            agency: name(FINANCE),
            statement: text("done"),
            evidence: evidence.clone(),
        },
        TaskEvent::Returned { task: task() },
        TaskEvent::Completed { task: task(), judgement: text("shown"), evidence },
        TaskEvent::StruckOff { task: task() },
        TaskEvent::Archived { task: task() },
        TaskEvent::Suspended { task: task() },
        TaskEvent::Resumed { task: task(), stage: Stage::InProgress },
        TaskEvent::Withdrawn { task: task() },
        TaskEvent::Reopened { task: task() },
    ];
    insta::assert_json_snapshot!(events.each_ref().map(stored));
}
