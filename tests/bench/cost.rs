//! What a process costs: its resident memory and the time of its threads on a processor, as Linux tells.

use std::time::Duration;

use crate::Result;

/// Clock ticks a second in `/proc`: the same on every Linux, whatever the kernel's own are.
const TICKS: u64 = 100;

/// The time that a process has had on processors so far, all threads together.
pub fn cpu(process: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The program's name stands in brackets and may hold anything: what follows the last one is counted.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Ok(Duration::from_millis((ticks(11) + ticks(12)) * 1000 / TICKS))
}

/// The resident memory of a process, in bytes.
pub fn memory(process: u32) -> Result<u64> {
    status(process, "VmRSS:")
}

/// The most resident memory that a process has had so far, in bytes.
pub fn peak(process: u32) -> Result<u64> {
    status(process, "VmHWM:")
}

fn status(process: u32, name: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.unwrap_or(0) * 1024)
}
