//! Whether a daemon runs: shared by all that it stands on, so that all of it stops within one operation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// On at first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Switch(Arc<AtomicBool>);

impl Switch {
    /// Whether it was switched off.
    pub(crate) fn is_off(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// From now on nothing that the daemon does has any effect.
    pub(crate) fn off(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn on(&self) {
        self.0.store(false, Ordering::Release);
    }
}
