//! What `doctor` looks at: the core's knowledge, and this host's state, measured one at a time.

use axum::extract::State;
use murmurate_client::types::{ApiError, ErrorCode, Facts, V1};

use super::Api;
use super::answer::{Answer, Result};
use crate::daemon::request::{CoreFacts, Request};
use crate::host_facts;

pub(super) async fn facts(State(api): State<Api>) -> Result<Facts> {
    let what = "look at this host";
    let Ok(_turn) = api.measuring.try_acquire() else {
        return Err(ApiError::new(ErrorCode::Busy, what, "somebody else does so", "try again in some seconds").into());
    };
    let core = api.core.ask(|reply| Request::Facts { reply }).await?;
    let CoreFacts { data_dir, paths } = core;
    // It writes to the disk: not on a thread that others wait for.
    let host = tokio::task::spawn_blocking(move || host_facts::look(&data_dir)).await;
    let host = host.map_err(|error| ApiError::internal(what, error.to_string()))?;
    Ok(Answer(Facts { v: V1, host, paths }))
}
