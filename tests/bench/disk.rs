//! What the disk itself takes: 4 KiB appended and synced, in the folder where the logs are.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use crate::Result;
use crate::samples::Samples;

const BLOCK: [u8; 4096] = [0x5a; 4096];

/// A file that grows.
pub struct Disk(File);

impl Disk {
    /// A new one in `folder`.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        Ok(Self(File::create(folder.join("appended"))?))
    }

    /// Appends and syncs, so many times, one after the other.
    pub fn sync(&mut self, times: usize) -> Result<Samples> {
        let mut samples = Samples::default();
        for _ in 0..times {
            let start = Instant::now();
            self.0.write_all(&BLOCK)?;
            self.0.sync_data()?;
            samples.push(start.elapsed());
        }
        Ok(samples)
    }
}
