//! Offline audits: places, chains, leaves, tree and receipts of whole logs, where they lie and as exports, and the views
//! by replay. What counts of the former is the time of processors: reading and hashing overlap in two threads.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use duban_log::moving::{ExportOptions, export};
use duban_log::{Archive, Held, SystemClock};
use duban_merkle::Algorithm;
use duban_tree::verification::{Trust, Verification, verify};

use sha2::{Digest as _, Sha256};

use crate::args::Args;
use crate::cost::{cpu, peak};
use crate::log::kept;
use crate::place::scratch;
use crate::samples::median;
use crate::table::{Figure, Goal, Table};
use crate::{DUBAN, Result};

/// The largest log of which the views are replayed too.
const REPLAYED_MAX: u64 = 100_000;

/// Measures it.
pub async fn run(args: &Args, table: &mut Table) -> Result<()> {
    for size in args.sizes() {
        let log = kept(args.engine, size).await?;
        let folder = scratch()?;
        export(ExportOptions::new(log.place.location(), folder.path()), |_| ()).await?;
        let places = [
            ("where it lies", Held::Log(log.place.location()), log.place.flags().to_vec()),
            ("as an export", Held::Export(folder.path().to_owned()), exported(folder.path())),
        ];
        for (what, held, flags) in places {
            let name = format!("{size} events: audited {what}");
            let goal = if size >= 100_000 { Goal::AtLeast(200_000.0) } else { Goal::None };
            let (mut walls, mut rates, mut plain) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..args.rounds {
                plain.push(hashed(folder.path(), size)?);
                let (wall, processor) = audited(&held, size).await?;
                walls.push(wall);
                rates.push(processor);
            }
            let ratio = median(rates.iter().zip(&plain).map(|(seen, base)| seen / base));
            let (wall, rate, plain) = (median(walls), median(rates), median(plain));
            table.figure(&format!("{name}, a second"), Figure::Rate(wall), Goal::None);
            table.ratio_of(
                &format!("{name}, a second of processor"),
                Figure::Rate(rate),
                "its export hashed and nothing else",
                Figure::Rate(plain),
                ratio,
                Goal::None,
            );
            table.figure(&format!("{name}, a second of processor"), Figure::Rate(rate), goal);
            let most = Figure::Bytes(memory(&flags).await?);
            table.figure(&format!("{name}: memory at most"), most, Goal::None);
        }
        if size <= REPLAYED_MAX {
            replayed(args, table, size, &log.place.flags())?;
        }
    }
    Ok(())
}

/// All views, built anew to be compared with what is claimed of them; beside `duban rebuild` of the same.
fn replayed(args: &Args, table: &mut Table, size: u64, place: &[String]) -> Result<()> {
    let (mut replays, mut rebuilds) = (Vec::new(), Vec::new());
    let verify = ["verify", "--tree", "off"];
    for _ in 0..args.rounds.min(3) {
        let events = took(&[&verify[..], &["--no-views"]].concat(), place)?;
        let all = took(&verify, place)?;
        replays.push(size as f64 / all.saturating_sub(events).as_secs_f64());
        rebuilds.push(size as f64 / took(&["rebuild"], place)?.as_secs_f64());
    }
    table.ratio(
        &format!("{size} events: views replayed by an audit"),
        Figure::Rate(median(replays)),
        "rebuilt",
        Figure::Rate(median(rebuilds)),
        Goal::AtLeast(0.9),
    );
    Ok(())
}

/// How long `duban` takes for something, in a process of its own.
fn took(what: &[&str], place: &[String]) -> Result<Duration> {
    let start = Instant::now();
    let mut command = Command::new(DUBAN);
    command.args(what).args(place).stdout(Stdio::null()).stderr(Stdio::null());
    if command.status()?.success() { Ok(start.elapsed()) } else { Err(format!("{what:?} failed").into()) }
}

fn exported(folder: &Path) -> Vec<String> {
    vec!["--export".to_owned(), folder.display().to_string()]
}

/// As many events a second as the files of an export have, when they are read and hashed as `sha256sum` would.
fn hashed(folder: &Path, events: u64) -> Result<f64> {
    let process = std::process::id();
    let before = cpu(process)?;
    for kind in ["events", "receipts"] {
        for file in std::fs::read_dir(folder.join(kind))? {
            let mut hasher = Sha256::new();
            let mut file = std::fs::File::open(file?.path())?;
            let mut block = vec![0; 1 << 16];
            loop {
                match file.read(&mut block)? {
                    0 => break,
                    read => hasher.update(&block[..read]),
                }
            }
            std::hint::black_box(hasher.finalize());
        }
    }
    Ok(events as f64 / busy(cpu(process)?.saturating_sub(before)))
}

/// The most memory that `duban verify` has of it, in a process of its own.
async fn memory(flags: &[String]) -> Result<u64> {
    let mut command = Command::new(DUBAN);
    command.arg("verify").args(flags).args(["--tree", "off", "--no-views"]).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::null()).spawn()?;
    let mut most = 0;
    loop {
        if let Some(ended) = child.try_wait()? {
            return if ended.success() { Ok(most) } else { Err("the log can't be verified".into()) };
        }
        // It may have ended since.
        most = most.max(peak(child.id()).unwrap_or(0));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
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
    Ok((events as f64 / took.as_secs_f64(), events as f64 / self::busy(busy)))
}

/// In seconds: the clock of processors ticks in hundredths.
fn busy(time: Duration) -> f64 {
    time.as_secs_f64().max(0.01)
}
