//! The network over real sockets on the loopback interface, and over simulated ones.

#![allow(clippy::unwrap_used, reason = "a test's helpers may fail like the test itself")]

mod addresses;
mod certificates;
mod connecting;
mod faults;
mod frames;
mod gossip;
mod identities;
mod issuing;
mod joining;
mod lossy;
mod metering;
mod relay;
mod rogue;
mod support;
