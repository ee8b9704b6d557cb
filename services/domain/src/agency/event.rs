//! What happens to an agency, as it is stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bearers;
use super::{AgencyKind, CreditCode, DivisionCode};
use crate::name::AgencyId;
use crate::subject::Subject;
use crate::text::Line;
use crate::time::Date;

/// What happened to an agency. Stored forever: variants are added, never renamed or reused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
pub enum AgencyEvent {
    /// 登记: it is active, and bears these names, from the effective day on.
    #[serde(rename = "agency.registered.v1")]
    Registered {
        /// The agency.
        agency: AgencyId,
        /// 全称: its full name.
        full_name: Line,
        /// What kind of body it is.
        kind: AgencyKind,
        /// 行政区划代码, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        division_code: Option<DivisionCode>,
        /// 上级机构, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        superior: Option<AgencyId>,
        /// 统一社会信用代码, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credit_code: Option<CreditCode>,
        /// 别名、简称: other names.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        aliases: Vec<Line>,
    },
    /// 更名: it bears another full name from the effective day on.
    #[serde(rename = "agency.renamed.v1")]
    Renamed {
        /// The agency.
        agency: AgencyId,
        /// The new name.
        full_name: Line,
        /// The name that it was known under on the effective day.
        former: Line,
        /// The next change of name already known, or the agency's end: up to then the new name holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        until: Option<Date>,
    },
    /// It is also called so from the effective day on.
    #[serde(rename = "agency.alias_added.v1")]
    AliasAdded {
        /// The agency.
        agency: AgencyId,
        /// The other name.
        alias: Line,
        /// The day from which it is known to hold already, or the agency's end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        until: Option<Date>,
    },
    /// It is no longer called so from the effective day on.
    #[serde(rename = "agency.alias_ended.v1")]
    AliasEnded {
        /// The agency.
        agency: AgencyId,
        /// The other name.
        alias: Line,
        /// The end that was known before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        until: Option<Date>,
    },
    /// What is recorded beside its names changes from the effective day on.
    #[serde(rename = "agency.amended.v1")]
    Amended {
        /// The agency.
        agency: AgencyId,
        /// What changes, each field once.
        changes: Vec<Change>,
    },
    /// 撤销: from the effective day on it is no more, and its full names are free. It keeps its credit code.
    #[serde(rename = "agency.dissolved.v1")]
    Dissolved {
        /// The agency.
        agency: AgencyId,
        /// The full names that it would have borne on or after the effective day.
        names: Vec<Line>,
    },
}

/// A field that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// What kind of body it is.
    Kind(Replaced<AgencyKind>),
    /// 行政区划代码.
    DivisionCode(Replaced<Option<DivisionCode>>),
    /// 上级机构.
    Superior(Replaced<Option<AgencyId>>),
    /// 统一社会信用代码.
    CreditCode(Replaced<Option<CreditCode>>),
}

/// One value instead of another, from the effective day on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replaced<T> {
    /// What was known for the effective day.
    pub from: T,
    /// What holds now.
    pub to: T,
    /// The next change already known: up to then it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Date>,
}

impl AgencyEvent {
    /// The agency.
    pub fn agency(&self) -> &AgencyId {
        match self {
            AgencyEvent::Registered { agency, .. }
            | AgencyEvent::Renamed { agency, .. }
            | AgencyEvent::AliasAdded { agency, .. }
            | AgencyEvent::AliasEnded { agency, .. }
            | AgencyEvent::Amended { agency, .. }
            | AgencyEvent::Dissolved { agency, .. } => agency,
        }
    }

    /// The subjects that it is about: the agency, and the names and codes that it gives or takes.
    pub fn subjects(&self) -> Vec<Subject> {
        let unique = bearers::given_and_taken(self).into_iter().map(|bearing| bearing.of);
        std::iter::once(Subject::Agency(self.agency().clone())).chain(unique).collect()
    }
}
