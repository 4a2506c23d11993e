//! Which hosts an overlay is for: one host, or all that have a role.

use std::fmt;
use std::sync::Arc;

use crate::wire::DecodeError;

/// The longest name of a host or a role: a DNS label's, as for hosts everywhere.
const NAME_BYTES: usize = 63;

/// For whom an overlay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OverlayKind {
    /// All hosts whose settings have the role.
    Role,
    /// The host with the name.
    Host,
}

impl OverlayKind {
    /// `role` or `host`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Host => "host",
        }
    }
}

/// Which overlay of a file: `host=web-1` or `role=db`. Names are ASCII, so there is one way to write each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Overlay {
    kind: OverlayKind,
    name: Arc<str>,
}

impl Overlay {
    /// The overlay for a host or a role with this name.
    ///
    /// # Errors
    /// When the name isn't 1 to 63 ASCII letters, digits, `-`, `_` and `.`.
    pub fn new(kind: OverlayKind, name: &str) -> Result<Self, DecodeError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > NAME_BYTES || !name.chars().all(plain) {
            let why = "a host's or role's name has 1 to 63 letters, digits, `-`, `_` and `.`";
            return Err(DecodeError::Invalid { what: "overlay", why });
        }
        Ok(Self { kind, name: name.into() })
    }

    /// For whom it is.
    #[must_use]
    pub fn kind(&self) -> OverlayKind {
        self.kind
    }

    /// The host's or the role's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl std::str::FromStr for Overlay {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let why = "an overlay is `host=NAME` or `role=NAME`";
        match text.split_once('=') {
            Some(("host", name)) => Self::new(OverlayKind::Host, name),
            Some(("role", name)) => Self::new(OverlayKind::Role, name),
            _ => Err(DecodeError::Invalid { what: "overlay", why }),
        }
    }
}

impl fmt::Display for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind.name(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_read_back_and_others_refused() {
        for text in ["host=web-1", "role=db", "role=Eu_west.1"] {
            assert_eq!(text.parse::<Overlay>().unwrap().to_string(), text);
        }
        let long = format!("host={}", "x".repeat(NAME_BYTES + 1));
        for text in ["", "web-1", "host=", "host", "zone=a", "host=a b", "host=a/b", "role=é", "host=a?b", &long] {
            assert!(text.parse::<Overlay>().is_err(), "{text}");
        }
    }
}
