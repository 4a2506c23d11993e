use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment of somebody's wall clock, in milliseconds since 1970; for display only, never for order.
///
/// In JSON: RFC 3339 in UTC with three decimals, `2026-01-02T03:04:05.678Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time {
    ms: i64,
}

impl Time {
    /// The moment this many milliseconds after 1970. Anything past the year 9999 becomes its last moment: a foreign
    /// clock may say what it likes.
    #[must_use]
    pub fn from_ms(wall_ms: u64) -> Self {
        let last = Timestamp::MAX.as_millisecond();
        Self { ms: i64::try_from(wall_ms).map_or(last, |ms| ms.min(last)) }
    }

    /// Milliseconds since 1970; 0 for what was before.
    #[must_use]
    pub fn as_ms(self) -> u64 {
        u64::try_from(self.ms).unwrap_or(0)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp = Timestamp::from_millisecond(self.ms).unwrap_or(Timestamp::MAX);
        write!(f, "{timestamp:.3}")
    }
}

impl FromStr for Time {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        Ok(Self { ms: text.parse::<Timestamp>()?.as_millisecond() })
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_rfc_3339_in_utc() {
        let time = Time::from_ms(1_767_323_045_678);
        assert_eq!(time.to_string(), "2026-01-02T03:04:05.678Z");
        assert_eq!(time.to_string().parse::<Time>().unwrap(), time);
    }

    #[test]
    fn a_foreign_clock_may_say_anything() {
        for ms in [0, 1, u64::MAX, i64::MAX.unsigned_abs(), 253_402_207_200_000] {
            let time = Time::from_ms(ms);
            assert_eq!(time.to_string().parse::<Time>().unwrap(), time, "{ms}");
        }
    }
}
