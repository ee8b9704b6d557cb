//! Who is responsible for a task, and what for an agency answers, now and as of a day long past as it was known
//! then: on logs of several sizes, whose tails should be alike.

use std::collections::BTreeMap;
use std::time::Instant;

use duban_proto::call::v1::AsOf;
use duban_proto::call::v1::as_of::Known;
use duban_proto::tasks::v1::responsibility_service_client::ResponsibilityServiceClient;
use duban_proto::tasks::v1::{GetAgencyResponsibilityRequest, GetTaskResponsibilityRequest};

use crate::Result;
use crate::args::Args;
use crate::load::{Client, Who};
use crate::log::story::{Province, agency, task};
use crate::log::{Kept, kept};
use crate::samples::Samples;
use crate::server::Server;
use crate::table::{Figure, Goal, Table};

/// Turns for each round asked for.
const TURNS: usize = 2;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    TaskNow,
    TaskThen,
    AgencyNow,
    AgencyThen,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::TaskNow, Kind::TaskThen, Kind::AgencyNow, Kind::AgencyThen];

    fn said(self) -> &'static str {
        match self {
            Kind::TaskNow => "of a task, now",
            Kind::TaskThen => "of a task, as of a past day",
            Kind::AgencyNow => "of an agency, now",
            Kind::AgencyThen => "of an agency, as of a past day",
        }
    }
}

struct Asked {
    province: Province,
    server: Server,
    client: ResponsibilityServiceClient<Client>,
    samples: BTreeMap<Kind, Samples>,
}

/// Measures it.
pub async fn run(args: &Args, table: &mut Table) -> Result<()> {
    let mut asked = Vec::new();
    for size in args.sizes() {
        let log = kept(args.engine, size).await?;
        asked.push(Asked::start(&log).await?);
    }
    for one in &mut asked {
        one.turn(args.calls).await?;
        one.samples.clear();
    }
    for _ in 0..args.rounds * TURNS {
        for one in &mut asked {
            one.turn(args.calls).await?;
        }
    }
    for kind in Kind::ALL {
        let p99 =
            |one: &Asked| Figure::Time(one.samples.get(&kind).map_or_else(Default::default, Samples::p99));
        let p50 =
            |one: &Asked| Figure::Time(one.samples.get(&kind).map_or_else(Default::default, Samples::p50));
        let Some((smallest, larger)) = asked.split_first() else { break };
        let least = smallest.province.events;
        let name =
            |events: u64, what: &str| format!("{events} events: responsibility {}, {what}", kind.said());
        table.figure(&name(least, "p50"), p50(smallest), Goal::None);
        for one in larger {
            let events = one.province.events;
            let baseline = format!("the same with {least} events");
            table.ratio(&name(events, "p99"), p99(one), &baseline, p99(smallest), Goal::AtMost(2.0));
        }
    }
    for one in asked {
        one.server.stop().await?;
    }
    Ok(())
}

impl Asked {
    async fn start(log: &Kept) -> Result<Self> {
        let server = Server::start(&log.place).await?;
        let client = ResponsibilityServiceClient::new(Who::supervisor(0)?.on(&server.channel()?));
        Ok(Self { province: log.province, server, client, samples: BTreeMap::new() })
    }

    /// A turn of each kind, over tasks and agencies all over the log.
    async fn turn(&mut self, calls: usize) -> Result<()> {
        for kind in Kind::ALL {
            for number in 0..calls as u64 {
                // A step that shares no factor with how many there are, roughly: near ones are not alike.
                let any = number * 7919;
                let start = Instant::now();
                self.ask(kind, any).await?;
                self.samples.entry(kind).or_default().push(start.elapsed());
            }
        }
        Ok(())
    }

    async fn ask(&mut self, kind: Kind, any: u64) -> Result<()> {
        let as_of = matches!(kind, Kind::TaskThen | Kind::AgencyThen).then(|| AsOf {
            valid_on: Some("2022-06-30".to_owned()),
            known: Some(Known::Position(self.province.events * 3 / 4)),
        });
        let found = match kind {
            Kind::TaskNow | Kind::TaskThen => {
                let task = format!("tasks/{}", task(any % self.province.tasks));
                let request = GetTaskResponsibilityRequest { task, as_of, consistency: None };
                self.client.get_task_responsibility(request).await.map(drop)
            }
            Kind::AgencyNow | Kind::AgencyThen => {
                let agency = format!("agencies/{}", agency(any % self.province.agencies));
                let request = GetAgencyResponsibilityRequest { agency, as_of, ..Default::default() };
                self.client.get_agency_responsibility(request).await.map(drop)
            }
        };
        match found {
            // A task that was not proposed then is an answer too, but no responsibility.
            Err(status) if status.code() == tonic::Code::NotFound => Ok(()),
            other => Ok(other?),
        }
    }
}
