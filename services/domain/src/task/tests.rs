//! A task's life, sentence by sentence.

mod life;
mod stored;

use jiff::civil::date;

use super::*;
use crate::assignment::{AssignmentEvent, Role as AssignmentRole};
use crate::caller::{Caller, Role};
use crate::rejection::Reason;
use crate::subject::Subject;
use crate::testing::{DAY, Given, Happened, given, given_nothing, happened, line, name, officer, text};

const FINANCE: &str = "agencies/finance";
const ECOLOGY: &str = "agencies/ecology";
const TASK: &str = "tasks/green";
const START: Date = date(2026, 1, 1);

fn agency(id: &str) -> Happened {
    crate::testing::agency(id).on(date(2020, 1, 1))
}

fn outline() -> Outline {
    Outline {
        title: line("大力发展绿色金融"),
        label: Some(line("(二十一)")),
        document: None,
        clauses: vec![],
        track: Track::Continuing,
        parent: None,
        milestones: vec![],
        source: None,
    }
}

fn propose() -> TaskCommand {
    TaskCommand::Propose { task: Some(name(TASK)), outline: outline() }
}

fn task(event: impl FnOnce(TaskId) -> TaskEvent) -> Happened {
    happened(event(name(TASK))).on(START)
}

fn proposed() -> Happened {
    task(|task| TaskEvent::Proposed { task, outline: outline() })
}

fn registered() -> Happened {
    task(|task| TaskEvent::Registered { task })
}

fn dispatched() -> Happened {
    task(|task| TaskEvent::Dispatched { task, due_on: None, rule: rule::qinghai_710() })
}

fn assigned(agency: &str, role: AssignmentRole) -> Happened {
    let id = agency.trim_start_matches("agencies/");
    happened(AssignmentEvent::Dispatched {
        assignment: name(&format!("{TASK}/assignments/{id}")),
        agency: name(agency),
        role,
        period: Period::since(START),
        source: None,
    })
    .on(START)
}

fn acknowledged(agency: &str) -> Happened {
    let id = agency.trim_start_matches("agencies/");
    let assignment = name(&format!("{TASK}/assignments/{id}"));
    happened(AssignmentEvent::Acknowledged { assignment, agency: name(agency) }).on(date(2026, 1, 5))
}

fn started() -> Happened {
    task(|task| TaskEvent::Started { task }).on(date(2026, 1, 5))
}

/// Dispatched to 财政 as lead, taken and under way.
fn under_way() -> Given {
    given([
        agency(FINANCE),
        agency(ECOLOGY),
        proposed(),
        registered(),
        dispatched(),
        assigned(FINANCE, AssignmentRole::Lead),
        acknowledged(FINANCE),
        started(),
    ])
}

fn closure_requested() -> Given {
    let event = task(|task| TaskEvent::ClosureRequested {
        task,
        agency: name(FINANCE),
        statement: text("done"),
        evidence: vec![],
    });
    under_way().and([event.on(date(2026, 2, 1)).by(officer(FINANCE))])
}

fn supervisor(principal: &str) -> Caller {
    let principal = crate::caller::PrincipalId::parse(principal).unwrap();
    Caller { principal, role: Role::Supervisor, agency: None }
}

fn assessment(level: Level) -> Assessment {
    Assessment { level, text: text("as seen"), evidence: vec![] }
}

fn complete() -> TaskCommand {
    TaskCommand::Complete { task: name(TASK), judgement: text("shown"), evidence: vec![] }
}

#[test]
fn a_task_is_proposed_once() {
    given_nothing().when(propose()).then([TaskEvent::Proposed { task: name(TASK), outline: outline() }]);
    given([proposed()]).when(propose()).then_rejected(Reason::TaskExists);
}

#[test]
fn an_absent_parent_or_document_is_not_found() {
    let parent = Outline { parent: Some(name("tasks/above")), ..outline() };
    let command = TaskCommand::Propose { task: Some(name(TASK)), outline: parent };
    given_nothing().when(command).then_rejected(Reason::TaskNotFound);
    let document = Outline { document: Some(name("documents/none")), ..outline() };
    let command = TaskCommand::Propose { task: None, outline: document };
    given_nothing().when(command).then_rejected(Reason::DocumentNotFound);
    let own = Outline { parent: Some(name(TASK)), ..outline() };
    let command = TaskCommand::Propose { task: Some(name(TASK)), outline: own };
    given_nothing().when(command).then_rejected(Reason::HierarchyCycle);
}

#[test]
fn it_is_registered_after_it_is_proposed_and_twice_is_once() {
    given_nothing().when(TaskCommand::Register { task: name(TASK) }).then_rejected(Reason::TaskNotFound);
    given([proposed()])
        .when(TaskCommand::Register { task: name(TASK) })
        .then([TaskEvent::Registered { task: name(TASK) }])
        .when(TaskCommand::Register { task: name(TASK) })
        .then_nothing();
}

