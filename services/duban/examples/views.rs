//! How fast the services' views are built from the log: `cargo run --release --example views [events [place]]`,
//! where the place is a folder, or the URL of a migrated Postgres database.
//!
//! Fills the log with tasks that are dispatched, taken, reported on and closed, unless it holds as many events
//! already; then scans it, decodes it, lets all views catch up from nothing, and rebuilds them.

#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "it is there to print figures")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use duban::Service;
use duban::server::views_of;
use duban_domain::caller::{Caller, PrincipalId, Role};
use duban_domain::event::{Event, type_of};
use duban_log::{Append, Condition, Ids, Location, Log, LogOptions, NewEvent, Origin, SystemIds, Views};
use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const AGENCIES: usize = 29;
/// Tasks that are pursued at the same time.
const COHORT: usize = 1000;
/// Events in one append while the log is filled.
const TOGETHER: usize = 500;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let events = arguments.next().map_or(Ok(100_000), |text| text.parse::<u64>())?;
    let place = arguments.next().unwrap_or_else(|| "target/views".to_owned());
    let location = if place.starts_with("postgres:") {
        Location::Postgres(place)
    } else {
        Location::Folder(PathBuf::from(place))
    };
    let log = Log::open(LogOptions::at(location.clone())).await?;
    let start = Clock::start();
    let before = log.head().await?;
    if before < events {
        fill(&log, events).await?;
    }
    report("appended", events.saturating_sub(before), start);

    let (start, mut after) = (Clock::start(), 0);
    while after < events {
        after = log.read(after, usize::MAX).await?.through;
    }
    report("scanned", after, start);
    let (start, mut after) = (Clock::start(), 0);
    while after < events {
        let page = log.read(after, usize::MAX).await?;
        for event in &page.events {
            event.decode()?;
        }
        after = page.through;
    }
    report("scanned and decoded", after, start);

    forget_views(&location).await?;
    let views = Views::open(&log).await?;
    let all = views_of(&Service::ALL);
    let start = Clock::start();
    for view in &all {
        view.start(&views).await?;
    }
    let head = log.head().await?;
    for view in &all {
        let Some(following) = views.following(view.name) else { continue };
        let status = following.reached(head).await;
        assert!(status.is_healthy(), "{}: {status:?}", view.name);
    }
    report("all views caught up", head, start);
    memory()?;
    let start = Clock::start();
    for view in &all {
        println!("  {}: {} rows", view.name, view.digest(&views).await?.rows);
    }
    report("all digests", head, start);
    let start = Clock::start();
    let rebuilt = views.rebuild_all(&all).await?;
    assert!(rebuilt.iter().all(|(_, rebuilt)| rebuilt.is_same()), "{rebuilt:?}");
    report("all views rebuilt, with both digests", head, start);
    memory()?;
    log.close().await;
    views.close().await;
    Ok(())
}

/// Views are built from nothing: what there is of them goes.
async fn forget_views(location: &Location) -> Result<(), Box<dyn Error>> {
    match location {
        Location::Folder(folder) => {
            for name in ["views.db", "views.db-wal", "views.db-shm"] {
                std::fs::remove_file(folder.join(name)).ok();
            }
        }
        Location::Postgres(url) => {
            let mut connection = PgConnection::connect(url).await?;
            let tables = "SELECT tablename::TEXT FROM pg_tables WHERE schemaname = 'duban_views'";
            let found: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut connection).await?;
            for table in found {
                let drop = format!("DROP TABLE duban_views.{table}");
                sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&mut connection).await?;
            }
            connection.close().await?;
        }
    }
    Ok(())
}

/// When something began, and what the process had worked until then.
struct Clock(Instant, f64);

impl Clock {
    fn start() -> Self {
        Self(Instant::now(), worked())
    }
}

/// Seconds of processor time of this process.
fn worked() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn report(what: &str, events: u64, Clock(start, before): Clock) {
    let seconds = start.elapsed().as_secs_f64();
    let worked = worked() - before;
    println!(
        "{what}: {events} events in {seconds:.2} s, {:.0} events/s; {worked:.2} s of processor time",
        events as f64 / seconds
    );
}

/// The most memory that the process ever had, and has.
fn memory() -> Result<(), Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let shown = |line: &&str| line.starts_with("VmHWM") || line.starts_with("VmRSS");
    println!("{}", status.lines().filter(shown).collect::<Vec<_>>().join(" "));
    Ok(())
}

async fn fill(log: &Log, until: u64) -> Result<(), Box<dyn Error>> {
    let mut waiting: Vec<Value> = (0..AGENCIES).map(registered).collect();
    let mut cohort = 0;
    while log.head().await? < until {
        waiting.extend(year(cohort));
        cohort += 1;
        while waiting.len() >= TOGETHER && log.head().await? < until {
            let rest = waiting.split_off(TOGETHER);
            log.append(append(&waiting)?).await?;
            waiting = rest;
        }
    }
    Ok(())
}

fn agency(number: usize) -> String {
    format!("agencies/a{}", number % AGENCIES)
}

fn registered(number: usize) -> Value {
    json!({"type": "agency.registered.v1", "data": {
        "agency": agency(number), "fullName": format!("第{number}厅"), "kind": "CONSTITUENT_DEPARTMENT",
    }})
}

