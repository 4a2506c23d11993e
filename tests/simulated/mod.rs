//! Stand-ins for the operating system, as unkind as it may be. Unit tests and the simulation of whole daemons share them.

mod content;
pub(crate) mod disk;
pub(crate) mod file_system;
pub(crate) mod hints;
pub(crate) mod switch;
