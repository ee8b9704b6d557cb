//! Whatever is asked, by whomever: who closes a task is three people, none of an agency that had a part, and
//! only an agency that took its part says how far it has come (invariants 3 and 8).

use proptest::prelude::*;

use super::*;

fn callers() -> Vec<Caller> {
    let of = |id: &str, agency: Option<&str>, role| {
        let principal = crate::caller::PrincipalId::parse(id).unwrap();
        Caller { principal, role, agency: agency.map(name) }
    };
    vec![
        supervisor("first"),
        supervisor("second"),
        supervisor("third"),
        of("of-finance", Some(FINANCE), Role::Supervisor),
        // The same people in another role.
        of("first", Some(FINANCE), Role::Agency),
        of("second", Some(ECOLOGY), Role::Agency),
        of("officer", Some(FINANCE), Role::Agency),
        of("outsider", Some("agencies/water"), Role::Agency),
    ]
}

fn commands() -> Vec<TaskCommand> {
    let task = || name(TASK);
    vec![
        TaskCommand::RecordProgress { task: task(), assessment: assessment(Level::Limited) },
        TaskCommand::RecordProgress { task: task(), assessment: assessment(Level::Complete) },
        TaskCommand::VerifyProgress { task: task(), assessment: assessment(Level::Limited) },
        TaskCommand::RequestClosure { task: task(), statement: text("done"), evidence: vec![] },
        TaskCommand::Return { task: task() },
        complete(),
        TaskCommand::StrikeOff { task: task() },
        TaskCommand::Archive { task: task() },
        TaskCommand::Suspend { task: task() },
        TaskCommand::Resume { task: task() },
        TaskCommand::Withdraw { task: task() },
        TaskCommand::Reopen { task: task() },
    ]
}

fn check(given: &Given) {
    let (mut requested, mut completed) = (None, None);
    let parties = [FINANCE, ECOLOGY].map(name::<AgencyId>);
    for recorded in &given.events {
        let Event::Task(event) = &recorded.event else { continue };
        let outside = recorded.agency.as_ref().is_none_or(|agency| !parties.contains(agency));
        match event {
            TaskEvent::ClosureRequested { .. } => requested = Some(&recorded.actor),
            TaskEvent::Completed { .. } => {
                assert!(outside && requested != Some(&recorded.actor));
                completed = Some(&recorded.actor);
            }
            TaskEvent::StruckOff { .. } => {
                assert!(outside && requested != Some(&recorded.actor) && completed != Some(&recorded.actor));
            }
            TaskEvent::ProgressRecorded { agency, .. } => {
                assert_eq!(recorded.agency.as_ref(), Some(agency));
                assert_eq!(*agency, name(FINANCE), "the only one that took its part");
            }
            TaskEvent::ProgressVerified { .. } => assert!(outside),
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn whoever_asks_whatever(asked in prop::collection::vec((0usize..8, 0usize..12), 1..60)) {
        let mut given = under_way().and([assigned(ECOLOGY, AssignmentRole::CoLead)]).because("as asked");
        for (caller, command) in asked {
            let when = given.clone().as_caller(callers()[caller].clone()).when(commands()[command].clone());
            if when.outcome.is_ok() {
                given = when.carried_out();
            }
        }
        check(&given);
        // A stage per day: whatever happened, the fold stands where the last step led.
        let world = given.world([Subject::Task(name(TASK))]);
        let task = world.task(&name(TASK)).unwrap();
        prop_assert_eq!(task.stage_on(DAY), Some(task.stage));
        let last = given.events.iter().rev().find_map(|recorded| match &recorded.event {
            Event::Task(event) => event.stage(),
            _ => None,
        });
        prop_assert_eq!(last, Some(task.stage));
    }
}