/// A year: its tasks, step by step, and the reports on them.
fn year(cohort: usize) -> Vec<Value> {
    let tasks: Vec<usize> = (cohort * COHORT..(cohort + 1) * COHORT).collect();
    let mut events = Vec::new();
    for step in 0..7 {
        for &task in &tasks {
            step_of(task, step, &mut events);
        }
    }
    let cycle = format!("cycles/{}", 2000 + cohort);
    let rule = json!({"id": "every-lead", "version": 1});
    let due = "2026-12-31";
    events.push(json!({"type": "cycle.opened.v1", "data": {
        "cycle": cycle, "dueOn": due, "holdersOn": "2026-03-01", "rule": rule, "coordinator": agency(0),
    }}));
    for number in 0..AGENCIES {
        let led: Vec<String> = tasks
            .iter()
            .filter(|task| **task % AGENCIES == number)
            .map(|task| format!("tasks/t{task}"))
            .collect();
        events.push(json!({"type": "obligation.opened.v1", "data": {
            "cycle": cycle, "agency": agency(number), "tasks": led, "dueOn": due, "rule": rule,
        }}));
        let report = |more: Value| {
            let mut data = json!({
                "report": format!("reports/a{number}-{cohort}"), "cycle": cycle, "agency": agency(number),
            });
            if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
                data.extend(more);
            }
            data
        };
        let items: Vec<Value> =
            led.iter().map(|task| json!({"task": task, "progress": "已出台办法，试点两个园区", "selfAssessment": "LIMITED"})).collect();
        let steps = [
            ("report.drafted.v1", json!({"items": items})),
            ("report.endorsed.v1", json!({})),
            ("report.submitted.v1", json!({"late": false, "round": 1})),
            ("report.received.v1", json!({})),
            ("report.accepted.v1", json!({})),
        ];
        for (event_type, more) in steps {
            events.push(json!({"type": event_type, "data": report(more)}));
        }
        events.push(json!({"type": "obligation.met.v1", "data": {
            "cycle": cycle, "agency": agency(number), "report": format!("reports/a{number}-{cohort}"),
        }}));
    }
    events
}

/// A step of a task: three agencies take it, say how far they have come, and it is closed.
fn step_of(number: usize, step: usize, events: &mut Vec<Value>) {
    let task = format!("tasks/t{number}");
    let part = |index: usize| format!("{task}/assignments/p{index}");
    let with = |event_type: &str, data: Value| json!({"type": event_type, "data": data});
    match step {
        0 => {
            events.push(with(
                "task.proposed.v1",
                json!({"task": task, "outline": {
                    "title": format!("大力发展绿色金融第{number}项"), "label": format!("({number})"),
                    "track": "CONTINUING",
                }}),
            ));
            events.push(with("task.registered.v1", json!({"task": task})));
            let rule = json!({"id": "qinghai-710", "version": 1});
            events
                .push(with("task.dispatched.v1", json!({"task": task, "dueOn": "2026-12-31", "rule": rule})));
            for index in 0..3 {
                let takes = if index == 0 { "LEAD" } else { "CO_LEAD" };
                events.push(with(
                    "assignment.dispatched.v1",
                    json!({
                        "assignment": part(index), "agency": agency(number + index), "role": takes,
                        "period": {"from": "2026-01-05"},
                    }),
                ));
            }
        }
        1 => {
            for index in 0..3 {
                events.push(with(
                    "assignment.acknowledged.v1",
                    json!({
                        "assignment": part(index), "agency": agency(number + index),
                    }),
                ));
            }
            events.push(with("task.started.v1", json!({"task": task})));
        }
        2..=4 => {
            for index in 0..3 {
                let level = ["LIMITED", "SUBSTANTIAL", "COMPLETE"][step - 2];
                events.push(with(
                    "task.progress_recorded.v1",
                    json!({
                        "task": task, "agency": agency(number + index),
                        "assessment": {"level": level, "text": format!("第{step}季度进展情况良好，正在推进")},
                    }),
                ));
            }
        }
        5 => events.push(with(
            "task.progress_verified.v1",
            json!({
                "task": task, "assessment": {"level": "COMPLETE", "text": "核实无误"},
            }),
        )),
        _ => {
            events.push(with(
                "task.closure_requested.v1",
                json!({
                    "task": task, "agency": agency(number), "statement": "已完成全部工作",
                }),
            ));
            events.push(with("task.completed.v1", json!({"task": task, "judgement": "同意办结"})));
            events.push(with("task.struck_off.v1", json!({"task": task})));
        }
    }
}

fn append(happened: &[Value]) -> Result<Append, Box<dyn Error>> {
    let request_id = SystemIds.event();
    let mut events = Vec::new();
    for event in happened {
        let body = serde_json::to_vec(&json!({"event": event, "context": {}}))?;
        let event_type = type_of(&body).ok_or("no type")?.to_owned();
        let (event, context) = Event::decode(&event_type, &body)?;
        events.push(NewEvent {
            id: SystemIds.event(),
            nonce: SystemIds.nonce(),
            event_type,
            effective_on: "2026-01-05".parse()?,
            tags: event.tags(&context),
            body: body.into(),
        });
    }
    let principal = PrincipalId::parse("bench").ok_or("no principal")?;
    Ok(Append {
        origin: Origin {
            caller: Caller { principal, role: Role::Supervisor, agency: None },
            request_id,
            correlation: request_id,
            causation: None,
            trace_id: None,
        },
        fingerprint: [0; 32],
        events,
        condition: Condition::default(),
        read_at: 0,
    })
}
