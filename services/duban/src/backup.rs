//! `duban backup`: the log of a folder copied into one file, while its server runs.

use duban_log::moving::{self, BackedUp};
use serde_json::json;

use crate::args::BackupArgs;
use crate::failure::Failure;
use crate::i18n::messages;
use crate::moving::identity;
use crate::output::Printer;

/// Copies the log as it is at one moment.
pub(crate) async fn run(args: BackupArgs, printer: &mut Printer) -> Result<(), Failure> {
    let BackedUp { identity: log, head } = moving::backup(&args.data, &args.to).await?;
    let path = args.to.display().to_string();
    let said = messages::BACKED_UP.with(printer.lang(), &[&log.log, &head, &path]);
    let outcome = json!({ "log": identity(log), "position": head.to_string(), "path": path });
    printer.outcome(&said, &outcome)
}
