//! An assignment's life, and who answers when, sentence by sentence and against a naive model.

mod stored;

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::agency::AgencyCommand;
use crate::caller::{Caller, Role as CallerRole};
use crate::rejection::Reason;
use crate::subject::Subject;
use crate::task::{Outline, TaskEvent, Track, rule};
use crate::testing::{Given, Happened, given, happened, line, name, officer, text};

const A: &str = "agencies/a";
const B: &str = "agencies/b";
const C: &str = "agencies/c";
const START: Date = date(2026, 1, 1);

fn assignment(id: &str) -> AssignmentId {
    name(&format!("tasks/t/assignments/{id}"))
}

fn agency(id: &str) -> Happened {
    crate::testing::agency(id).on(date(2020, 1, 1))
}

fn outline() -> Outline {
    Outline {
        title: line("t"),
        label: None,
        document: None,
        clauses: vec![],
        track: Track::Continuing,
        parent: None,
        milestones: vec![],
        source: None,
    }
}

fn given_to(agency: &str, role: Role, period: Period) -> Happened {
    let id = agency.trim_start_matches("agencies/");
    let dispatched = AssignmentEvent::Dispatched {
        assignment: assignment(id),
        agency: name(agency),
        role,
        period,
        source: None,
    };
    happened(dispatched).on(START)
}

/// A leads from the first day of 2026, B shares the lead; C is there and has no part. Today is 1 March.
fn dispatched() -> Given {
    let task = || name("tasks/t");
    let rule = rule::qinghai_710();
    given([
        agency(A),
        agency(B),
        agency(C),
        happened(TaskEvent::Proposed { task: task(), outline: outline() }).on(START),
        happened(TaskEvent::Registered { task: task() }).on(START),
        happened(TaskEvent::Dispatched { task: task(), due_on: None, rule }).on(START),
        given_to(A, Role::Lead, Period::since(START)),
        given_to(B, Role::CoLead, Period::since(START)),
    ])
}

fn acknowledge(id: &str) -> AssignmentCommand {
    AssignmentCommand::Acknowledge { assignment: assignment(id) }
}

fn contest(id: &str) -> AssignmentCommand {
    AssignmentCommand::Contest { assignment: assignment(id), grounds: text("not our duty") }
}

fn reassign(id: &str, agency: &str) -> AssignmentCommand {
    let successor = Some(assignment(&format!("{id}-{}", agency.trim_start_matches("agencies/"))));
    AssignmentCommand::Reassign { assignment: assignment(id), agency: name(agency), role: None, successor }
}

fn assign(agency: &str, role: Role, until: Option<Date>) -> AssignmentCommand {
    let id = Some(assignment(&format!("{}2", agency.trim_start_matches("agencies/"))));
    let task = name("tasks/t");
    AssignmentCommand::Assign { task, assignment: id, agency: name(agency), role, until, source: None }
}

/// Who answers on `day`, and as what.
fn who(given: &Given, day: Date) -> Vec<(String, Role)> {
    let world = given.world([Subject::Task(name("tasks/t"))]);
    let task = world.task(&name("tasks/t")).unwrap();
    let holds = |a: &Assignment| Some((a.agency.id().to_owned(), *a.held.value_on(day)?));
    let mut all: Vec<_> = task.assignments.values().filter_map(holds).collect();
    all.sort();
    all
}

fn answers(expected: &[(&str, Role)]) -> Vec<(String, Role)> {
    expected.iter().map(|(agency, role)| ((*agency).to_owned(), *role)).collect()
}

#[test]
fn the_first_to_take_it_sets_the_task_going() {
    let given = dispatched().as_caller(officer(A)).when(acknowledge("a")).then::<crate::Event>([
        AssignmentEvent::Acknowledged { assignment: assignment("a"), agency: name(A) }.into(),
        TaskEvent::Started { task: name("tasks/t") }.into(),
    ]);
    let given = given.when(acknowledge("a")).then_nothing();
    let second = AssignmentEvent::Acknowledged { assignment: assignment("b"), agency: name(B) };
    given.as_caller(officer(B)).when(acknowledge("b")).then([second]);
}

#[test]
fn another_agency_can_neither_take_nor_contest_it() {
    dispatched().as_caller(officer(B)).when(acknowledge("a")).then_rejected(Reason::NotYours);
    dispatched().as_caller(officer(B)).when(contest("a")).then_rejected(Reason::NotYours);
    dispatched().as_caller(officer(A)).when(acknowledge("x")).then_rejected(Reason::AssignmentNotFound);
}

