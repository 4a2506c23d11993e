//! Metrics: what the daemon counts, for Prometheus.
//!
//! ```text
//!  engine, network, core ──plain numbers──▶ sheet ─┐
//!  local API ──────────────atomics─────────────────┴─▶ exposition ──▶ GET /v1/metrics on the socket
//!                          table (names, help) ──────▶    (text)   ──▶ GET /metrics on a loopback port, if one is set
//!                                └─────────────────────────────────▶ docs/METRICS.md
//! ```
//! Each part counts for itself, in plain numbers. They are put together when somebody asks, and only then.

mod api_meter;
#[cfg(test)]
mod document;
mod exposition;
pub(crate) mod limits;
mod listener;
#[cfg(test)]
mod queues;
mod sheet;
mod source;
pub(crate) mod table;
#[cfg(test)]
mod tests;

pub(crate) use api_meter::ApiMeter;
pub(crate) use exposition::Format;
pub(crate) use listener::Listener;
pub(crate) use sheet::Sheet;
pub(crate) use source::Source;
