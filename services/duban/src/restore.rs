//! `duban restore`: a log that goes on from a backup, in a new epoch.

use duban_log::moving::{self, Restored};
use duban_log::{Location, SystemClock, SystemIds};
use serde_json::json;

use crate::args::RestoreArgs;
use crate::failure::Failure;
use crate::i18n::messages;
use crate::moving::identity;
use crate::output::Printer;
use crate::tree::last_checkpoint;

/// Makes a log of a backup file; or says of a database, put back by Postgres' own means, that it was.
pub(crate) async fn run(args: RestoreArgs, printer: &mut Printer) -> Result<(), Failure> {
    let trees = args.tree.map(last_checkpoint);
    let trees = trees.as_ref();
    let Restored { identity: log, head } = match (&args.file, args.log.location()) {
        (Some(file), Location::Folder(folder)) => {
            moving::restore(file, &folder, trees, &SystemClock, &SystemIds).await?
        }
        (None, Location::Postgres(url)) => moving::restored(&url, trees, &SystemClock, &SystemIds).await?,
        (Some(_), Location::Postgres(_)) => {
            let mistake = "a backup file is restored into a folder: leave --log (DUBAN_LOG) out";
            return Err(Failure::Usage(mistake.to_owned()));
        }
        (None, Location::Folder(_)) => {
            return Err(Failure::Usage("which backup? duban restore FILE --data DIR".to_owned()));
        }
    };
    let said = messages::RESTORED.with(printer.lang(), &[&log.log, &log.epoch, &head]);
    printer.outcome(&said, &json!({ "log": identity(log), "position": head.to_string() }))
}
