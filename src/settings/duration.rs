//! Durations, as people write them.

use std::time::Duration;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

const DURATION_FORMS: &str = "write a duration as `500ms`, `30s`, `5m`, `1h` or `7d`";

/// `500ms`, `30s`, `5m`, `1h`, `7d`; a bare number is seconds.
///
/// # Errors
/// In words, when it is none of these.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "" | "s" => SECOND_MS,
        "m" => MINUTE_MS,
        "h" => HOUR_MS,
        "d" => DAY_MS,
        _ => return Err(DURATION_FORMS.to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| DURATION_FORMS.to_owned())?;
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(|| "that is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, ms) in [
            ("500ms", 500),
            ("30", 30_000),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h", HOUR_MS),
            ("0", 0),
            ("7d", 7 * DAY_MS),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)));
        }
        for text in ["", "s", "-1", "1.5s", "1w", "99999999999999999999", "9999999999999999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
