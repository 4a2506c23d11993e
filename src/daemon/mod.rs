//! The daemon: the core task that owns all documents, and the shells around it.

pub mod api;
pub mod checks;
pub(crate) mod core;
pub mod event_log;
pub mod files;
pub mod founding;
mod generation;
mod heartbeat;
mod log;
pub(crate) mod metrics;
mod platform;
pub mod request;
mod run;
mod serve;
mod service_manager;
pub mod store;
#[cfg(test)]
mod tests;
mod throwaway;

pub use log::Log;
pub use platform::{Platform, SystemPlatform};
pub use run::{Daemon, DaemonConfig, DaemonError};
pub use serve::run;
pub use throwaway::{ThrowawayHost, throwaway_mesh};
