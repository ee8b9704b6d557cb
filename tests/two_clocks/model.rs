//! A naive reader of the log: for one day and one position it goes through the events from the first to that
//! position and keeps what each says about that day. It knows nothing of spans, rows or views.

use std::collections::{BTreeMap, BTreeSet};

use duban_proto::audit::v1 as audit;
use duban_proto::call::v1 as call;
use duban_proto::tasks::v1 as tasks;
use serde_json::Value;
use tonic::{Code, Status};

use crate::support::{Office, events, reason_of};

/// What the wire and the model say alike of one agency answering for one task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Answers {
    pub(super) task: String,
    /// LEAD is 1, and so on: the order in which the matrix shows them.
    role: i32,
    pub(super) agency: String,
    assignment: String,
    stage: String,
    from: String,
    until: Option<String>,
    title: String,
    full_name: String,
}

/// The same, as the wire says it.
pub(super) fn answers(row: &tasks::Responsibility) -> Answers {
    let period = row.period.clone().expect("days");
    Answers {
        task: row.task.clone(),
        role: row.role,
        agency: row.agency.clone(),
        assignment: row.assignment.clone(),
        stage: row.stage().as_str_name().trim_start_matches("ASSIGNMENT_STAGE_").to_owned(),
        from: period.from,
        until: period.until,
        title: row.task_title.clone(),
        full_name: row.agency_full_name.clone(),
    }
}

/// How far a task has come on a day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    stage: String,
    /// What was verified, and from when that holds.
    verified: Option<(String, String)>,
    /// What each agency says, and from when.
    assessed: BTreeMap<String, (String, String)>,
}

/// The same, as the wire says it.
pub(super) fn progress(task: &tasks::Task) -> Progress {
    let level =
        |level: call::ProgressLevel| level.as_str_name().trim_start_matches("PROGRESS_LEVEL_").to_owned();
    let said = task.self_assessed.iter();
    Progress {
        stage: task.stage().as_str_name().trim_start_matches("TASK_STAGE_").to_owned(),
        verified: task.verified.as_ref().map(|found| (level(found.level()), found.on.clone())),
        assessed: said.map(|said| (said.agency.clone(), (level(said.level()), said.on.clone()))).collect(),
    }
}

/// The civil date in Shanghai of an instant.
pub(super) fn day_of(at: prost_types::Timestamp) -> String {
    let days = (at.seconds + 8 * 3600).div_euclid(86_400);
    let epoch: jiff::civil::Date = jiff::civil::date(1970, 1, 1);
    epoch.checked_add(jiff::Span::new().days(days)).expect("a date").to_string()
}

/// One event says of one assignment: on these days in this role, or not at all.
struct Said {
    at: u64,
    assignment: String,
    agency: String,
    from: String,
    until: Option<String>,
    role: Option<i32>,
}

impl Said {
    fn of(&self, day: &str) -> bool {
        self.from.as_str() <= day && self.until.as_deref().is_none_or(|until| day < until)
    }
}

