//! The log: on stderr, filtered by what can be changed while the daemon runs; its last lines are kept for a bug report.
//!
//! ```text
//!  events ──▶ filter (replaceable) ──▶ one line of text ──┬──▶ stderr
//!                                                         └──▶ the last lines, in memory
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use murmurate_client::types::{ApiError, ErrorCode, LogFilter, LogLines, V1};
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::settings::Setting;

/// Lines that are kept: at the default level the last hours of a calm mesh, or the last minutes before something broke.
const KEPT_LINES: usize = 1_000;
/// Bytes of the kept lines together; long lines push more of the old ones out.
const KEPT_BYTES: usize = 256 << 10;

/// The process's log. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    filter: Mutex<LogFilter>,
    replace: Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>,
    lines: Lines,
}

impl Log {
    /// Begins to log on stderr, for the whole process.
    ///
    /// # Errors
    /// When the filter makes no sense, or the process logs already.
    pub fn start(filter: &Setting<String>) -> Result<Self, ApiError> {
        let parsed = parse(&filter.value, &format!("from {}", filter.source))?;
        let lines = Lines::default();
        let writer = Writers { lines: lines.clone() };
        let log = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(writer)
            .with_env_filter(parsed)
            .with_filter_reloading();
        let handle = log.reload_handle();
        log.try_init().map_err(|error| ApiError::internal("start the log", error.to_string()))?;
        let replace = move |filter| handle.reload(filter).map_err(|error| error.to_string());
        Ok(Self::new(&filter.value, lines, replace))
    }

    /// A log that nothing is written to, for a daemon within another program.
    #[must_use]
    pub fn detached(filter: &str) -> Self {
        Self::new(filter, Lines::default(), |_| Ok(()))
    }

    fn new(
        filter: &str,
        lines: Lines,
        replace: impl Fn(EnvFilter) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let filter = LogFilter { v: V1, filter: filter.to_owned(), setting: filter.to_owned() };
        Self { shared: Arc::new(Shared { filter: Mutex::new(filter), replace: Box::new(replace), lines }) }
    }

    /// What is logged now.
    #[must_use]
    pub fn filter(&self) -> LogFilter {
        lock(&self.shared.filter).clone()
    }

    /// Logs something else from now on, until the daemon ends.
    ///
    /// # Errors
    /// When the filter makes no sense; the former one stays.
    pub fn set(&self, filter: &str) -> Result<LogFilter, ApiError> {
        let parsed = parse(filter, "as asked for")?;
        let mut present = lock(&self.shared.filter);
        (self.shared.replace)(parsed).map_err(|why| ApiError::internal("change the log filter", why))?;
        present.filter = filter.to_owned();
        Ok(present.clone())
    }

    /// Takes over the filter that the settings have now.
    ///
    /// # Errors
    /// When the filter makes no sense; the former one stays.
    pub(super) fn reset(&self, filter: &str) -> Result<(), ApiError> {
        self.set(filter)?;
        lock(&self.shared.filter).setting = filter.to_owned();
        Ok(())
    }

    /// The last lines.
    #[must_use]
    pub fn lines(&self) -> LogLines {
        let kept = lock(&self.shared.lines.kept);
        LogLines { v: V1, lines: kept.lines.iter().cloned().collect(), dropped: kept.dropped }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("filter", &self.filter().filter).finish_non_exhaustive()
    }
}

/// Reads a filter. A lone word must be a level: as a target it would hide a slip of the keyboard.
fn parse(filter: &str, source: &str) -> Result<EnvFilter, ApiError> {
    let bad = |why: String| {
        ApiError::new(
            ErrorCode::BadSetting,
            format!("use the log filter `{}` ({source})", filter.escape_debug()),
            why,
            "write a level (off, error, warn, info, debug, trace), or a filter, like `info,murmurate_net=debug`",
        )
    };
    for word in filter.split(',').map(str::trim).filter(|word| !word.contains(['=', '['])) {
        if word.parse::<LevelFilter>().is_err() || word.is_empty() {
            return Err(bad(format!("`{}` is no level", word.escape_debug())));
        }
    }
    EnvFilter::try_new(filter).map_err(|error| bad(error.to_string()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last lines, shared by all threads that log.
#[derive(Clone, Default)]
struct Lines {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<String>,
    bytes: usize,
    dropped: u64,
}

impl Kept {
    fn push(&mut self, line: &str) {
        let line = &line[..line.floor_char_boundary(KEPT_BYTES)];
        while self.lines.len() == KEPT_LINES || self.bytes + line.len() > KEPT_BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.len();
            self.dropped += 1;
        }
        self.bytes += line.len();
        self.lines.push_back(line.to_owned());
    }
}

/// Gives each event its way out.
struct Writers {
    lines: Lines,
}

impl<'a> MakeWriter<'a> for Writers {
    type Writer = Tee;

    fn make_writer(&'a self) -> Tee {
        Tee { kept: None }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Tee {
        Tee { kept: is_kept(event.target(), *event.level()).then(|| self.lines.clone()) }
    }
}

/// Lines for debugging, and those of libraries, may quote what documents hold; they don't belong into a bug report.
fn is_kept(target: &str, level: Level) -> bool {
    level <= Level::INFO && target.split("::").next().is_some_and(|name| name.starts_with("murmurate"))
}

/// Takes one line, as the formatter writes it, to stderr and to what is kept.
struct Tee {
    kept: Option<Lines>,
}

impl Write for Tee {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(lines) = &self.kept {
            lock(&lines.kept).push(String::from_utf8_lossy(line).trim_end());
        }
        io::stderr().write_all(line).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_checked_before_it_is_used() {
        let log = Log::detached("info");
        for good in ["debug", "INFO", "info,murmurate_net=debug", "off", "warn,murmurate[span]=trace"] {
            assert_eq!(log.set(good).unwrap().filter, good);
        }
        for bad in ["", "inof", "info,", "info,murmurate", "a=b=c", "murmurate=loud"] {
            let error = log.set(bad).unwrap_err();
            assert_eq!((error.code, error.exit), (ErrorCode::BadSetting, 2), "{bad}");
        }
        assert_eq!(log.filter().filter, "warn,murmurate[span]=trace");
        assert_eq!(log.filter().setting, "info");
        log.reset("debug").unwrap();
        assert_eq!(log.filter().setting, "debug");
    }

    #[test]
    fn what_may_quote_a_document_is_not_kept() {
        assert!(is_kept("murmurate::daemon::core", Level::INFO) && is_kept("murmurate_net", Level::ERROR));
        assert!(!is_kept("murmurate_net", Level::DEBUG) && !is_kept("automerge", Level::ERROR));
    }

    #[test]
    fn the_last_lines_are_kept_within_bounds() {
        let mut kept = Kept::default();
        for index in 0..KEPT_LINES + 5 {
            kept.push(&index.to_string());
        }
        assert_eq!((kept.lines.len(), kept.lines[0].as_str(), kept.dropped), (KEPT_LINES, "5", 5));
        kept.push(&"ü".repeat(KEPT_BYTES));
        assert_eq!((kept.lines.len(), kept.bytes), (1, KEPT_BYTES));
        kept.push("after");
        assert_eq!((kept.lines.len(), kept.bytes), (1, "after".len()));
    }
}