fn dispatch_to(parties: &[(&str, AssignmentRole)]) -> TaskCommand {
    let new = |(agency, role): &(&str, AssignmentRole)| DispatchedAssignment {
        assignment: Some(name(&format!("{TASK}/assignments/{}", agency.trim_start_matches("agencies/")))),
        agency: name(agency),
        role: *role,
        source: None,
    };
    TaskCommand::Dispatch { task: name(TASK), assignments: parties.iter().map(new).collect() }
}

#[test]
fn dispatching_gives_its_parties_their_days_in_one_act() {
    let given = given([agency(FINANCE), agency(ECOLOGY), proposed(), registered()]);
    let command = dispatch_to(&[(FINANCE, AssignmentRole::Lead), (ECOLOGY, AssignmentRole::CoLead)]);
    let after = given.effective_on(START).when(command).carried_out();
    let world = after.world([Subject::Task(name(TASK))]);
    let task = world.task(&name(TASK)).unwrap();
    assert_eq!((task.stage, task.assignments.len()), (Stage::Dispatched, 2));
    assert!(task.assignments.values().all(|a| a.period() == Some(Period::since(START))));
}

#[test]
fn two_leads_or_one_agency_twice_cannot_slip_into_one_dispatch() {
    let ready = || given([agency(FINANCE), agency(ECOLOGY), proposed(), registered()]);
    let two_leads = dispatch_to(&[(FINANCE, AssignmentRole::Lead), (ECOLOGY, AssignmentRole::Lead)]);
    ready().when(two_leads).then_rejected(Reason::LeadTaken);
    let mut twice = dispatch_to(&[(FINANCE, AssignmentRole::Lead), (FINANCE, AssignmentRole::CoLead)]);
    let TaskCommand::Dispatch { assignments, .. } = &mut twice else { unreachable!() };
    assignments[1].assignment = Some(name(&format!("{TASK}/assignments/other")));
    ready().when(twice).then_rejected(Reason::AgencyAlreadyAssigned);
    ready().when(dispatch_to(&[])).then_rejected(Reason::InvalidField);
}

#[test]
fn a_task_is_not_dispatched_to_an_agency_that_is_not_there_or_not_active_yet() {
    let nobody = dispatch_to(&[(FINANCE, AssignmentRole::Lead)]);
    given([proposed(), registered()]).when(nobody.clone()).then_rejected(Reason::AgencyNotFound);
    let early = given([agency(FINANCE).on(date(2026, 2, 1)), proposed(), registered()]);
    early.effective_on(START).when(nobody).then_rejected(Reason::AgencyNotActive);
}

#[test]
fn only_registered_tasks_are_dispatched() {
    let command = dispatch_to(&[(FINANCE, AssignmentRole::Lead)]);
    given([agency(FINANCE), proposed()]).when(command.clone()).then_rejected(Reason::TaskStage);
    under_way().when(command).then_rejected(Reason::TaskStage);
}

#[test]
fn a_step_is_dated_neither_before_the_one_it_follows_nor_after_today() {
    let register = || TaskCommand::Register { task: name(TASK) };
    given([proposed()])
        .effective_on(date(2025, 12, 31))
        .when(register())
        .then_rejected(Reason::StepBeforeLast);
    given([proposed()]).effective_on(date(2026, 3, 2)).when(register()).then_rejected(Reason::StepInFuture);
}

#[test]
fn only_an_agency_that_took_its_part_says_how_far_it_has_come() {
    let record = || TaskCommand::RecordProgress { task: name(TASK), assessment: assessment(Level::Limited) };
    under_way().as_caller(officer(ECOLOGY)).when(record()).then_rejected(Reason::NotYours);
    let untaken = given([
        agency(FINANCE),
        proposed(),
        registered(),
        dispatched(),
        assigned(FINANCE, AssignmentRole::Lead),
    ]);
    untaken.as_caller(officer(FINANCE)).when(record()).then_rejected(Reason::AssignmentStage);
    let after = under_way().as_caller(officer(FINANCE)).when(record()).carried_out();
    after.when(record()).then_nothing();
}

#[test]
fn a_self_assessment_never_shows_as_verified() {
    let record = TaskCommand::RecordProgress { task: name(TASK), assessment: assessment(Level::Complete) };
    let after = under_way().as_caller(officer(FINANCE)).when(record).carried_out();
    let world = after.world([Subject::Task(name(TASK))]);
    let task = world.task(&name(TASK)).unwrap();
    assert_eq!(task.last_assessment(&name(FINANCE)).map(|a| a.level), Some(Level::Complete));
    assert_eq!(task.verified.value_on(DAY), None);
}

#[test]
fn a_party_to_the_task_does_not_verify_it() {
    let verify = || TaskCommand::VerifyProgress { task: name(TASK), assessment: assessment(Level::Limited) };
    let coordinator = Caller { role: Role::Coordinator, ..officer(FINANCE) };
    under_way().as_caller(coordinator).when(verify()).then_rejected(Reason::SeparationOfDuty);
    under_way().when(verify()).carried_out().when(verify()).then_nothing();
}

