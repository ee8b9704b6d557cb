//! Offline audits: places, chains, leaves, tree and receipts of whole logs, where they lie and as exports. What counts
//! is the time of processors: reading and hashing overlap in two threads.

use std::time::Instant;

use duban_log::moving::{ExportOptions, export};
use duban_log::{Archive, Held, SystemClock};
use duban_merkle::Algorithm;
use duban_tree::verification::{Trust, Verification, verify};

use crate::Result;
use crate::args::Args;
use crate::cost::cpu;
use crate::log::kept;
use crate::place::scratch;
use crate::table::{Figure, Goal, Table};

/// Measures it.
pub async fn run(args: &Args, table: &mut Table) -> Result<()> {
    for size in args.sizes() {
        let log = kept(args.engine, size).await?;
        let folder = scratch()?;
        export(ExportOptions::new(log.place.location(), folder.path()), |_| ()).await?;
        for (what, held) in [
            ("where it lies", Held::Log(log.place.location())),
            ("as an export", Held::Export(folder.path().to_owned())),
        ] {
            let (wall, processor) = audited(&held, size).await?;
            let goal = if size >= 100_000 { Goal::AtLeast(200_000.0) } else { Goal::None };
            let name = format!("{size} events: audited {what}");
            table.figure(&format!("{name}, a second"), Figure::Rate(wall), Goal::None);
            table.figure(&format!("{name}, a second of processor"), Figure::Rate(processor), goal);
        }
    }
    Ok(())
}

/// Events a second, and a second of processor.
async fn audited(held: &Held, events: u64) -> Result<(f64, f64)> {
    let process = std::process::id();
    let (start, before) = (Instant::now(), cpu(process)?);
    let verification = Verification {
        archive: Archive::open(held).await?,
        algorithm: Algorithm::Sha256,
        tree: None,
        checkpoints: Vec::new(),
        trust: Trust::default(),
        views: None,
        clock: std::sync::Arc::new(SystemClock),
    };
    let report = verify(verification, |_| ()).await?;
    let (took, busy) = (start.elapsed(), cpu(process)?.saturating_sub(before));
    if !report.is_sound() || report.events != events {
        return Err(format!("{held} is not sound: {:?}", report.first()).into());
    }
    // The clock of processors ticks in hundredths.
    let busy = busy.as_secs_f64().max(0.01);
    Ok((events as f64 / took.as_secs_f64(), events as f64 / busy))
}
