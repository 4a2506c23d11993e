//! Stand-ins for the operating system, as unkind as it may be. Unit tests and the simulation of whole daemons share them.

pub(crate) mod disk;
