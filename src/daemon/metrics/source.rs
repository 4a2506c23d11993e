//! Where the metrics of this daemon come from.

use std::path::Path;
use std::sync::Arc;

use murmurate_client::types::{ApiError, ErrorCode};
use tokio::time::timeout;

use super::api_meter::ApiMeter;
use super::exposition::{Format, text};
use super::limits::CORE_DEADLINE;
use super::sheet::Sheet;
use super::table;
use crate::daemon::api::limits as api_limits;
use crate::daemon::request::{CoreHandle, CoreMetrics, Request};

/// Puts them together when somebody asks. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    core: CoreHandle,
    api: Arc<ApiMeter>,
}

impl Source {
    pub(crate) fn new(core: CoreHandle) -> Self {
        Self { core, api: Arc::default() }
    }

    /// Where the local API counts.
    pub(crate) fn api(&self) -> &Arc<ApiMeter> {
        &self.api
    }

    /// All metrics, as text.
    ///
    /// # Errors
    /// When the core is gone, or too busy to answer.
    pub(crate) async fn text(&self, format: Format) -> Result<String, ApiError> {
        let what = "put the metrics together";
        let asked = self.core.ask(|reply| Request::Metrics { reply });
        let CoreMetrics { mut sheet, store_dir } = match timeout(CORE_DEADLINE, asked).await {
            Ok(answer) => answer?,
            Err(_) => {
                let why = format!("the core didn't answer within {} s", CORE_DEADLINE.as_secs());
                return Err(ApiError::new(ErrorCode::Busy, what, why, "try again in a while"));
            }
        };
        // It asks the file system: not on a thread that others wait for.
        let bytes = tokio::task::spawn_blocking(move || bytes_in(&store_dir)).await.ok().flatten();
        if let Some(bytes) = bytes {
            sheet.gauge(&table::STORE_BYTES, &[], bytes);
        }
        self.api.fill(&mut sheet);
        self.queues(&mut sheet);
        text(sheet, format).map_err(|error| ApiError::internal(what, error.to_string()))
    }

    fn queues(&self, sheet: &mut Sheet) {
        let (waiting, limit) = self.core.waiting();
        let connections = (self.api.connections(), api_limits::CONNECTIONS);
        for (queue, (held, limit)) in [("core_requests", (waiting, limit)), ("api_connections", connections)] {
            sheet.gauge(&table::QUEUE_ITEMS, &[queue], held);
            sheet.gauge(&table::QUEUE_ITEMS_LIMIT, &[queue], limit);
        }
    }
}

/// The bytes of the files in a directory; nothing if it can't be read.
fn bytes_in(directory: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(directory).ok()?;
    Some(entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum())
}
