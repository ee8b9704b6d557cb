//! Who answers for what: the three questions that everything else is for.

use serde::Serialize;

use super::names;
use super::query::{List, When};

pub(crate) const WHO: &str = "duban.tasks.v1.ResponsibilityService/GetTaskResponsibility";
pub(crate) const WHAT: &str = "duban.tasks.v1.ResponsibilityService/GetAgencyResponsibility";
pub(crate) const MATRIX: &str = "duban.tasks.v1.ResponsibilityService/GetMatrix";

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Who {
    /// Which task
    #[arg(value_parser = names::task)]
    task: String,
    #[command(flatten)]
    #[serde(flatten)]
    when: When,
}

impl Who {
    /// Of this task, as of this moment.
    pub(crate) fn new(task: String, when: When) -> Self {
        Self { task, when }
    }
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct What {
    /// Which agency
    #[arg(value_parser = names::agency)]
    agency: String,
    #[command(flatten)]
    #[serde(flatten)]
    list: List,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Matrix {
    #[command(flatten)]
    #[serde(flatten)]
    list: List,
}
