//! Checks and reloads: what this host's own settings ask for before a file is accepted or applied, and after it changed.
//!
//! ```text
//!            ┌── content to check ──▶ ┌─────────┐ ──▶ schema, in this process
//!   core ────┤                        │ service │ ──▶ staged file ──▶ command in a process group of its own
//!            └── reload that is due ▶ └─────────┘ ──▶ command, or a signal to the process of a pid file
//!   core ◀── nothing, or what is wrong ──┘
//! ```
//! The core never waits: a save whose check is under way is parked, and everything else goes on. Which rules there are,
//! only the daemon's settings file says; nothing that is replicated can add one. Rules: [`rules`]; when a reload is due:
//! [`debounce`]; what is parked and what follows from a verdict: `core/checks/`.

pub mod debounce;
pub mod limits;
pub mod message;
mod output;
pub mod pattern;
mod process;
pub mod rules;
mod schema;
mod service;
mod staging;

pub use debounce::Debounce;
pub use message::{CheckCommand, CheckEvent, CheckFailure, CheckJob, JobId};
pub use pattern::Pattern;
pub use rules::{Action, CheckRule, ReloadRule, Rules, SchemaRule};
pub use service::CheckService;
