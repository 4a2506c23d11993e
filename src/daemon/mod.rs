//! The daemon: the core task that owns all documents, and the shells around it.

pub mod api;
pub(crate) mod core;
pub mod files;
pub mod founding;
mod platform;
pub mod request;
mod run;
mod serve;
pub mod store;
#[cfg(test)]
mod tests;
mod throwaway;

pub use platform::{Platform, SystemPlatform};
pub use run::{Daemon, DaemonConfig, DaemonError};
pub use serve::run;
pub use throwaway::{ThrowawayHost, throwaway_mesh};
