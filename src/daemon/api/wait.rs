//! Waiting for the mesh to converge.

use std::time::Duration;

use axum::extract::State;
use murmurate_client::types::Converged;
use serde::Deserialize;
use tokio::time::timeout;

use super::Api;
use super::answer::{Answer, Parameters, Result, bad_request};
use super::limits::WAIT_LONGEST;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    condition: String,
    timeout_ms: u64,
}

/// Answers as soon as the condition holds, or with what holds when the time is over.
pub(super) async fn wait(State(api): State<Api>, Parameters(wait): Parameters<Wait>) -> Result<Converged> {
    if wait.condition != "converged" {
        return Err(bad_request("/v1/wait", "the condition", "the only condition is `converged`"));
    }
    let limit = Duration::from_millis(wait.timeout_ms).min(WAIT_LONGEST);
    let mut converged = api.core.converged();
    // It ends early when the core ends; then what held last is the answer.
    let _ = timeout(limit, converged.wait_for(|converged| converged.converged)).await;
    let now = converged.borrow().clone();
    Ok(Answer(now))
}
