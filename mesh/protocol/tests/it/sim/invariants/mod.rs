//! What must hold, one invariant a file. DESIGN's names: P2 convergence, P3 nothing lost, P4 causality, P7 durability.

pub(crate) mod bounds;
pub(crate) mod causality;
pub(crate) mod convergence;
pub(crate) mod durability;
pub(crate) mod health;
pub(crate) mod no_false_death;
pub(crate) mod nothing_lost;
pub(crate) mod progress;
pub(crate) mod revocation;
pub(crate) mod sequences;
