//! 报送周期: the commands and queries about cycles and obligations.

use clap::Subcommand;
use jiff::civil::Date;
use serde::Serialize;

use super::Ask;
use super::context::{Context, Step};
use super::names::{Cycle, Obligation};
use super::query::{List, ListUnder, Show};

#[derive(Debug, Subcommand, Serialize)]
#[serde(untagged)]
pub(crate) enum CycleCommand {
    /// All cycles, the newest first
    List(List),
    /// One cycle
    Show(Show<Cycle>),
    /// 开启报送: open a year's cycle
    Open(Open),
    /// 应报: who owes a report in a cycle, and who has sent it
    #[serde(skip)]
    Obligations(Obligations),
    /// One obligation
    Obligation(Show<Obligation>),
    /// 免报: waive an obligation; needs --reason
    Waive(Step<Obligation>),
}

impl CycleCommand {
    pub(crate) fn ask(&self) -> Result<Ask, String> {
        let method = match self {
            Self::List(_) => "ListCycles",
            Self::Show(_) => "GetCycle",
            Self::Open(_) => "OpenCycle",
            Self::Obligations(asked) => return Ask::new(rpc("ListObligations"), &asked.request()),
            Self::Obligation(_) => "GetObligation",
            Self::Waive(_) => "WaiveObligation",
        };
        Ask::new(rpc(method), self)
    }
}

fn rpc(method: &str) -> String {
    format!("duban.reports.v1.CycleService/{method}")
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Open {
    /// The year reported on
    year: u32,
    /// When reports are due [default: 31 December of the year]
    #[arg(long, value_name = "DATE")]
    due_on: Option<Date>,
    /// The day whose responsibility says who must report [default: the day of opening]
    #[arg(long, value_name = "DATE")]
    holders_on: Option<Date>,
    /// Which of them must: every-lead or first-named [default: every-lead]
    #[arg(long)]
    rule: Option<String>,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Obligations {
    #[command(flatten)]
    under: ListUnder<Cycle>,
    /// 漏报: only those found missed
    #[arg(long)]
    missing: bool,
    /// 逾期未报: only those past due with nothing submitted
    #[arg(long, conflicts_with = "missing")]
    overdue: bool,
}

impl Obligations {
    fn request(&self) -> ListUnder<Cycle> {
        let mut under = self.under.clone();
        if self.missing {
            under.list = under.list.and("state = MISSED");
        }
        if self.overdue {
            under.list = under.list.and("overdue = true");
        }
        under
    }
}
