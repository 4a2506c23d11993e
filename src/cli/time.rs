//! Times and durations for people.

use std::time::Duration;

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

/// `500ms`, `30s`, `5m`, `1h`; a bare number is seconds.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "" | "s" => SECOND_MS,
        "m" => MINUTE_MS,
        "h" => HOUR_MS,
        _ => return Err("write a duration as `500ms`, `30s`, `5m` or `1h`".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write a duration as `500ms`, `30s`, `5m` or `1h`".to_owned())?;
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(|| "that is too long".to_owned())
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

    #[test]
    fn durations_are_read() {
        for (text, ms) in [("500ms", 500), ("30", 30_000), ("30s", 30_000), ("5m", 300_000), ("1h", HOUR_MS), ("0", 0)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)));
        }
        for text in ["", "s", "-1", "1.5s", "1d", "99999999999999999999", "9999999999999999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
