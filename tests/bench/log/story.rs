//! Five years of a province: each spring new tasks, each quarter a word on their progress, each December the
//! reports. One agency, the hub, supports every task; the others lead some each.

use duban_domain::agency::{AgencyCommand, AgencyKind};
use duban_domain::assignment::{AssignmentCommand, Role as Part};
use duban_domain::cycle::CycleCommand;
use duban_domain::name::{AgencyId, AssignmentId, CycleId, ObligationId, ReportId, TaskId};
use duban_domain::report::ReportCommand;
use duban_domain::task::{Assessment, DispatchedAssignment, Level, Outline, TaskCommand, Track};
use duban_domain::text::{Line, Text};
use duban_domain::time::end_of;
use duban_domain::{Caller, Role};
use jiff::civil::date;
use jiff::{SignedDuration, ToSpan as _};

use super::sim::{Sim, caller};
use crate::Result;

/// The first year and the last.
const YEARS: (i16, i16) = (2021, 2025);
/// The agency that has a part in every task.
pub const HUB: &str = "hub";
/// Events for one task with all that happens around it, a little more than there are: the rest is filled up.
const EVENTS_PER_TASK: u64 = 42;
/// Events for one agency.
const EVENTS_PER_AGENCY: u64 = 500;

/// The most further words on progress of each task: one a day.
const ROUNDS_MAX: u8 = 200;

/// How large a province.
#[derive(Debug, Clone, Copy)]
pub struct Province {
    pub events: u64,
    pub agencies: u64,
    pub tasks: u64,
}

impl Province {
    /// One about which there are so many events.
    pub fn of(events: u64) -> Self {
        Self {
            events,
            agencies: (events / EVENTS_PER_AGENCY).clamp(5, 4000),
            tasks: (events / EVENTS_PER_TASK).max(8),
        }
    }

    /// The tasks that are still in progress at the end, with all their first assignments.
    pub fn open_tasks(self) -> impl Iterator<Item = u64> + Clone {
        (0..self.tasks).filter(|task| !closes(*task) && !changes_hands(*task))
    }

    /// Who has which part in a task beside the hub: lead, co-lead, responsible.
    fn parties(self, task: u64) -> [u64; 3] {
        let lead = task * 7;
        [lead, lead + 1, lead + 2].map(|agency| agency % self.agencies)
    }

    /// The agency that takes over from the responsible one.
    fn successor(self, task: u64) -> u64 {
        (task * 7 + 3) % self.agencies
    }

    fn first_year(task: u64) -> i16 {
        let years = YEARS.0..=YEARS.1;
        years.clone().nth(usize::try_from(task).unwrap_or_default() % years.count()).unwrap_or(YEARS.0)
    }

    fn tasks_of(self, year: i16) -> impl Iterator<Item = u64> {
        (0..self.tasks).filter(move |task| Self::first_year(*task) == year)
    }

    /// The tasks at work in a quarter of a year.
    fn at_work(self, year: i16) -> impl Iterator<Item = u64> {
        (0..self.tasks).filter(move |task| {
            let first = Self::first_year(*task);
            first <= year && !(closes(*task) && year >= first + 2)
        })
    }
}

/// A third of the tasks are done after two years.
fn closes(task: u64) -> bool {
    task.is_multiple_of(3)
}

/// A fifth change hands in their first year.
fn changes_hands(task: u64) -> bool {
    task.is_multiple_of(5)
}

/// The id of an agency.
pub fn agency(number: u64) -> String {
    format!("agency-{number}")
}

/// The id of a task.
pub fn task(number: u64) -> String {
    format!("task-{number}")
}

fn agency_id(id: &str) -> Result<AgencyId> {
    Ok(AgencyId::from_id(id).ok_or("no agency id")?)
}

fn task_id(number: u64) -> Result<TaskId> {
    Ok(TaskId::from_id(&task(number)).ok_or("no task id")?)
}

fn assignment_id(number: u64, part: &str) -> Result<AssignmentId> {
    Ok(AssignmentId::new(task_id(number)?, part).ok_or("no assignment id")?)
}

/// Tells the story, up to exactly as many events as asked for.
pub fn tell(province: Province, sim: &mut Sim) -> Result<()> {
    let mut teller = Teller::new(province, sim)?;
    for year in YEARS.0..=YEARS.1 {
        teller.year(year)?;
    }
    if sim.head() > province.events {
        return Err(format!("the story takes {} events, more than {}", sim.head(), province.events).into());
    }
    Teller::new(province, sim)?.fill_up()?;
    sim.send()
}

struct Teller<'s> {
    province: Province,
    sim: &'s mut Sim,
    supervisor: Caller,
    second: Caller,
    coordinator: Caller,
    system: Caller,
}

