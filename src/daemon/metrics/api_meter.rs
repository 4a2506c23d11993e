//! What the local API counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use murmurate_protocol::Histogram;

use super::limits::OPERATIONS;
use super::sheet::Sheet;
use super::table;

/// The methods that operations have; others are counted together.
const METHODS: [&str; 4] = ["GET", "PUT", "POST", "DELETE"];
/// The classes of a status: 1xx to 5xx.
const STATUSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// What goes beyond.
const OTHER: &str = "other";

/// Requests of one operation, by method and status.
type Operation = [[u64; STATUSES.len()]; METHODS.len() + 1];

#[derive(Debug, Default)]
struct Requests {
    operations: BTreeMap<String, Box<Operation>>,
    times: Histogram,
}

/// Requests and connections. Shared by all connections; a request takes its lock once, for less than a microsecond.
#[derive(Debug, Default)]
pub(crate) struct ApiMeter {
    requests: Mutex<Requests>,
    connections: AtomicUsize,
    refused: AtomicU64,
}

impl ApiMeter {
    /// A request to a path that there is was answered.
    pub(crate) fn answered(&self, method: &str, path: &str, status: u16, took: Duration) {
        let method = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len());
        let status = usize::from(status / 100).clamp(1, STATUSES.len()) - 1;
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.times.observe(took);
        let is_room = requests.operations.len() < OPERATIONS;
        let name = if is_room || requests.operations.contains_key(path) { path } else { OTHER };
        if !requests.operations.contains_key(name) {
            requests.operations.insert(name.to_owned(), Box::default());
        }
        if let Some(operation) = requests.operations.get_mut(name) {
            operation[method][status] += 1;
        }
    }

    /// So many connections are open now.
    pub(crate) fn connected(&self, count: usize) {
        self.connections.store(count, Ordering::Relaxed);
    }

    /// A connection was refused because too many are open.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Puts all that was counted on a sheet.
    pub(crate) fn fill(&self, sheet: &mut Sheet) {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, operation) in &requests.operations {
            for (method, statuses) in METHODS.into_iter().chain([OTHER]).zip(operation.iter()) {
                for (status, &count) in STATUSES.into_iter().zip(statuses).filter(|(_, count)| **count > 0) {
                    sheet.count(&table::API_REQUESTS, &[method, name, status], count);
                }
            }
        }
        sheet.times(&table::API_REQUEST, &[], &requests.times);
        sheet.count(&table::API_REFUSED, &[], self.refused.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_bounded_and_odd_methods_counted_together() {
        let meter = ApiMeter::default();
        for number in 0..2 * OPERATIONS {
            meter.answered("BREW", &format!("/v1/{number}"), 999, Duration::ZERO);
        }
        meter.answered("GET", "/v1/0", 200, Duration::ZERO);
        let requests = meter.requests.lock().unwrap();
        assert_eq!(requests.operations.len(), OPERATIONS + 1);
        assert_eq!(requests.operations[OTHER][METHODS.len()][4], OPERATIONS as u64);
        assert_eq!(requests.operations["/v1/0"][0][1], 1);
        assert_eq!(requests.times.count(), 2 * OPERATIONS as u64 + 1);
    }
}
