//! The stored JSON of every event of an assignment: a change here is a broken history.

use super::*;

fn stored(event: &AssignmentEvent) -> serde_json::Value {
    let body = Event::Assignment(event.clone()).encode(&crate::command::Context::default());
    let (read, _) = Event::decode(crate::event::type_of(&body).unwrap(), &body).unwrap();
    assert_eq!(read, Event::Assignment(event.clone()));
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn assignments_are_stored_like_this() {
    let party = |id: &str| Party { assignment: assignment(id), agency: name(&format!("agencies/{id}")) };
    let (one, of_one) = (|| assignment("a"), || name(A));
    let period = Period::new(START, Some(date(2026, 7, 1)));
    let source = Source {
        document: name("documents/d"),
        first_line: 112,
        last_line: 112,
        cell: Some(text("省财政厅、省发展改革委")),
    };
    let events = [
        AssignmentEvent::Dispatched {
            assignment: one(),
            agency: of_one(),
            role: Role::Lead,
            period,
            source: Some(source),
        },
        AssignmentEvent::Acknowledged { assignment: one(), agency: of_one() },
        AssignmentEvent::Contested {
            assignment: one(), agency: of_one(), grounds: text("不属于本单位职责")
        },
        AssignmentEvent::Upheld { assignment: one(), agency: of_one(), stage: Stage::Dispatched },
        AssignmentEvent::Reassigned {
            assignment: one(),
            agency: of_one(),
            period,
            successor: party("c"),
            roles: vec![RoleSpan { period, role: Role::Lead }],
        },
        AssignmentEvent::Released { assignment: one(), agency: of_one(), period: Period::since(START) },
        AssignmentEvent::RoleReinterpreted {
            assignment: one(),
            agency: of_one(),
            role: Role::CoLead,
            period,
        },
        AssignmentEvent::BoundaryCorrected {
            earlier: Some(party("a")),
            later: Some(party("c")),
            was: date(2026, 7, 1),
            now: date(2026, 8, 1),
            role: Role::Lead,
            supersedes: vec![9],
        },
    ];
    insta::assert_json_snapshot!(events.each_ref().map(stored));
}
