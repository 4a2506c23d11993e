//! What must hold for any bytes, as functions that panic where it doesn't.
//!
//! `cargo fuzz` calls them with what it makes up (`fuzz/README.md`); this crate's tests call them with its seeds and with
//! mutations of those.

#![allow(clippy::unwrap_used, reason = "a property that doesn't hold is a panic")]

mod codecs;
mod host;
mod merge;
mod names;
#[cfg(test)]
mod tests;
mod wire;

pub use codecs::{blocks, env, ini, json, text, toml, yaml};
pub use merge::merge;
pub use names::address;
pub use wire::{cell, change, envelope, snapshot};

/// What stands between the parts of an input that has several. It occurs in no UTF-8 text.
pub const SEPARATOR: u8 = 0xff;
