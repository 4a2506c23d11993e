//! The only door to clocks, operating-system randomness and blocking threads.
//!
//! ```text
//!              system()                      seeded(seed, clock)
//!  clock       tokio time, system wall clock  a SimulatedClock, moved by the test
//!  random      seeded from the OS             seeded by the test
//!  blocking    a thread pool                  inline
//! ```
//! Everything else takes time and randomness from here, so that a simulation replays from its seed.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use tokio::time::Instant;

/// Tells the time. Order, liveness and locks use [`Clock::monotonic`]; only certificates and display use the wall clock.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Time since an arbitrary start; never goes back. Follows tokio's time, also when that is paused.
    fn monotonic(&self) -> Duration;

    /// Milliseconds since 1970 UTC, as the host believes. May jump either way.
    fn wall_ms(&self) -> u64;
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The host's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Starts counting monotonic time now.
    #[must_use]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn wall_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, milliseconds)
    }
}

/// A clock whose wall time goes on from a chosen moment with tokio's time, and can be made to jump.
#[derive(Debug)]
pub struct SimulatedClock {
    started: Instant,
    wall_at_start_ms: AtomicU64,
}

impl SimulatedClock {
    /// A clock that says `wall_ms` now.
    #[must_use]
    pub fn new(wall_ms: u64) -> Self {
        Self { started: Instant::now(), wall_at_start_ms: AtomicU64::new(wall_ms) }
    }

    /// Makes the wall clock jump ahead, or back if negative. Reads no clock, so it may be called outside of the runtime whose
    /// time this clock follows.
    pub fn jump_ms(&self, ahead_ms: i64) {
        let jump = |at_start: u64| Some(at_start.saturating_add_signed(ahead_ms));
        let _ = self.wall_at_start_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, jump);
    }

    /// Makes the wall clock jump to `wall_ms`. Monotonic time is untouched.
    pub fn set_wall_ms(&self, wall_ms: u64) {
        let at_start_ms = wall_ms.saturating_sub(milliseconds(self.monotonic()));
        self.wall_at_start_ms.store(at_start_ms, Ordering::Relaxed);
    }
}

impl Clock for SimulatedClock {
    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn wall_ms(&self) -> u64 {
        self.wall_at_start_ms.load(Ordering::Relaxed).saturating_add(milliseconds(self.monotonic()))
    }
}

/// The source that every random generator of the process is drawn from.
#[derive(Clone)]
pub struct Random {
    root: Arc<Mutex<ChaCha20Rng>>,
}

impl Random {
    /// A source seeded with 256 bits from the operating system.
    ///
    /// # Panics
    /// When the operating system has no randomness: no key could be made safely.
    #[must_use]
    pub fn system() -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the operating system gives randomness");
        Self::from_seed(seed)
    }

    /// A source whose generators are the same in every run, in the order in which they are drawn.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self::from_seed(bytes)
    }

    fn from_seed(seed: [u8; 32]) -> Self {
        Self { root: Arc::new(Mutex::new(ChaCha20Rng::from_seed(seed))) }
    }

    /// A new generator, independent of all drawn before; good for keys.
    #[must_use]
    pub fn rng(&self) -> ChaCha20Rng {
        let mut seed = [0; 32];
        self.root.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut seed);
        ChaCha20Rng::from_seed(seed)
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

/// Where work runs that blocks: disk, or long computing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocking {
    /// On tokio's threads for blocking work.
    Threads,
    /// At once, in the caller's task: the order of a simulation must not depend on threads.
    Inline,
}

impl Blocking {
    /// Runs `work` and gives its result. A panic in it goes on in the caller.
    pub async fn run<T, F>(self, work: F) -> T
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        if self == Self::Inline {
            return work();
        }
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only a runtime that is shutting down drops blocking work; nobody will poll this again.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

/// Clock, randomness and blocking threads, handed to every part that needs them.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random generators.
    pub random: Random,
    /// Runs what blocks.
    pub blocking: Blocking,
}

impl Environment {
    /// The real one.
    ///
    /// # Panics
    /// When the operating system has no randomness.
    #[must_use]
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock::new()), random: Random::system(), blocking: Blocking::Threads }
    }

    /// One that behaves the same in every run with the same seed and clock.
    #[must_use]
    pub fn seeded(seed: u64, clock: Arc<dyn Clock>) -> Self {
        Self { clock, random: Random::seeded(seed), blocking: Blocking::Inline }
    }

    /// Time since an arbitrary start; never goes back.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Milliseconds since 1970 UTC, as the host believes.
    #[must_use]
    pub fn wall_ms(&self) -> u64 {
        self.clock.wall_ms()
    }

    /// A new random generator.
    #[must_use]
    pub fn rng(&self) -> ChaCha20Rng {
        self.random.rng()
    }

    /// Runs `work` where it may block; see [`Blocking::run`].
    pub async fn blocking<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.blocking.run(work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_generators_and_no_two_are_alike() {
        let draw = |seed| {
            let random = Random::seeded(seed);
            [random.rng().next_u64(), random.rng().next_u64()]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_ne!(draw(7)[0], draw(7)[1]);
        assert_ne!(Random::system().rng().next_u64(), Random::system().rng().next_u64());
    }

    #[test]
    fn a_simulated_wall_clock_jumps_and_monotonic_time_does_not() {
        let clock = SimulatedClock::new(1_000_000);
        let before = clock.monotonic();
        assert!(clock.wall_ms() >= 1_000_000);
        clock.set_wall_ms(5_000);
        assert!((5_000..1_000_000).contains(&clock.wall_ms()));
        assert!(clock.monotonic() >= before);
    }

    #[tokio::test]
    async fn blocking_work_gives_its_result_and_its_panic() {
        for blocking in [Blocking::Threads, Blocking::Inline] {
            assert_eq!(blocking.run(|| 6 * 7).await, 42);
            let panicking = tokio::spawn(blocking.run(|| panic!("on purpose")));
            assert!(panicking.await.is_err_and(|error| error.is_panic()));
        }
    }
}