#[test]
fn what_is_contested_can_be_upheld_or_taken_after_all() {
    let contested = dispatched().as_caller(officer(A)).when(contest("a")).carried_out();
    contested.clone().when(contest("a")).then_nothing();
    contested.clone().when(acknowledge("a")).carried_out();
    let uphold = || AssignmentCommand::Uphold { assignment: assignment("a") };
    contested.when(uphold()).carried_out().when(uphold()).then_rejected(Reason::AssignmentStage);
}

#[test]
fn a_reassignment_hands_over_the_rest_and_keeps_what_was() {
    let given = dispatched().effective_on(date(2026, 2, 1)).when(reassign("a", C)).carried_out();
    assert_eq!(who(&given, date(2026, 1, 31)), answers(&[("a", Role::Lead), ("b", Role::CoLead)]));
    assert_eq!(who(&given, date(2026, 2, 1)), answers(&[("b", Role::CoLead), ("c", Role::Lead)]));
}

#[test]
fn a_retroactive_reassignment_ends_where_the_named_period_ended() {
    let given = dispatched().effective_on(date(2026, 2, 20)).when(reassign("a", C)).carried_out();
    let given = given.effective_on(date(2026, 1, 10)).and([agency("agencies/d")]);
    let given = given.when(reassign("a", "agencies/d")).carried_out();
    let lead =
        |day| who(&given, day).into_iter().find(|(_, role)| *role == Role::Lead).map(|(agency, _)| agency);
    let days = [date(2026, 1, 9), date(2026, 1, 10), date(2026, 2, 19), date(2026, 2, 20)];
    assert_eq!(days.map(lead), ["a", "d", "d", "c"].map(|agency| Some(agency.to_owned())));
}

#[test]
fn nobody_takes_what_it_has_or_what_overlaps_with_what_it_has() {
    dispatched().when(reassign("a", A)).then_rejected(Reason::InvalidField);
    dispatched().when(reassign("a", B)).then_rejected(Reason::AgencyAlreadyAssigned);
    dispatched().when(assign(B, Role::Supporting, None)).then_rejected(Reason::AgencyAlreadyAssigned);
    dispatched().when(assign(C, Role::Lead, None)).then_rejected(Reason::LeadTaken);
    dispatched().when(reassign("a", "agencies/none")).then_rejected(Reason::AgencyNotFound);
}

#[test]
fn the_periods_in_the_way_are_named() {
    let rejection = dispatched().when(assign(C, Role::Lead, None)).then_rejected(Reason::LeadTaken);
    assert_eq!(rejection.metadata["period"], "[2026-01-01, )");
    assert_eq!(rejection.metadata["assignment"], "tasks/t/assignments/a");
}

#[test]
fn outside_its_period_nothing_of_it_is_handed_over_or_released() {
    let before = dispatched().effective_on(date(2025, 12, 31));
    before.clone().when(reassign("a", C)).then_rejected(Reason::OutsidePeriod);
    let release = AssignmentCommand::Release { assignment: assignment("a") };
    before.when(release.clone()).then_rejected(Reason::OutsidePeriod);
    let released = dispatched().when(release.clone()).carried_out();
    released.when(release).then_rejected(Reason::OutsidePeriod);
}

#[test]
fn an_assignment_does_not_begin_before_the_task_was_dispatched() {
    let early = dispatched().effective_on(date(2025, 6, 1));
    early.when(assign(C, Role::Supporting, None)).then_rejected(Reason::StepBeforeLast);
    let until = Some(date(2026, 3, 1));
    dispatched().when(assign(C, Role::Supporting, until)).then_rejected(Reason::InvalidField);
}

#[test]
fn a_name_is_taken_once() {
    let mut command = assign(C, Role::Supporting, None);
    let AssignmentCommand::Assign { assignment: id, .. } = &mut command else { unreachable!() };
    *id = Some(assignment("a"));
    dispatched().when(command).then_rejected(Reason::AssignmentExists);
}

#[test]
fn a_planned_handover_leaves_the_work_where_it_is_until_its_day() {
    let given = dispatched().effective_on(date(2026, 6, 1)).when(reassign("a", C)).carried_out();
    let mut given = given.as_caller(officer(A));
    given = given.effective_on(date(2026, 3, 1)).when(acknowledge("a")).carried_out();
    let given = given.on(date(2026, 7, 1)).effective_on(date(2026, 7, 1));
    given.when(contest("a")).then_rejected(Reason::AssignmentStage);
}

