//! Who acts: a principal in a role, perhaps for an agency.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::AgencyId;

/// The longest principal id, in bytes.
pub const PRINCIPAL_MAX: usize = 64;

/// A pseudonymous id of a person or a system: 1 to [`PRINCIPAL_MAX`] of `A-Z a-z 0-9 . _ : @ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PrincipalId(String);

impl PrincipalId {
    /// Parses; `None` if it is empty, too long or has other characters.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'@' | b'-');
        let fits = (1..=PRINCIPAL_MAX).contains(&text.len()) && text.bytes().all(plain);
        fits.then(|| Self(text.to_owned()))
    }

    /// As a slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a caller may do. The three administrative roles exclude each other (三员分立).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// 督查/交办: registers, dispatches, reassigns, completes.
    Supervisor,
    /// 汇总 (省发展改革委): opens cycles, receives, accepts, returns.
    Coordinator,
    /// 承办: acts for its own agency only.
    Agency,
    /// 审计员: reads and verifies everything, writes nothing.
    Auditor,
    /// 系统管理员: runs the machine, sees no business.
    Sysadmin,
    /// 安全管理员: grants access, sees no business.
    Secadmin,
    /// The system itself: the calendar that opens obligations and records silence. Never from outside.
    System,
}

impl Role {
    /// The roles a caller may come in.
    pub const FROM_OUTSIDE: [Role; 6] =
        [Role::Supervisor, Role::Coordinator, Role::Agency, Role::Auditor, Role::Sysadmin, Role::Secadmin];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Supervisor => "supervisor",
            Role::Coordinator => "coordinator",
            Role::Agency => "agency",
            Role::Auditor => "auditor",
            Role::Sysadmin => "sysadmin",
            Role::Secadmin => "secadmin",
            Role::System => "system",
        }
    }

    /// Whether it can't act without saying for which agency.
    pub fn needs_agency(self) -> bool {
        matches!(self, Role::Coordinator | Role::Agency)
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Role::FROM_OUTSIDE.into_iter().find(|role| role.as_str() == text).ok_or(())
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The person or system.
    pub principal: PrincipalId,
    /// In which role.
    pub role: Role,
    /// For which agency.
    pub agency: Option<AgencyId>,
}

impl Caller {
    /// Whether it acts for `agency`.
    pub fn acts_for(&self, agency: &AgencyId) -> bool {
        self.agency.as_ref() == Some(agency)
    }
}
