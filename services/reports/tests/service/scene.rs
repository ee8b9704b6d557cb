//! Agencies, tasks and who leads them: what is other services' to record goes straight to the log.

use std::sync::atomic::{AtomicU64, Ordering};

use duban_domain::agency::{AgencyCommand, AgencyKind};
use duban_domain::assignment::{AssignmentCommand, Role as Part};
use duban_domain::command::Context;
use duban_domain::name::{AgencyId, AssignmentId, TaskId};
use duban_domain::task::{Assessment, DispatchedAssignment, Level, Outline, TaskCommand, Track};
use duban_domain::text::{Line, Text};
use duban_domain::{Caller, Command, PrincipalId, Role};
use duban_log::Request;
use uuid::Uuid;

use crate::support::Service;

/// The day on which everything in a scene begins.
const START: &str = "2026-01-01";

pub(crate) fn agency(id: &str) -> AgencyId {
    AgencyId::from_id(id).unwrap()
}

fn task(id: &str) -> TaskId {
    TaskId::from_id(id).unwrap()
}

impl Service {
    async fn carry_out(&self, role: Role, for_agency: Option<&str>, on: &str, command: impl Command) {
        static REQUESTS: AtomicU64 = AtomicU64::new(1);
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, &REQUESTS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let principal = PrincipalId::parse(&format!("{}-1", role.as_str())).unwrap();
        let request = Request {
            caller: Caller { principal, role, agency: for_agency.map(agency) },
            request_id: id,
            context: Context { reason: Text::parse("布景").ok(), ..Context::default() },
            effective_on: Some(on.parse().unwrap()),
            etag: None,
            validate_only: false,
            rpc: "scene",
            correlation: None,
            causation: None,
            trace_id: None,
        };
        self.log.execute(&request, command).await.unwrap();
    }

    pub(crate) async fn register(&self, id: &str) {
        let command = AgencyCommand::Register {
            agency: Some(agency(id)),
            full_name: Line::parse(&format!("机构{id}")).unwrap(),
            kind: AgencyKind::ConstituentDepartment,
            division_code: None,
            superior: None,
            credit_code: None,
            aliases: vec![],
        };
        self.carry_out(Role::Supervisor, None, START, command).await;
    }

    /// A task proposed, registered and dispatched to these agencies, each assignment under its agency's id.
    pub(crate) async fn dispatch(&self, id: &str, parts: &[(&str, Part)]) {
        let name = task(id);
        let outline = Outline {
            title: Line::parse(&format!("任务{id}")).unwrap(),
            label: None,
            document: None,
            clauses: vec![],
            track: Track::Continuing,
            parent: None,
            milestones: vec![],
            source: None,
        };
        let propose = TaskCommand::Propose { task: Some(name.clone()), outline };
        self.carry_out(Role::Supervisor, None, START, propose).await;
        self.carry_out(Role::Supervisor, None, START, TaskCommand::Register { task: name.clone() }).await;
        let part = |(id, role): &(&str, Part)| DispatchedAssignment {
            assignment: AssignmentId::new(name.clone(), id),
            agency: agency(id),
            role: *role,
            source: None,
        };
        let assignments = parts.iter().map(part).collect();
        let dispatch = TaskCommand::Dispatch { task: name.clone(), assignments };
        self.carry_out(Role::Supervisor, None, START, dispatch).await;
    }

    /// The agency takes its part in the task and says how far it is.
    pub(crate) async fn progress(&self, task_id: &str, by: &str, level: Level, words: &str) {
        let assignment = AssignmentId::new(task(task_id), by).unwrap();
        let take = AssignmentCommand::Acknowledge { assignment };
        self.carry_out(Role::Agency, Some(by), START, take).await;
        let text = Text::parse(words).unwrap();
        let assessment = Assessment { level, text, evidence: vec![] };
        let say = TaskCommand::RecordProgress { task: task(task_id), assessment };
        self.carry_out(Role::Agency, Some(by), START, say).await;
    }

    /// The rest of an agency's part in a task goes to another, from `day` on.
    pub(crate) async fn reassign(&self, task_id: &str, from: &str, to: &str, day: &str) {
        let assignment = AssignmentId::new(task(task_id), from).unwrap();
        let command =
            AssignmentCommand::Reassign { assignment, agency: agency(to), role: None, successor: None };
        self.carry_out(Role::Supervisor, None, day, command).await;
    }

    /// 发改委 coordinates and leads task `plan` with 财政厅, which leads `fund` alone; 交通厅 and 商务厅 help.
    pub(crate) async fn with_three_agencies(&self) {
        for id in ["fgw", "czt", "jtt", "swt"] {
            self.register(id).await;
        }
        let plan = [("fgw", Part::Lead), ("czt", Part::CoLead), ("jtt", Part::Responsible)];
        self.dispatch("plan", &plan).await;
        self.dispatch("fund", &[("czt", Part::Lead), ("swt", Part::Supporting)]).await;
    }

    /// As many as the annex has: 29 agencies that lead, 11 of them named first; and one that only helps.
    pub(crate) async fn with_the_annex(&self) {
        let all: Vec<String> = (1..=29).map(|n| format!("a{n:02}")).collect();
        for id in all.iter().map(String::as_str).chain(["fgw", "helper"]) {
            self.register(id).await;
        }
        let (first, others) = all.split_at(11);
        for (n, lead) in first.iter().enumerate() {
            let with = others.iter().skip(n).step_by(11).map(|id| (id.as_str(), Part::CoLead));
            let mut parts: Vec<(&str, Part)> = vec![(lead, Part::Lead), ("helper", Part::Responsible)];
            parts.extend(with);
            self.dispatch(&format!("t{n:02}"), &parts).await;
        }
    }
}
