//! `duban healthy`: asks a process on this machine whether it is ready, for whoever must know by an exit code.

use std::time::Duration;

use crate::admin::got;
use crate::args::{AdminAddress, HealthyArgs};
use crate::failure::{Exit, Failure, chain};
use crate::output::Printer;

/// How long the answer may take: below what container engines give a health check.
const WITHIN: Duration = Duration::from_secs(5);

/// Prints what `/readyz` says; fails if that is not yes.
pub(crate) async fn run(args: HealthyArgs, printer: &mut Printer) -> Result<(), Failure> {
    let AdminAddress::At(address) = args.admin else {
        return Err(Failure::Usage("--admin: the admin port is off".to_owned()));
    };
    let unavailable = |message: String| Failure::Other {
        exit: Exit::Unavailable,
        message: format!("{address}: {message}"),
    };
    let asked = tokio::time::timeout(WITHIN, got(address, "/readyz")).await;
    let asked = asked.map_err(|_late| unavailable(format!("no answer within {} s", WITHIN.as_secs())))?;
    let (ready, said) = asked.map_err(|error| unavailable(chain(&*error)))?;
    let said = said.trim_end();
    if ready { printer.say(said) } else { Err(unavailable(said.replace('\n', "; "))) }
}
