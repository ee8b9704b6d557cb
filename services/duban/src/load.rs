//! `duban load`: an export made into a log, on either engine.

use duban_log::moving::{self, LoadOptions, Loaded};
use serde_json::json;

use crate::args::LoadArgs;
use crate::failure::Failure;
use crate::i18n::messages;
use crate::moving::{Bars, identity};
use crate::output::Printer;
use crate::tree::last_checkpoint;

/// Loads the export, or goes on with a load that was broken off.
pub(crate) async fn run(args: LoadArgs, printer: &mut Printer) -> Result<(), Failure> {
    let lang = printer.lang();
    let mut bars = Bars::new(lang, messages::LOADING_EVENTS, messages::LOADING_RECEIPTS);
    let options = LoadOptions {
        trees: args.tree.map(last_checkpoint),
        ..LoadOptions::new(&args.from, args.log.location())
    };
    let loaded = moving::load(options, |progress| bars.show(progress)).await;
    bars.clear();
    let Loaded { identity: now, head, receipts, kept } = loaded?;
    let text = if kept { messages::LOADED_KEPT } else { messages::LOADED_EPOCH };
    let said = text.with(lang, &[&now.log, &head, &receipts, &now.epoch]);
    let outcome = json!({
        "log": identity(now),
        "position": head.to_string(),
        "receipts": receipts.to_string(),
        "sameEpoch": kept,
    });
    printer.outcome(&said, &outcome)
}
