//! Times and durations for people.

use murmurate_client::types::Time;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// `8s ago`; the future, which clocks of other hosts may show, is `in 8s`.
pub(super) fn relative(time: Time, now: Time) -> String {
    match (time.as_ms(), now.as_ms()) {
        (time, now) if time <= now => format!("{} ago", span(now - time)),
        (time, now) => format!("in {}", span(time - now)),
    }
}

/// [`relative`], or nothing.
pub(super) fn relative_if_any(time: Option<Time>, now: Time) -> String {
    time.map(|time| relative(time, now)).unwrap_or_default()
}

/// The largest unit that fits, whole.
pub(super) fn span(ms: u64) -> String {
    match ms {
        0..SECOND_MS => format!("{ms}ms"),
        SECOND_MS..MINUTE_MS => format!("{}s", ms / SECOND_MS),
        MINUTE_MS..HOUR_MS => format!("{}m", ms / MINUTE_MS),
        HOUR_MS..DAY_MS => format!("{}h", ms / HOUR_MS),
        _ => format!("{}d", ms / DAY_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_one_unit() {
        for (ms, text) in [(0, "0ms"), (999, "999ms"), (1_000, "1s"), (59_999, "59s"), (60_000, "1m"), (DAY_MS, "1d")] {
            assert_eq!(span(ms), text);
        }
        let time = Time::from_ms;
        assert_eq!(relative(time(1_000), time(9_500)), "8s ago");
        assert_eq!(relative(time(9_500), time(1_000)), "in 8s");
    }
}