#[test]
fn a_role_is_read_otherwise_only_where_nobody_else_leads() {
    let read = |id: &str, role| AssignmentCommand::ReinterpretRole { assignment: assignment(id), role };
    dispatched().when(read("b", Role::Lead)).then_rejected(Reason::LeadTaken);
    dispatched().when(read("a", Role::Lead)).then_nothing();
    let given = dispatched().effective_on(date(2026, 2, 1)).when(read("a", Role::CoLead)).carried_out();
    let given = given.when(read("b", Role::Lead)).carried_out();
    assert_eq!(who(&given, date(2026, 2, 1)), answers(&[("a", Role::CoLead), ("b", Role::Lead)]));
    assert_eq!(who(&given, date(2026, 1, 31)), answers(&[("a", Role::Lead), ("b", Role::CoLead)]));
}

fn boundary(earlier: Option<&str>, later: Option<&str>, date: Date) -> AssignmentCommand {
    AssignmentCommand::CorrectBoundary {
        earlier: earlier.map(assignment),
        later: later.map(assignment),
        date,
    }
}

#[test]
fn a_boundary_recorded_wrongly_is_moved_and_the_event_names_what_it_supersedes() {
    let handed = dispatched().effective_on(date(2026, 2, 1)).when(reassign("a", C)).carried_out();
    let asked = handed.because("the handover was signed on the 10th");
    let when = asked.when(boundary(Some("a"), Some("a-c"), date(2026, 2, 10)));
    let proposed = when.outcome.as_ref().unwrap();
    let crate::Event::Assignment(AssignmentEvent::BoundaryCorrected { was, now, supersedes, .. }) =
        &proposed[0].event
    else {
        panic!("{proposed:?}")
    };
    assert_eq!((*was, *now, &supersedes[..]), (date(2026, 2, 1), date(2026, 2, 10), &[9][..]));
    let given = when.carried_out();
    assert_eq!(who(&given, date(2026, 2, 9)), answers(&[("a", Role::Lead), ("b", Role::CoLead)]));
    assert_eq!(who(&given, date(2026, 2, 10)), answers(&[("b", Role::CoLead), ("c", Role::Lead)]));
    given.when(boundary(Some("a"), Some("a-c"), date(2026, 2, 10))).then_nothing();
}

#[test]
fn a_boundary_needs_a_reason_two_periods_that_meet_and_leaves_both_a_day() {
    let handed = dispatched().effective_on(date(2026, 2, 1)).when(reassign("a", C)).carried_out();
    let move_to = |date| boundary(Some("a"), Some("a-c"), date);
    handed.clone().when(move_to(date(2026, 2, 2))).then_rejected(Reason::ReasonRequired);
    let asked = handed.because("misread");
    asked
        .clone()
        .when(boundary(Some("b"), Some("a-c"), date(2026, 2, 2)))
        .then_rejected(Reason::BoundaryMismatch);
    asked.clone().when(boundary(Some("b"), None, date(2026, 2, 2))).then_rejected(Reason::BoundaryMismatch);
    asked.when(move_to(START)).then_rejected(Reason::BoundaryMismatch);
}

#[test]
fn the_first_day_alone_can_be_corrected_too() {
    let asked = dispatched().because("the text says February");
    let given = asked.when(boundary(None, Some("a"), date(2026, 2, 1))).carried_out();
    assert_eq!(who(&given, date(2026, 1, 31)), answers(&[("b", Role::CoLead)]));
    assert_eq!(who(&given, date(2026, 2, 1)), answers(&[("a", Role::Lead), ("b", Role::CoLead)]));
}

/// What a naive reader would say: for each of 40 days, who has which role, all by hand.
#[derive(Default)]
struct Naive {
    days: Vec<BTreeMap<String, (String, Role)>>,
}

