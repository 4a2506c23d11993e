//! Watched folders: reads edits and writes merged files, safely (promises P3, P5 and P8).
//!
//! ```text
//!  kernel ──hints──▶ ┌───────────┐ what to read, when   ┌────────┐ open, read, exchange  ┌────────────┐
//!  timer ──────────▶ │  engine   │ ───────────────────▶ │ folder │ ────────────────────▶ │ FileSystem │
//!  core ──commands─▶ │  (pure)   │ ◀─────────────────── │ (shell)│ ◀──────────────────── │  (trait)   │
//!  core ◀──events─── └───────────┘ what was found       └────────┘                       └────────────┘
//! ```
//! Rules: events are hints, and correctness comes from rescans; a file is read when its writer is done; the daemon's own
//! writes are known by their hash; nothing is written over anything that wasn't looked at; what comes out of the folder
//! is looked at again; a missing file is deleted only when nothing else can be the reason. Assumed of the disk: a rename
//! is atomic, and ordered after what the same directory tree was told before; fsync keeps what it promises.

mod cache;
mod deletes;
mod engine;
pub mod filesystem;
mod folder;
mod ignore;
mod ignoring;
mod keep_aside;
pub mod limits;
mod linux;
pub mod message;
mod names;
mod open_files;
mod reading;
mod rename_over;
mod root;
mod service;
mod spelling;
mod staging;
mod swapped;
mod walk;
mod watcher;
mod writing;

pub use filesystem::FileSystem;
pub(crate) use ignore::PATTERNS;
pub use keep_aside::keep_aside;
pub use linux::HostFileSystem;
pub use message::{
    ContentHash, FileCommand, FileEvent, FolderTrouble, HeldReason, KnownFile, Receipt, SaveKind, SkipReason, Ticket,
    WriteFailure,
};
pub(crate) use root::ensure_directory;
pub use service::FileService;
pub use watcher::{HintAt, Hints, Watch};

#[cfg(test)]
mod tests;