impl<'s> Teller<'s> {
    fn new(province: Province, sim: &'s mut Sim) -> Result<Self> {
        Ok(Self {
            province,
            sim,
            supervisor: caller("supervisor-1", Role::Supervisor, None)?,
            second: caller("supervisor-2", Role::Supervisor, None)?,
            coordinator: caller("coordinator-1", Role::Coordinator, Some(&agency_id(HUB)?))?,
            system: caller("system:calendar", Role::System, None)?,
        })
    }

    fn officer(number: u64) -> Result<Caller> {
        let id = agency(number);
        caller(&format!("{id}-officer"), Role::Agency, Some(&agency_id(&id)?))
    }

    /// The morning of a day.
    fn on(&mut self, year: i16, month: i8, day: i8) -> Result<()> {
        self.sim.at(end_of(date(year, month, day)) - SignedDuration::from_hours(15))
    }

    fn year(&mut self, year: i16) -> Result<()> {
        self.on(year, 1, 15)?;
        if year == YEARS.0 {
            self.register_agencies()?;
        }
        self.on(year, 2, 1)?;
        for number in self.province.tasks_of(year) {
            self.propose(number)?;
        }
        self.on(year, 3, 1)?;
        for number in self.province.tasks_of(year) {
            self.acknowledge(number)?;
        }
        for quarter in 1..=4 {
            self.quarter(year, quarter)?;
        }
        self.report(year)
    }

    fn register_agencies(&mut self) -> Result<()> {
        let ids = (0..self.province.agencies).map(agency);
        for id in ids.chain([HUB.to_owned()]) {
            let register = AgencyCommand::Register {
                full_name: Line::parse(&format!("省{id}厅"))?,
                agency: Some(agency_id(&id)?),
                kind: AgencyKind::ConstituentDepartment,
                division_code: None,
                superior: None,
                credit_code: None,
                aliases: vec![Line::parse(&format!("{id}厅"))?],
            };
            self.sim.execute(&self.supervisor, register)?;
        }
        Ok(())
    }

    fn propose(&mut self, number: u64) -> Result<()> {
        let task = task_id(number)?;
        let outline = Outline {
            title: Line::parse(&format!("第{number}项重点任务：健全绿色低碳循环发展的生产体系"))?,
            label: Some(Line::parse(&format!("（{number}）"))?),
            document: None,
            clauses: vec![],
            track: Track::Continuing,
            parent: None,
            milestones: vec![],
            source: None,
        };
        self.sim.execute(&self.supervisor, TaskCommand::Propose { task: Some(task.clone()), outline })?;
        self.sim.execute(&self.supervisor, TaskCommand::Register { task: task.clone() })?;
        let [lead, co_lead, responsible] = self.province.parties(number).map(agency);
        let parts = [
            ("lead", lead, Part::Lead),
            ("co-lead", co_lead, Part::CoLead),
            ("responsible", responsible, Part::Responsible),
            (HUB, HUB.to_owned(), Part::Supporting),
        ];
        let mut assignments = Vec::new();
        for (part, agency, role) in parts {
            let assignment = Some(assignment_id(number, part)?);
            let agency = agency_id(&agency)?;
            assignments.push(DispatchedAssignment { assignment, agency, role, source: None });
        }
        self.sim.execute(&self.supervisor, TaskCommand::Dispatch { task, assignments })
    }

    fn acknowledge(&mut self, number: u64) -> Result<()> {
        let parts = ["lead", "co-lead", "responsible"];
        for (part, agency) in parts.into_iter().zip(self.province.parties(number)) {
            let assignment = assignment_id(number, part)?;
            self.sim.execute(&Self::officer(agency)?, AssignmentCommand::Acknowledge { assignment })?;
        }
        Ok(())
    }

    fn quarter(&mut self, year: i16, quarter: u8) -> Result<()> {
        self.on(year, i8::try_from(quarter * 3)?, 20)?;
        for number in self.province.at_work(year) {
            let [lead, co_lead, _] = self.province.parties(number);
            self.progress(number, lead, year, quarter)?;
            if quarter.is_multiple_of(2) {
                self.progress(number, co_lead, year, quarter)?;
            }
            let first = Province::first_year(number) == year;
            if quarter == 3 && first && changes_hands(number) {
                self.reassign(number)?;
            }
            if quarter == 3 {
                let assessment = assessment(year, quarter, "经实地核查，情况属实")?;
                let verify = TaskCommand::VerifyProgress { task: task_id(number)?, assessment };
                self.sim.execute(&self.supervisor, verify)?;
            }
            if quarter == 4 && closes(number) && Province::first_year(number) + 1 == year {
                self.close(number, lead)?;
            }
        }
        Ok(())
    }

