//! How fast a view is built from the log: `cargo run --release --example replay [folder [events]]`.
//!
//! Fills the log with renamings of a thousand agencies, unless it holds as many events already; then reads it
//! raw, decodes it, and builds a view with one row for each event.

#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "it is there to print figures")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use duban_domain::agency::AgencyEvent;
use duban_domain::caller::{Caller, PrincipalId, Role};
use duban_domain::command::Context;
use duban_domain::event::{Event, type_of};
use duban_domain::name::AgencyId;
use duban_domain::text::Line;
use duban_domain::{Period, Recorded};
use duban_log::{
    Append, Column, Condition, Ids, Log, LogOptions, NewEvent, Origin, Poison, Row, SystemIds, View, Views,
};

const AGENCIES: u64 = 1000;
/// Events in one append while the log is filled.
const TOGETHER: u64 = 500;

struct Names;

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Columns {
    agency: String,
    name: String,
}

impl View for Names {
    const NAME: &'static str = "names";
    const VERSION: i64 = 1;
    const COLUMNS: &'static [Column] = &[Column::text("agency"), Column::text("name")];
    const INDEXES: &'static [&'static [&'static str]] = &[&["name"]];
    type Columns = Columns;

    fn keys(recorded: &Recorded) -> Vec<String> {
        let Event::Agency(event) = &recorded.event else { return vec![] };
        vec![event.agency().to_string()]
    }

    fn project(key: &str, open: Vec<Row<Columns>>, recorded: &Recorded) -> Result<Vec<Row<Columns>>, Poison> {
        let Event::Agency(AgencyEvent::Renamed { full_name, .. }) = &recorded.event else { return Ok(open) };
        let columns = Columns { agency: key.to_owned(), name: full_name.to_string() };
        Ok(vec![Row::new(Period::since(recorded.effective_on), recorded.position, columns)])
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(|| PathBuf::from("target/replay"), PathBuf::from);
    let events = arguments.next().map_or(Ok(100_000), |text| text.parse::<u64>())?;
    let log = Log::open(LogOptions::new(&folder)).await?;
    let start = Instant::now();
    let before = log.head().await?;
    while log.head().await? < events {
        log.append(renamings(log.head().await?)?).await?;
    }
    report("appended", events.saturating_sub(before), start);

    let start = Instant::now();
    let (mut after, mut decoding) = (0, std::time::Duration::ZERO);
    while after < events {
        let page = log.read(after, usize::MAX).await?;
        let decode = Instant::now();
        for event in &page.events {
            event.decode()?;
        }
        decoding += decode.elapsed();
        after = page.through;
    }
    report("read and decoded", after, start);
    println!("  of which decoding {:.0} %", 100.0 * decoding.as_secs_f64() / start.elapsed().as_secs_f64());

    let views = Views::open(&log).await?;
    let start = Instant::now();
    let following = views.start::<Names>().await?;
    println!("{:?}", following.reached(log.head().await?).await);
    report("a view caught up", events, start);
    let start = Instant::now();
    println!("{:?}", views.rebuild::<Names>().await?);
    report("rebuilt, with both digests", events, start);
    log.close().await;
    views.close().await;
    Ok(())
}

fn report(what: &str, events: u64, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!("{what}: {events} events in {seconds:.2} s, {:.0} events/s", events as f64 / seconds);
}

fn renamings(head: u64) -> Result<Append, Box<dyn Error>> {
    let principal = PrincipalId::parse("bench").ok_or("no principal")?;
    let request_id = SystemIds.event();
    let mut events = Vec::new();
    for number in head + 1..=head + TOGETHER {
        let event = Event::from(AgencyEvent::Renamed {
            agency: AgencyId::from_id(&format!("a{}", number % AGENCIES)).ok_or("no id")?,
            full_name: Line::parse(&format!("the name that it bears after event {number}"))?,
            former: Line::parse("the name that it bore before")?,
            until: None,
        });
        let body = event.encode(&Context::default());
        events.push(NewEvent {
            id: SystemIds.event(),
            nonce: SystemIds.nonce(),
            event_type: type_of(&body).unwrap_or_default().to_owned(),
            effective_on: duban_domain::time::DATE_MIN,
            tags: event.tags(&Context::default()),
            body: body.into(),
        });
    }
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
        read_at: head,
    })
}
