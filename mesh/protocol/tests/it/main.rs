//! Tests of the engine from outside: its messages' bytes, its behaviour in small scenes, and in simulated worlds.

#![allow(clippy::unwrap_used, reason = "a test ends where its own helpers fail")]

mod catching_up;
mod codec;
mod common;
mod golden;
mod health;
mod mesh;
mod pings;
mod revocation;
mod roster;
mod scale;
mod scenes;
mod sim;
mod topology;