/// The events, and what they say of who answers.
pub(super) struct Model {
    pub(super) events: Vec<audit::Event>,
    bodies: Vec<Value>,
    said: Vec<Said>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn role(value: &Value) -> i32 {
    let name = format!("ASSIGNMENT_ROLE_{}", text(value));
    tasks::AssignmentRole::from_str_name(&name).expect("a role").into()
}

/// What one event says of who answers when.
fn said(at: u64, event: &Value) -> Vec<Said> {
    let data = &event["data"];
    let days = |period: &Value| (text(&period["from"]), period["until"].as_str().map(ToOwned::to_owned));
    let one = |party: &Value, (from, until): (String, Option<String>), role| Said {
        at,
        assignment: text(&party["assignment"]),
        agency: text(&party["agency"]),
        from,
        until,
        role,
    };
    match event["type"].as_str().expect("a type") {
        "assignment.dispatched.v1" | "assignment.role_reinterpreted.v1" => {
            vec![one(data, days(&data["period"]), Some(role(&data["role"])))]
        }
        "assignment.released.v1" => vec![one(data, days(&data["period"]), None)],
        "assignment.reassigned.v1" => {
            let mut all = vec![one(data, days(&data["period"]), None)];
            for span in data["roles"].as_array().expect("roles") {
                all.push(one(&data["successor"], days(&span["period"]), Some(role(&span["role"]))));
            }
            all
        }
        "assignment.boundary_corrected.v1" => {
            let (was, now) = (text(&data["was"]), text(&data["now"]));
            let (loses, gains) = if was < now { ("later", "earlier") } else { ("earlier", "later") };
            let moved = (was.clone().min(now.clone()), Some(was.max(now)));
            let gained = Some(role(&data["role"]));
            let sides =
                [(loses, None), (gains, gained)].into_iter().filter(|(side, _)| data[*side].is_object());
            sides.map(|(side, role)| one(&data[side], moved.clone(), role)).collect()
        }
        _ => vec![],
    }
}

impl Model {
    /// Reads the whole log.
    pub(super) async fn of(office: &Office) -> Self {
        let events = events(&office.auditor()).await;
        let body = |event: &audit::Event| serde_json::from_slice::<Value>(&event.body).expect("JSON");
        let bodies: Vec<Value> = events.iter().map(body).collect();
        let said = (1..).zip(&bodies).flat_map(|(at, body)| said(at, &body["event"])).collect();
        Self { events, bodies, said }
    }

    /// Every day on which an event says that something begins or ends, and the day before it.
    pub(super) fn edges(&self) -> Vec<String> {
        let of_said =
            self.said.iter().flat_map(|said| [Some(said.from.clone()), said.until.clone()]).flatten();
        let edges: BTreeSet<String> =
            of_said.chain(self.events.iter().map(|e| e.effective_on.clone())).collect();
        let yesterday = |day: &String| {
            let day: jiff::civil::Date = day.parse().expect("a date");
            day.yesterday().expect("a date").to_string()
        };
        edges.iter().map(yesterday).chain(edges.iter().cloned()).collect()
    }

