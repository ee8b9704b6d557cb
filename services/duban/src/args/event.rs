//! 事件: reading, following and explaining the log.

use clap::Subcommand;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::Ask;
use super::query::When;

pub(crate) const EXPLAIN: &str = "duban.audit.v1.AuditService/Explain";

#[derive(Debug, Subcommand)]
pub(crate) enum EventCommand {
    /// The events, in order of position
    List(Listing),
    /// One event in full
    Show(ShowEvent),
    /// The events as they are recorded, without end
    Follow(Follow),
    /// The head of the log and its identity
    Head,
    /// The last position recorded at or before a time
    Position(ResolvePosition),
    /// Every type of event
    Types(Types),
    /// The JSON Schema of an event type's body
    Schema(Schema),
}

impl EventCommand {
    pub(crate) fn ask(&self) -> Result<Ask, String> {
        match self {
            Self::List(_) | Self::Show(_) => Ask::new(rpc("Read"), &json!({})),
            Self::Follow(_) => Ask::new(rpc("Subscribe"), &json!({})),
            Self::Head => Ask::new(rpc("GetHead"), &json!({})),
            Self::Position(asked) => Ask::new(rpc("ResolvePosition"), &asked.time),
            Self::Types(types) => Ask::new(rpc("ListEventTypes"), types),
            Self::Schema(schema) => Ask::new(rpc("GetEventSchema"), schema),
        }
    }
}

fn rpc(method: &str) -> String {
    format!("duban.audit.v1.AuditService/{method}")
}

// Which events.
#[derive(Debug, Clone, Default, clap::Args, Serialize)]
pub(crate) struct Which {
    /// Only this type, say `assignment.dispatched.v1`; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only what concerns this resource, by its full name; may be repeated
    #[arg(long = "subject", value_name = "NAME")]
    subjects: Vec<String>,
}

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Listing {
    /// After which position
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    pub(crate) after: u64,
    /// Up to which position [default: the head]
    #[arg(long, value_name = "POSITION")]
    pub(crate) up_to: Option<u64>,
    /// How many at most [default: all]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) limit: u64,
    #[command(flatten)]
    pub(crate) which: Which,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ShowEvent {
    /// Its position in the log
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) position: u64,
}

impl ShowEvent {
    /// As a listing of that one event.
    pub(crate) fn listing(&self) -> Listing {
        Listing { after: self.position - 1, up_to: Some(self.position), limit: 1, which: Which::default() }
    }
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Follow {
    /// After which position [default: the head, so only what comes]
    #[arg(long, value_name = "POSITION")]
    pub(crate) after: Option<u64>,
    /// End after so many events
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// End once everything recorded before is shown
    #[arg(long)]
    pub(crate) until_caught_up: bool,
    #[command(flatten)]
    pub(crate) which: Which,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ResolvePosition {
    /// An instant, or a date in Shanghai whose end is meant
    #[arg(value_parser = time)]
    time: Time,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
enum Time {
    At(Timestamp),
    On(jiff::civil::Date),
}

fn time(text: &str) -> Result<Time, String> {
    let instant = text.parse().map(Time::At);
    instant.or_else(|_| text.parse().map(Time::On)).map_err(|_| "a date or an instant is expected".to_owned())
}

#[derive(Debug, Clone, clap::Args, Serialize)]
pub(crate) struct Types {
    /// Which ones, say `subject = task` [default: all]
    #[arg(long)]
    filter: Option<String>,
}

#[derive(Debug, Clone, clap::Args, Serialize)]
pub(crate) struct Schema {
    /// The type with its version, say `assignment.dispatched.v1`
    r#type: String,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Explain {
    /// A task, assignment, agency, document, reading, cycle, obligation, report or log, by its full name
    name: String,
    #[command(flatten)]
    #[serde(flatten)]
    when: When,
}