    fn progress(&mut self, number: u64, agency: u64, year: i16, part: u8) -> Result<()> {
        let text = "已制定年度工作方案，分解到责任处室；重点项目按计划推进，完成投资与进度目标，存在的困难已提请协调解决";
        let assessment = assessment(year, part, text)?;
        let record = TaskCommand::RecordProgress { task: task_id(number)?, assessment };
        self.sim.execute(&Self::officer(agency)?, record)
    }

    fn reassign(&mut self, number: u64) -> Result<()> {
        let reassign = AssignmentCommand::Reassign {
            assignment: assignment_id(number, "responsible")?,
            agency: agency_id(&agency(self.province.successor(number)))?,
            role: None,
            successor: Some(assignment_id(number, "successor")?),
        };
        self.sim.execute(&self.supervisor, reassign)
    }

    fn close(&mut self, number: u64, lead: u64) -> Result<()> {
        let task = || task_id(number);
        let (statement, judgement) = (Text::parse("目标已全部达到")?, Text::parse("经核验，已完成")?);
        let ask = TaskCommand::RequestClosure { task: task()?, statement, evidence: vec![] };
        self.sim.execute(&Self::officer(lead)?, ask)?;
        let complete = TaskCommand::Complete { task: task()?, judgement, evidence: vec![] };
        self.sim.execute(&self.supervisor, complete)?;
        self.sim.execute(&self.second, TaskCommand::StrikeOff { task: task()? })?;
        self.sim.execute(&self.supervisor, TaskCommand::Archive { task: task()? })
    }

    /// 报送: every lead reports; one in sixteen says nothing, which the next January finds.
    fn report(&mut self, year: i16) -> Result<()> {
        self.on(year, 12, 25)?;
        let cycle = CycleId::from_year(year).ok_or("no year")?;
        let open = CycleCommand::Open { cycle, due_on: None, holders_on: None, rule: None };
        self.sim.execute(&self.coordinator, open)?;
        let mut owing = Vec::new();
        for number in 0..self.province.agencies {
            let agency = agency_id(&agency(number))?;
            let before = self.sim.head();
            self.sim.execute(&self.system, CycleCommand::OpenObligation { cycle, agency, tasks: vec![] })?;
            owing.extend((self.sim.head() > before).then_some(number));
        }
        let obligations = u32::try_from(owing.len())?;
        self.sim.execute(&self.system, CycleCommand::Enrol { cycle, obligations })?;
        for number in &owing {
            if !is_silent(*number) {
                self.one_report(cycle, *number)?;
            }
        }
        self.on(year + 1, 1, 5)?;
        for number in owing.into_iter().filter(|number| is_silent(*number)) {
            let obligation = ObligationId::of(cycle, &agency_id(&agency(number))?);
            self.sim.execute(&self.system, CycleCommand::MarkMissed { obligation })?;
        }
        Ok(())
    }

    fn one_report(&mut self, cycle: CycleId, number: u64) -> Result<()> {
        let officer = Self::officer(number)?;
        let name = || ReportId::from_id(&format!("report-{}-{number}", cycle.year())).ok_or("no report id");
        let agency = agency_id(&agency(number))?;
        let draft = ReportCommand::Draft { cycle, agency, report: Some(name()?), items: vec![] };
        self.sim.execute(&officer, draft)?;
        self.sim.execute(&officer, ReportCommand::Endorse { report: name()? })?;
        self.sim.execute(&officer, ReportCommand::Submit { report: name()? })?;
        self.sim.execute(&self.coordinator, ReportCommand::Receive { report: name()? })?;
        self.sim.execute(&self.coordinator, ReportCommand::Accept { report: name()? })
    }

    /// What is missing to the size asked for: further words on progress, day after day.
    fn fill_up(&mut self) -> Result<()> {
        for round in 0..ROUNDS_MAX {
            let on = date(YEARS.1 + 1, 1, 10) + i64::from(round).days();
            self.on(on.year(), on.month(), on.day())?;
            for number in self.province.open_tasks() {
                if self.sim.head() == self.province.events {
                    return Ok(());
                }
                let [lead, ..] = self.province.parties(number);
                self.progress(number, lead, YEARS.1 + 1, round)?;
            }
        }
        Err(format!("the story takes {} events, too few for {}", self.sim.head(), self.province.events)
            .into())
    }
}

fn is_silent(agency: u64) -> bool {
    agency % 16 == 15
}

fn assessment(year: i16, part: u8, text: &str) -> Result<Assessment> {
    let level = if part == 4 { Level::Substantial } else { Level::Limited };
    Ok(Assessment { level, text: Text::parse(&format!("{year}年第{part}期：{text}"))?, evidence: vec![] })
}