    /// The events up to a position: where, of which type, from which day, saying what.
    fn until(&self, position: u64) -> impl Iterator<Item = (&audit::Event, &str, &Value)> {
        let known =
            self.events.iter().zip(&self.bodies).take_while(move |(event, _)| event.position <= position);
        known.map(|(event, body)| (event, event.r#type.as_str(), &body["event"]["data"]))
    }

    /// In which role an assignment holds a day, whose it is, and the event that says so last.
    fn holds(&self, assignment: &str, day: &str, position: u64) -> Option<(i32, &str, u64)> {
        let mut of_it = self.said.iter().filter(|said| said.assignment == assignment && said.at <= position);
        let last = of_it.rfind(|said| said.of(day))?;
        Some((last.role?, last.agency.as_str(), last.at))
    }

    /// Who answers for what on a day, as known at a position, in the order of the matrix.
    pub(super) fn responsibilities(&self, day: &str, position: u64) -> Vec<Answers> {
        let names: BTreeSet<&str> = self.said.iter().map(|said| said.assignment.as_str()).collect();
        let held = names.into_iter().filter_map(|name| Some((name, self.holds(name, day, position)?)));
        let mut all: Vec<Answers> = held
            .map(|(name, (role, agency, _))| {
                let task = name.split("/assignments/").next().unwrap_or_default().to_owned();
                let (from, until) = self.days_around(name, role, day, position);
                Answers {
                    title: self.title(&task, position),
                    full_name: self.full_name(agency, day, position).expect("it is registered"),
                    stage: self.stage_of(name, position),
                    assignment: name.to_owned(),
                    agency: agency.to_owned(),
                    task,
                    role,
                    from,
                    until,
                }
            })
            .collect();
        all.sort();
        all
    }

    /// The days around one on which the assignment holds in the same role: from edge to edge, day by day.
    fn days_around(&self, name: &str, role: i32, day: &str, position: u64) -> (String, Option<String>) {
        let of_it = self.said.iter().filter(|said| said.assignment == name && said.at <= position);
        let edges: BTreeSet<&str> =
            of_it.flat_map(|said| [Some(said.from.as_str()), said.until.as_deref()]).flatten().collect();
        let same = |edge: &&&str| self.holds(name, edge, position).is_some_and(|(held, ..)| held == role);
        let before = edges.range(..=day).rev().take_while(same).last().expect("it began");
        let until = edges.range::<str, _>((std::ops::Bound::Excluded(day), std::ops::Bound::Unbounded));
        (before.to_string(), until.copied().find(|edge| !same(&edge)).map(ToOwned::to_owned))
    }

    fn stage_of(&self, assignment: &str, position: u64) -> String {
        let mut stage = "DISPATCHED".to_owned();
        for (_, kind, data) in self.until(position).filter(|(_, _, data)| data["assignment"] == assignment) {
            match kind {
                "assignment.acknowledged.v1" => "ACTIVE".clone_into(&mut stage),
                "assignment.contested.v1" => "CONTESTED".clone_into(&mut stage),
                "assignment.upheld.v1" => stage = text(&data["stage"]),
                _ => {}
            }
        }
        stage
    }

    fn title(&self, task: &str, position: u64) -> String {
        let of_it = |(_, kind, data): &(_, &str, &Value)| *kind == "task.proposed.v1" && data["task"] == task;
        let (_, _, data) = self.until(position).find(of_it).expect("it was proposed");
        text(&data["outline"]["title"])
    }

    /// The full name of an agency on a day, as known at a position.
    pub(super) fn full_name(&self, agency: &str, day: &str, position: u64) -> Option<String> {
        let mut name = None;
        for (event, kind, data) in self.until(position).filter(|(_, _, data)| data["agency"] == agency) {
            let begun = event.effective_on.as_str() <= day;
            let over = data["until"].as_str().is_some_and(|until| until <= day);
            if matches!(kind, "agency.registered.v1" | "agency.renamed.v1") && begun && !over {
                name = Some(text(&data["fullName"]));
            }
        }
        name
    }

    /// How far a task has come on a day, as known at a position; `None` before it was proposed.
    pub(super) fn task(&self, task: &str, day: &str, position: u64) -> Option<Progress> {
        let mut progress = Progress::default();
        let begun = |event: &audit::Event| event.effective_on.as_str() <= day;
        let of_it = self.until(position).filter(|(event, _, data)| data["task"] == task && begun(event));
        for (event, kind, data) in of_it {
            let since = event.effective_on.clone();
            let level = || text(&data["assessment"]["level"]);
            // An observation dated later is the newer one, whichever was recorded first.
            let newer = |held: Option<&(String, String)>| held.is_none_or(|(_, on)| *on <= since);
            match kind {
                "task.progress_verified.v1" => {
                    if newer(progress.verified.as_ref()) {
                        progress.verified = Some((level(), since));
                    }
                }
                "task.progress_recorded.v1" => {
                    let agency = text(&data["agency"]);
                    if newer(progress.assessed.get(&agency)) {
                        progress.assessed.insert(agency, (level(), since));
                    }
                }
                "task.resumed.v1" => progress.stage = text(&data["stage"]),
                step => stage_after(step).clone_into(&mut progress.stage),
            }
        }
        (!progress.stage.is_empty()).then_some(progress)
    }

    /// The positions at the ends of the days on which something was recorded, and 0 before the first.
    pub(super) fn ends_of_days(&self) -> Vec<u64> {
        let days =
            self.events.iter().map(|event| (day_of(event.recorded_at.expect("a time")), event.position));
        let ends: BTreeMap<String, u64> = days.collect();
        std::iter::once(0).chain(ends.into_values()).collect()
    }

    /// The last position of which the time of recording passes.
    pub(super) fn last_recorded(&self, passes: impl Fn(prost_types::Timestamp) -> bool) -> u64 {
        let recorded = self.events.iter().filter(|event| passes(event.recorded_at.expect("a time")));
        recorded.last().map_or(0, |event| event.position)
    }

    /// Whether an event speaks of a resource.
    pub(super) fn mentions(&self, at: u64, name: &str) -> bool {
        self.bodies[at as usize - 1].to_string().contains(name)
    }

    /// The reply, unless what is asked about was not there yet at the position: then it must be NOT_FOUND.
    pub(super) fn known<T>(
        &self,
        reply: Result<T, Status>,
        position: u64,
        name: &str,
        reason: &str,
    ) -> Option<T> {
        let there = (1..=position).any(|at| self.mentions(at, name));
        match reply {
            Ok(reply) => {
                assert!(there || position == 0, "{name} at {position}");
                Some(reply)
            }
            Err(status) => {
                assert!(!there, "{name} at {position}: {status}");
                assert_eq!(reason_of(&status), (Code::NotFound, reason.to_owned()));
                None
            }
        }
    }

    /// An answer says as of when it holds.
    pub(super) fn check_answer(&self, answer: Option<&call::Answer>, day: &str, position: u64) {
        let answer = answer.expect("as of when");
        assert_eq!((answer.valid_on.as_str(), answer.position), (day, position));
        let knows = if position == 0 { call::Knowledge::NothingKnown } else { call::Knowledge::Known };
        assert_eq!(answer.knowledge(), knows);
        let recorded = position.checked_sub(1).and_then(|at| self.events[at as usize].recorded_at);
        assert_eq!(answer.recorded_at, recorded);
    }

    /// Each row names events that were there by then and concern it, the one that gave it the day among them.
    pub(super) fn check_because(&self, rows: &[tasks::Responsibility], day: &str, position: u64) {
        for row in rows {
            let (_, _, given) = self.holds(&row.assignment, day, position).expect("it holds");
            assert!(row.because.contains(&given), "{given} gave the day: {row:?}");
            assert!(row.because.is_sorted() && row.because.iter().all(|&at| at <= position), "{row:?}");
            assert!(row.because.iter().all(|&at| self.mentions(at, &row.assignment)), "{row:?}");
        }
    }

    /// An explanation gives the events behind its fields, those and no others, as they stand in the log.
    pub(super) fn check_explained(&self, explained: &audit::ExplainResponse, position: u64) {
        let behind: BTreeSet<u64> =
            explained.fields.iter().flat_map(|field| field.positions.clone()).collect();
        let given: Vec<u64> = explained.events.iter().map(|event| event.position).collect();
        assert_eq!(given, behind.into_iter().collect::<Vec<_>>(), "{}", explained.name);
        assert!(!given.is_empty() && given.iter().all(|&at| at <= position), "{}", explained.name);
        for event in &explained.events {
            assert_eq!(event, &self.events[event.position as usize - 1]);
        }
    }
}

/// The stage to which a task's step leads.
fn stage_after(kind: &str) -> &'static str {
    match kind {
        "task.proposed.v1" => "PROPOSED",
        "task.registered.v1" => "REGISTERED",
        "task.dispatched.v1" => "DISPATCHED",
        "task.started.v1" | "task.returned.v1" | "task.reopened.v1" => "IN_PROGRESS",
        "task.closure_requested.v1" => "CLOSURE_REQUESTED",
        "task.completed.v1" => "COMPLETED",
        "task.struck_off.v1" => "STRUCK_OFF",
        "task.archived.v1" => "ARCHIVED",
        "task.suspended.v1" => "SUSPENDED",
        "task.withdrawn.v1" => "WITHDRAWN",
        other => panic!("no step: {other}"),
    }
}
