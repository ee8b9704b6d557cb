//! `duban export`: a log written to a folder, from which it can be loaded elsewhere and checked by anybody.

use duban_log::moving::{self, ExportOptions, Manifest};
use serde_json::json;

use crate::args::{ExportArgs, Service};
use crate::failure::Failure;
use crate::i18n::messages;
use crate::moving::Bars;
use crate::output::Printer;
use crate::server::views_of;

/// Exports the log, or goes on with an export that was broken off.
pub(crate) async fn run(args: ExportArgs, printer: &mut Printer) -> Result<(), Failure> {
    let lang = printer.lang();
    let mut bars = Bars::new(lang, messages::EXPORTING_EVENTS, messages::EXPORTING_RECEIPTS);
    let from = args.log.location();
    let views = views_of(&Service::ALL);
    let options = ExportOptions { seal: args.seal, views, ..ExportOptions::new(from, &args.to) };
    let exported = moving::export(options, |progress| bars.show(progress)).await;
    bars.clear();
    let Manifest { log, epoch, head, sealed, receipts, views, .. } = exported?;
    let receipts = receipts.unwrap_or_default();
    let said = messages::EXPORTED.with(lang, &[&log, &epoch, &head, &receipts, &args.to.display()]);
    let outcome = json!({
        "log": { "log": log.to_string(), "epoch": epoch.to_string() },
        "position": head.to_string(),
        "receipts": receipts.to_string(),
        "sealed": sealed,
        "views": views.len().to_string(),
        "path": args.to.display().to_string(),
    });
    printer.outcome(&said, &outcome)?;
    let next = if sealed { messages::EXPORTED_SEALED } else { messages::EXPORTED_COPY };
    printer.note(next.of(lang))
}
