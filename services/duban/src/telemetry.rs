//! What the server says of itself: log lines on stderr, and traces over OTLP where an endpoint is given.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::args::LogFormat;

/// What is logged unless `RUST_LOG` says otherwise.
const DEFAULT_FILTER: &str = "info,sqlx=warn,h2=warn,hyper=warn,tower=warn";

/// Telemetry at work; spans that wait are sent when it is [shut down](Telemetry::shut_down).
pub(crate) struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Sets up logging and tracing for the whole process, once.
pub(crate) fn set_up(format: LogFormat, endpoint: Option<&str>) -> Result<Telemetry, ExporterBuildError> {
    let traces = endpoint.filter(|endpoint| !endpoint.is_empty()).map(traces_to).transpose()?;
    let exported =
        traces.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("duban")));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    // Colours are for eyes: a file or a collector gets none.
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => {
            std::panic::set_hook(Box::new(|panic| {
                tracing::error!(%panic, "a thread panicked");
            }));
            lines.json().flatten_event(true).boxed()
        }
    };
    // Twice in one process happens in tests only; the first one stays.
    let _ = tracing_subscriber::registry().with(filter).with(exported).with(lines).try_init();
    Ok(Telemetry { traces })
}

fn traces_to(endpoint: &str) -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter =
        opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let exporter = Collector { exporter, away: AtomicBool::new(false) };
    let resource = Resource::builder().with_service_name("duban").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// The collector, which may be away: that is said once, not at every batch. Spans that it doesn't take are lost;
/// no call waits for it.
#[derive(Debug)]
struct Collector {
    exporter: opentelemetry_otlp::SpanExporter,
    away: AtomicBool,
}

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        match (&sent, self.away.swap(sent.is_err(), Ordering::Relaxed)) {
            (Err(error), false) => {
                tracing::warn!(%error, "traces can't be sent; they are lost until they can");
            }
            (Ok(()), true) => tracing::info!("traces are sent again"),
            (Ok(()), false) | (Err(_), true) => {}
        }
        // Told of the failure, the library would log each one.
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl Telemetry {
    /// Sends what waits.
    pub(crate) fn shut_down(self) {
        if let Some(Err(error)) = self.traces.map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}
