//! Bounded memory: whatever the faults, no more waits than the limits allow.

use crate::sim::host::Host;

pub(crate) fn check(host: &Host, waiting_bytes_per_peer: usize) {
    let Some(engine) = &host.engine else { return };
    let held = engine.held();
    assert!(held.waiting_bytes <= 2 * waiting_bytes_per_peer, "host {}: {held:?}", host.number);
}
