//! How to reach the services, who asks, and how the answer is shown.

use std::time::Duration;

use clap::builder::PossibleValuesParser;

use super::names;
use crate::i18n::Lang;
use crate::output::Format;

/// The roles a caller may come in.
pub(crate) const ROLES: [&str; 6] =
    ["supervisor", "coordinator", "agency", "auditor", "sysadmin", "secadmin"];

// No doc comment here: it would become the program's own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ClientArgs {
    /// Where the services listen
    #[arg(
        long,
        global = true,
        env = "DUBAN_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:7350"
    )]
    pub(crate) server: String,
    /// Where the agencies service listens, if elsewhere
    #[arg(long, global = true, env = "DUBAN_AGENCIES_SERVER", value_name = "URL", hide_short_help = true)]
    pub(crate) agencies_server: Option<String>,
    /// Where the tasks service listens, if elsewhere
    #[arg(long, global = true, env = "DUBAN_TASKS_SERVER", value_name = "URL", hide_short_help = true)]
    pub(crate) tasks_server: Option<String>,
    /// Where the reports service listens, if elsewhere
    #[arg(long, global = true, env = "DUBAN_REPORTS_SERVER", value_name = "URL", hide_short_help = true)]
    pub(crate) reports_server: Option<String>,
    /// Where the audit service listens, if elsewhere
    #[arg(long, global = true, env = "DUBAN_AUDIT_SERVER", value_name = "URL", hide_short_help = true)]
    pub(crate) audit_server: Option<String>,
    /// In which role you ask
    #[arg(long = "as", id = "caller_role", global = true, env = "DUBAN_ROLE", value_name = "ROLE",
        default_value = "auditor", value_parser = PossibleValuesParser::new(ROLES))]
    pub(crate) role: String,
    /// Who asks: a pseudonymous id [default: the role]
    #[arg(long, id = "caller_actor", global = true, env = "DUBAN_ACTOR", value_name = "ID")]
    pub(crate) actor: Option<String>,
    /// For which agency; coordinators and agencies must say
    #[arg(long = "agency", id = "caller_agency", global = true, env = "DUBAN_AGENCY", value_name = "AGENCY",
        value_parser = names::agency)]
    pub(crate) agency: Option<String>,
    /// The language of tables, notes and errors [default: zh where the locale says so, else en]
    #[arg(long, global = true, env = "DUBAN_LANG", value_name = "LANG", value_enum)]
    pub(crate) lang: Option<Lang>,
    /// The machine's locale, from where the language is taken by default
    #[arg(long, global = true, env = "LANG", hide = true)]
    pub(crate) locale: Option<String>,
    /// How to show answers
    #[arg(
        short = 'o',
        long,
        global = true,
        env = "DUBAN_OUTPUT",
        value_name = "FORMAT",
        value_enum,
        default_value = "table"
    )]
    pub(crate) output: Format,
    /// How long one call may take, in seconds
    #[arg(long, global = true, env = "DUBAN_TIMEOUT", value_name = "SECONDS", default_value = "30",
        value_parser = clap::value_parser!(u64).range(1..=3600), hide_short_help = true)]
    pub(crate) timeout: u64,
    /// Say on stderr what is called and tried again
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

impl ClientArgs {
    /// The language to speak.
    pub(crate) fn lang(&self) -> Lang {
        self.lang.unwrap_or_else(|| Lang::of_locale(self.locale.as_deref().unwrap_or_default()))
    }

    /// How long one call may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

#[cfg(test)]
mod tests {
    use duban_domain::Role;

    use super::*;

    #[test]
    fn the_roles_are_those_of_the_domain() {
        assert_eq!(ROLES, Role::FROM_OUTSIDE.map(Role::as_str));
    }
}
