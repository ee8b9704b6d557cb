//! The options of the server side: what to run, where, on which log.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use duban_log::Location;

use super::tree::TreeArgs;
use super::witness::CircleArgs;

/// Where the server listens, and clients look for it, unless told otherwise.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:7350";

/// Where the admin port is, unless told otherwise.
const DEFAULT_ADMIN: &str = "127.0.0.1:7351";

/// A service that the binary can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Service {
    /// 机构
    Agencies,
    /// 政策文件, 事项, 承办
    Tasks,
    /// 报送
    Reports,
    /// 审计
    Audit,
}

impl Service {
    /// Every service.
    pub const ALL: [Service; 4] = [Service::Agencies, Service::Tasks, Service::Reports, Service::Audit];
}

/// How the server writes its own log lines to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people
    Text,
    /// A JSON object a line
    Json,
}

/// Where the admin port is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdminAddress {
    At(SocketAddr),
    /// There is none.
    Off,
}

impl FromStr for AdminAddress {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text == "off" { Ok(Self::Off) } else { text.parse().map(Self::At) }
    }
}

impl AdminAddress {
    /// The address, if there is one.
    pub(crate) fn address(self) -> Option<SocketAddr> {
        match self {
            Self::At(address) => Some(address),
            Self::Off => None,
        }
    }
}

// No doc comment here: it would become the command's own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LogArgs {
    /// The folder of the log and its views on SQLite; `serve` makes it
    #[arg(long, env = "DUBAN_DATA", value_name = "DIR", default_value = "./duban-data")]
    pub(crate) data: PathBuf,
    /// The Postgres database of the log, instead of a folder: postgres://role:password@host:port/database
    #[arg(long, env = "DUBAN_LOG", value_name = "URL", hide_env_values = true)]
    pub(crate) log: Option<String>,
}

impl LogArgs {
    /// Where the log is.
    pub(crate) fn location(&self) -> Location {
        match self.log.as_deref().filter(|url| !url.is_empty()) {
            Some(url) => Location::Postgres(url.to_owned()),
            None => Location::Folder(self.data.clone()),
        }
    }
}

// No doc comment here: it would become the command's own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServeArgs {
    /// Which services to run [default: all]
    #[arg(env = "DUBAN_SERVICES", value_name = "SERVICES", value_enum, value_delimiter = ',')]
    pub(crate) services: Vec<Service>,
    /// Where to listen
    #[arg(long, env = "DUBAN_LISTEN", value_name = "ADDRESS", default_value = DEFAULT_LISTEN)]
    pub(crate) listen: SocketAddr,
    // Where the log is.
    #[command(flatten)]
    pub(crate) log: LogArgs,
    // Where its audit tree is.
    #[command(flatten)]
    pub(crate) tree: TreeArgs,
    // Who cosigns its checkpoints.
    #[command(flatten)]
    pub(crate) circle: CircleArgs,
    /// Import the seeds, then say where it listens and three things to try
    #[arg(long, env = "DUBAN_DEMO")]
    pub(crate) demo: bool,
    /// The folder of the seeds that --demo imports
    #[arg(long, env = "DUBAN_SEEDS", value_name = "DIR", default_value = "./seeds")]
    pub(crate) seeds: PathBuf,
    /// Listen beyond loopback although anyone can claim to be anybody
    #[arg(long, env = "DUBAN_INSECURE")]
    pub(crate) insecure: bool,
    /// Where to answer /livez, /readyz and /metrics over HTTP; `off`: nowhere
    #[arg(long, env = "DUBAN_ADMIN", value_name = "ADDRESS", default_value = DEFAULT_ADMIN)]
    pub(crate) admin: AdminAddress,
    /// How many seconds calls in progress have once it is told to stop; ten more and the process ends by force
    #[arg(long, env = "DUBAN_DRAIN_WITHIN", value_name = "SECONDS", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(..=3600))]
    drain_within: u64,
    /// How to write the server's own log lines
    #[arg(long, env = "DUBAN_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Where to send traces over OTLP (gRPC); none are sent without
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub(crate) otlp_endpoint: Option<String>,
}

impl ServeArgs {
    /// The services to run, each once, in their own order.
    pub(crate) fn services(&self) -> Vec<Service> {
        let asked = |service: &Service| self.services.is_empty() || self.services.contains(service);
        Service::ALL.into_iter().filter(asked).collect()
    }

    /// How long calls in progress have to end.
    pub(crate) fn drain_within(&self) -> Duration {
        Duration::from_secs(self.drain_within)
    }
}

// No doc comment here: it would become the command's own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RebuildArgs {
    /// Which view [default: all]
    #[arg(value_name = "VIEW")]
    pub(crate) view: Option<String>,
    /// The admin port of a running server that shall do it: for a folder that is the server's own
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<AdminAddress>,
    // Where the log is.
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

// No doc comment here: it would become the command's own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct HealthyArgs {
    /// Where the server's admin port is
    #[arg(long, env = "DUBAN_ADMIN", value_name = "ADDRESS", default_value = DEFAULT_ADMIN)]
    pub(crate) admin: AdminAddress,
}
