//! Waiting for what must come true.

use std::time::{Duration, Instant};

use super::Mesh;

/// How long anything may take on a slow and busy machine before it counts as never.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until it gives a value; `Err` is what was seen the last time within the deadline.
pub(crate) fn poll<T>(mut look: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let end = Instant::now() + DEADLINE;
    loop {
        match look() {
            Ok(value) => return Ok(value),
            Err(seen) if Instant::now() > end => return Err(seen),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Looks until it gives a value; fails the test with what was seen and the daemons' last words.
#[track_caller]
pub(crate) fn eventually<T>(mesh: &Mesh, what: &str, look: impl FnMut() -> Result<T, String>) -> T {
    poll(look).unwrap_or_else(|seen| panic!("not within {DEADLINE:?}: {what}\nseen: {seen}\n{}", mesh.last_words()))
}

/// [`eventually`], where there is no mesh to quote from.
#[track_caller]
pub(crate) fn eventually_of<T>(what: &str, look: impl FnMut() -> Result<T, String>) -> T {
    poll(look).unwrap_or_else(|seen| panic!("not within {DEADLINE:?}: {what}\nseen: {seen}"))
}
