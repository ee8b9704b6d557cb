//! 机构: the commands and queries about agencies and their names.

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::Ask;
use super::context::{Context, Step};
use super::names::{self, Agency};
use super::query::{List, Show, When};
use super::values;

const KIND: &str = "duban.agencies.v1.AgencyKind";

#[derive(Debug, Subcommand, Serialize)]
#[serde(untagged)]
pub(crate) enum AgencyCommand {
    /// All agencies
    List(List),
    /// One agency
    Show(Show<Agency>),
    /// 机构登记: register an agency, active from --effective-on
    Register(Register),
    /// 更名: give it a new full name from --effective-on
    Rename(Rename),
    /// 别名、简称: other names
    #[command(subcommand)]
    Alias(AliasCommand),
    /// Change kind, division code, superior or credit code from --effective-on
    #[serde(skip)]
    Amend(Amend),
    /// 撤销: dissolve it as of --effective-on; needs --reason
    Dissolve(Step<Agency>),
    /// 名称解析: which agency a name, alias or credit code means on a date
    Resolve(Resolve),
}

#[derive(Debug, Subcommand, Serialize)]
#[serde(untagged)]
pub(crate) enum AliasCommand {
    /// Add a name that holds from --effective-on
    Add(Alias),
    /// End a name as of --effective-on
    End(Alias),
}

impl AgencyCommand {
    pub(crate) fn ask(&self) -> Result<Ask, String> {
        let method = match self {
            Self::List(_) => "ListAgencies",
            Self::Show(_) => "GetAgency",
            Self::Register(_) => "RegisterAgency",
            Self::Rename(_) => "RenameAgency",
            Self::Alias(AliasCommand::Add(_)) => "AddAlias",
            Self::Alias(AliasCommand::End(_)) => "EndAlias",
            Self::Amend(amend) => return Ask::new(rpc("AmendAgency"), &amend.request()),
            Self::Dissolve(_) => "DissolveAgency",
            Self::Resolve(_) => "ResolveName",
        };
        Ask::new(rpc(method), self)
    }
}

fn rpc(method: &str) -> String {
    format!("duban.agencies.v1.AgencyService/{method}")
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Register {
    /// 全称: the full name
    full_name: String,
    /// The id to be [default: the server makes one]
    #[arg(long = "id", value_name = "ID")]
    agency_id: Option<String>,
    /// What kind of body it is
    #[arg(long, value_parser = values::enumeration(KIND))]
    kind: String,
    /// 行政区划代码: six digits (GB/T 2260)
    #[arg(long, value_name = "CODE")]
    division_code: Option<String>,
    /// 上级机构: the agency above it
    #[arg(long, value_name = "AGENCY", value_parser = names::agency)]
    superior: Option<String>,
    /// 统一社会信用代码: 18 characters (GB 32100-2015)
    #[arg(long, value_name = "CODE")]
    credit_code: Option<String>,
    /// 别名、简称: another name; may be repeated
    #[arg(long = "alias", value_name = "NAME")]
    aliases: Vec<String>,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Rename {
    /// Which agency
    #[arg(value_parser = names::agency)]
    agency: String,
    /// 全称: the new full name
    full_name: String,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Alias {
    /// Which agency
    #[arg(value_parser = names::agency)]
    agency: String,
    /// The other name
    #[serde(rename = "alias")]
    text: String,
    #[command(flatten)]
    context: Context,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Amend {
    /// Which agency
    #[arg(value_parser = names::agency)]
    agency: String,
    /// What kind of body it is
    #[arg(long, value_parser = values::enumeration(KIND))]
    kind: Option<String>,
    /// 行政区划代码: six digits (GB/T 2260); empty to clear it
    #[arg(long, value_name = "CODE")]
    division_code: Option<String>,
    /// 上级机构: the agency above it
    #[arg(long, value_name = "AGENCY", value_parser = names::agency, conflicts_with = "no_superior")]
    superior: Option<String>,
    /// There is no agency above it
    #[arg(long)]
    no_superior: bool,
    /// 统一社会信用代码: 18 characters (GB 32100-2015); empty to clear it
    #[arg(long, value_name = "CODE")]
    credit_code: Option<String>,
    #[command(flatten)]
    context: Context,
}

impl Amend {
    /// The fields that were typed are the mask; an empty one is cleared.
    fn request(&self) -> impl Serialize {
        let typed = [
            ("kind", self.kind.is_some()),
            ("divisionCode", self.division_code.is_some()),
            ("superior", self.superior.is_some() || self.no_superior),
            ("creditCode", self.credit_code.is_some()),
        ];
        let mask =
            typed.iter().filter(|(_, typed)| *typed).map(|(field, _)| *field).collect::<Vec<_>>().join(",");
        json!({
            "agency": {
                "name": self.agency,
                "kind": self.kind,
                "division_code": self.division_code,
                "superior": self.superior,
                "credit_code": self.credit_code,
            },
            "update_mask": mask,
            "context": self.context,
        })
    }
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Resolve {
    /// A full name, an alias or a credit code
    text: String,
    #[command(flatten)]
    #[serde(flatten)]
    when: When,
}
