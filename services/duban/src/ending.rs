//! The end of the process, whatever hangs. From the first signal on a clock runs that a thread keeps which
//! needs nothing of the rest: not the runtime of the services, not the log, not even that a line can be written.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::{Exit, Failure};

/// How long closing may take once calls have drained: the log, the views, the last traces.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);
/// How long the last line may take to be written: whoever reads our lines may hang, too.
const SAID_WITHIN: Duration = Duration::from_secs(1);

/// What is being waited for while the process ends.
#[derive(Debug, Clone)]
pub struct Stage(Arc<Mutex<&'static str>>);

impl Default for Stage {
    fn default() -> Self {
        Self(Arc::new(Mutex::new("the services")))
    }
}

impl Stage {
    /// From now on it is this.
    pub(crate) fn is(&self, what: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    fn now(&self) -> &'static str {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells of the first signal to stop, and sees to it that the process has ended soon after.
pub(crate) struct Ending {
    /// Cancelled by SIGTERM or SIGINT.
    pub(crate) told: CancellationToken,
    /// To be kept up to date, for the one who reads what hung.
    pub(crate) stage: Stage,
}

impl Ending {
    /// Listens from now on. After the first signal the process has `drain_within` and what closing takes; then,
    /// or at a second signal, it exits with a line that says what it still waited for.
    pub(crate) fn watch(drain_within: Duration) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::other(format!("no signals can be heard: {error}"));
        // A runtime of its own: that of the services may be what hangs.
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let mut signals = {
            let _here = runtime.enter();
            Signals::listen().map_err(failed)?
        };
        let (told, stage) = (CancellationToken::new(), Stage::default());
        let ending = Self { told: told.clone(), stage: stage.clone() };
        let watch = move || {
            let why = runtime.block_on(async {
                signals.next().await;
                told.cancel();
                tokio::select! {
                    () = signals.next() => "a second signal",
                    () = tokio::time::sleep(drain_within + CLOSE_WITHIN) => "too late",
                }
            });
            say(why, stage.now());
            std::process::exit(i32::from(Exit::Other as u8));
        };
        std::thread::Builder::new().name("ending".to_owned()).spawn(watch).map_err(failed)?;
        Ok(ending)
    }
}

/// Logs it, if that is possible.
fn say(why: &'static str, waited_for: &'static str) {
    let (said, heard) = mpsc::channel();
    std::thread::spawn(move || {
        tracing::error!(why, waited_for, "the process ends at once");
        said.send(()).ok();
    });
    heard.recv_timeout(SAID_WITHIN).ok();
}

/// The signals that end the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