impl Naive {
    fn apply(&mut self, event: &AssignmentEvent) {
        let id = |name: &AssignmentId| name.id().to_owned();
        for (index, day) in self.days.iter_mut().enumerate() {
            let date = nth(index);
            match event {
                AssignmentEvent::Dispatched { assignment, agency, role, period, .. }
                | AssignmentEvent::RoleReinterpreted { assignment, agency, role, period }
                    if period.contains(date) =>
                {
                    day.insert(id(assignment), (agency.id().to_owned(), *role));
                }
                AssignmentEvent::Released { assignment, period, .. } if period.contains(date) => {
                    day.remove(&id(assignment));
                }
                AssignmentEvent::Reassigned { assignment, period, successor, .. }
                    if period.contains(date) =>
                {
                    let (_, role) = day.remove(&id(assignment)).expect("only what is held is handed over");
                    day.insert(id(&successor.assignment), (successor.agency.id().to_owned(), role));
                }
                AssignmentEvent::BoundaryCorrected { earlier, later, was, now, role, .. }
                    if date >= *was.min(now) && date < *was.max(now) =>
                {
                    let (from, to) = if now > was { (later, earlier) } else { (earlier, later) };
                    if let Some(party) = from {
                        day.remove(&id(&party.assignment));
                    }
                    if let Some(party) = to {
                        day.insert(id(&party.assignment), (party.agency.id().to_owned(), *role));
                    }
                }
                _ => {}
            }
        }
    }
}

fn nth(day: usize) -> Date {
    use jiff::ToSpan;
    START.saturating_add(i64::try_from(day).unwrap().days())
}

/// What is asked at random: mostly something of an assignment, sometimes that an agency be dissolved.
#[derive(Debug, Clone)]
enum Asked {
    Assignment(AssignmentCommand),
    Dissolve(&'static str),
}

fn any_command() -> impl Strategy<Value = (Asked, usize)> {
    let ids = prop::sample::select(vec!["a", "b", "a-c", "b-c", "a-d", "a-c-d", "b-d", "c2", "d2"]);
    let agencies = prop::sample::select(vec![A, B, C, "agencies/d"]);
    let role = prop::sample::select(Role::ALL.to_vec());
    let day = 0usize..40;
    (0..8, ids.clone(), ids, agencies, role, day.clone(), day).prop_map(
        |(kind, id, other, agency, role, day, date)| {
            let command = match kind {
                0 | 1 => reassign(id, agency),
                2 => AssignmentCommand::Release { assignment: assignment(id) },
                3 => assign(agency, role, (date > day).then(|| nth(date))),
                4 => AssignmentCommand::ReinterpretRole { assignment: assignment(id), role },
                5 | 6 => boundary(Some(id), Some(other), nth(date)),
                _ => return (Asked::Dissolve(agency), day),
            };
            (Asked::Assignment(command), day)
        },
    )
}

proptest! {
    /// Invariants 1, 2 and 4: whatever is asked, whoever answers is active on that day, at most one leads on
    /// it, and each agency has at most one role; the fold says what a naive reader says; and each earlier belief stays answerable.
    #[test]
    fn who_answers_is_what_a_naive_reader_says(commands in prop::collection::vec(any_command(), 1..25)) {
        let mut given = dispatched().and([agency("agencies/d")]).on(nth(20)).because("as asked");
        let mut naive = Naive { days: vec![BTreeMap::new(); 40] };
        for recorded in &given.events {
            if let crate::Event::Assignment(event) = &recorded.event {
                naive.apply(event);
            }
        }
        for (command, day) in commands {
            let before = given.events.len();
            let asked = given.clone().effective_on(nth(day));
            let when = match command {
                Asked::Assignment(command) => asked.when(command),
                Asked::Dissolve(agency) => asked.when(AgencyCommand::Dissolve { agency: name(agency) }),
            };
            if when.outcome.is_err() {
                continue;
            }
            given = when.carried_out();
            for recorded in &given.events[before..] {
                if let crate::Event::Assignment(event) = &recorded.event {
                    naive.apply(event);
                }
            }
            for (index, expected) in naive.days.iter().enumerate() {
                let mut expected: Vec<_> = expected.values().cloned().collect();
                expected.sort();
                let found = who(&given, nth(index));
                for (agency, _) in &found {
                    let agency: AgencyId = name(&format!("agencies/{agency}"));
                    let world = given.world([Subject::Agency(agency.clone())]);
                    let day = Period::new(nth(index), Some(nth(index + 1)));
                    prop_assert!(world.agency(&agency).unwrap().active_over(day).is_ok());
                }
                prop_assert!(found.iter().filter(|(_, role)| *role == Role::Lead).count() <= 1);
                prop_assert!(found.windows(2).all(|pair| pair[0].0 != pair[1].0));
                prop_assert_eq!(found, expected);
            }
        }
    }
}

#[test]
fn a_coordinator_is_no_officer_of_the_assigned_agency() {
    let coordinator = Caller { role: CallerRole::Coordinator, ..officer(C) };
    dispatched().as_caller(coordinator).when(acknowledge("a")).then_rejected(Reason::NotYours);
}