#[test]
fn a_late_found_assessment_holds_until_the_next_that_is_known() {
    let said = |level| TaskCommand::RecordProgress { task: name(TASK), assessment: assessment(level) };
    let after = under_way()
        .as_caller(officer(FINANCE))
        .effective_on(date(2026, 2, 20))
        .when(said(Level::Substantial))
        .carried_out()
        .effective_on(date(2026, 2, 1))
        .when(said(Level::Limited))
        .carried_out();
    let world = after.world([Subject::Task(name(TASK))]);
    let said = &world.task(&name(TASK)).unwrap().self_assessed[&name(FINANCE)];
    assert_eq!(said.value_on(date(2026, 2, 19)).map(|a| a.level), Some(Level::Limited));
    assert_eq!(said.value_on(date(2026, 2, 20)).map(|a| a.level), Some(Level::Substantial));
}

#[test]
fn requesting_completing_and_striking_off_are_three_principals() {
    let strike_off = || TaskCommand::StrikeOff { task: name(TASK) };
    let requester = Caller { role: Role::Supervisor, agency: None, ..officer(FINANCE) };
    closure_requested().as_caller(requester.clone()).when(complete()).then_rejected(Reason::SeparationOfDuty);
    let completed = closure_requested().as_caller(supervisor("first")).when(complete()).carried_out();
    completed.clone().when(strike_off()).then_rejected(Reason::SeparationOfDuty);
    completed.clone().as_caller(requester).when(strike_off()).then_rejected(Reason::SeparationOfDuty);
    let struck_off = completed.as_caller(supervisor("second")).when(strike_off()).carried_out();
    struck_off.when(strike_off()).then_nothing();
}

#[test]
fn neither_of_the_two_who_close_it_is_of_an_agency_that_had_a_part() {
    let of_finance = Caller { agency: Some(name(FINANCE)), ..supervisor("first") };
    closure_requested()
        .as_caller(of_finance.clone())
        .when(complete())
        .then_rejected(Reason::SeparationOfDuty);
    let completed = closure_requested().when(complete()).carried_out();
    let strike_off = TaskCommand::StrikeOff { task: name(TASK) };
    completed.as_caller(of_finance).when(strike_off).then_rejected(Reason::SeparationOfDuty);
}

#[test]
fn completed_is_not_struck_off_and_neither_follows_from_progress() {
    under_way().when(complete()).then_rejected(Reason::TaskStage);
    under_way().when(TaskCommand::StrikeOff { task: name(TASK) }).then_rejected(Reason::TaskStage);
    closure_requested().when(TaskCommand::Archive { task: name(TASK) }).then_rejected(Reason::TaskStage);
}

#[test]
fn a_return_needs_a_reason_and_puts_it_back_under_way() {
    let back = || TaskCommand::Return { task: name(TASK) };
    closure_requested().when(back()).then_rejected(Reason::ReasonRequired);
    let after = closure_requested().because("not shown").when(back()).carried_out();
    assert_eq!(after.world([Subject::Task(name(TASK))]).task(&name(TASK)).unwrap().stage, Stage::InProgress);
    under_way().because("not shown").when(back()).then_rejected(Reason::TaskStage);
}

#[test]
fn what_is_suspended_resumes_where_it_stood() {
    let suspend = || TaskCommand::Suspend { task: name(TASK) };
    let resume = || TaskCommand::Resume { task: name(TASK) };
    let stage = |given: &Given| given.world([Subject::Task(name(TASK))]).task(&name(TASK)).unwrap().stage;
    let after = under_way().because("floods").when(suspend()).carried_out();
    assert_eq!(stage(&after), Stage::Suspended);
    after.clone().when(suspend()).then_nothing();
    assert_eq!(stage(&after.when(resume()).carried_out()), Stage::InProgress);
    let untaken = given([proposed(), registered(), dispatched()]).because("floods");
    let after = untaken.when(suspend()).carried_out().when(resume()).carried_out();
    assert_eq!(stage(&after), Stage::Dispatched);
    under_way().when(resume()).then_rejected(Reason::TaskStage);
}

#[test]
fn withdrawing_and_reopening_need_reasons_and_their_stages() {
    let withdraw = || TaskCommand::Withdraw { task: name(TASK) };
    let reopen = || TaskCommand::Reopen { task: name(TASK) };
    under_way().when(withdraw()).then_rejected(Reason::ReasonRequired);
    let withdrawn = under_way().because("superseded").when(withdraw()).carried_out();
    withdrawn.clone().when(withdraw()).then_nothing();
    withdrawn.when(reopen()).then_rejected(Reason::TaskStage);
    let completed = closure_requested().when(complete()).carried_out().because("it came back");
    completed.clone().when(withdraw()).then_rejected(Reason::TaskStage);
    completed.when(reopen()).then([TaskEvent::Reopened { task: name(TASK) }]);
}

#[test]
fn a_task_is_live_from_dispatch_until_it_is_closed() {
    let world = closure_requested().when(complete()).carried_out().world([Subject::Task(name(TASK))]);
    let task = world.task(&name(TASK)).unwrap();
    assert!(!task.is_live_on(date(2025, 12, 31)));
    assert!(task.is_live_on(START) && task.is_live_on(date(2026, 2, 28)));
    assert!(!task.is_live_on(DAY));
}
