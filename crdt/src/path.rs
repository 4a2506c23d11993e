//! Where a key, a list item or a free-standing comment stands in a file.

use std::fmt;

/// One step down from a table or a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A key of a table, as its parser reads it (without quotes and escapes).
    Key(String),
    /// An item of a list, by its id. In a tree fresh from a parser, the item's index in decimal.
    Item(String),
    /// A comment block or a run of blank lines that belongs to no key, by its id; likewise an index when fresh.
    Trivia(String),
}

/// The steps from the root of a file. The empty path is the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Path(pub Vec<Segment>);

impl Path {
    /// The root of a file.
    pub const ROOT: Self = Self(Vec::new());

    /// This path and one step more.
    #[must_use]
    pub fn child(&self, segment: Segment) -> Self {
        let mut segments = Vec::with_capacity(self.0.len() + 1);
        segments.extend_from_slice(&self.0);
        segments.push(segment);
        Self(segments)
    }

    /// This path and a key more.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.child(Segment::Key(key.into()))
    }

    /// The path one step up; `None` at the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Some(Self(above.to_vec()))
    }

    /// The last step; `None` at the root.
    #[must_use]
    pub fn last(&self) -> Option<&Segment> {
        self.0.last()
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `self` is `ancestor` or below it.
    #[must_use]
    pub fn starts_with(&self, ancestor: &Self) -> bool {
        self.0.starts_with(&ancestor.0)
    }

    /// Whether the last step is a free-standing comment.
    #[must_use]
    pub fn is_trivia(&self) -> bool {
        matches!(self.last(), Some(Segment::Trivia(_)))
    }

    /// The path as text for register names: one sigil a step (`.` key, `@` item, `!` comment), `~` escapes.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        for segment in &self.0 {
            let (sigil, name) = match segment {
                Segment::Key(name) => ('.', name),
                Segment::Item(name) => ('@', name),
                Segment::Trivia(name) => ('!', name),
            };
            text.push(sigil);
            for character in name.chars() {
                match character {
                    '~' => text.push_str("~0"),
                    '.' => text.push_str("~1"),
                    '@' => text.push_str("~2"),
                    '!' => text.push_str("~3"),
                    other => text.push(other),
                }
            }
        }
        text
    }

    /// Reads what [`Self::encode`] wrote; `None` for anything else.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let mut segments: Vec<Segment> = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let name = match character {
                '.' => Some(Segment::Key(String::new())),
                '@' => Some(Segment::Item(String::new())),
                '!' => Some(Segment::Trivia(String::new())),
                _ => None,
            };
            if let Some(segment) = name {
                segments.push(segment);
                continue;
            }
            let plain = match character {
                '~' => match characters.next()? {
                    '0' => '~',
                    '1' => '.',
                    '2' => '@',
                    '3' => '!',
                    _ => return None,
                },
                other => other,
            };
            let (Segment::Key(name) | Segment::Item(name) | Segment::Trivia(name)) = segments.last_mut()?;
            name.push(plain);
        }
        Some(Self(segments))
    }
}

/// Paths are ordered as their steps are, so a map by path can be asked for any part of one.
impl std::borrow::Borrow<[Segment]> for Path {
    fn borrow(&self) -> &[Segment] {
        &self.0
    }
}

/// For logs; what users see and type is written by [`crate::key`].
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segments() -> impl Strategy<Value = Segment> {
        prop_oneof![
            any::<String>().prop_map(Segment::Key),
            any::<String>().prop_map(Segment::Item),
            "[.@!~a]{0,4}".prop_map(Segment::Key),
            any::<String>().prop_map(Segment::Trivia),
        ]
    }

    proptest! {
        #![proptest_config(crate::testing::cases(256))]

        #[test]
        fn paths_are_read_back(segments in proptest::collection::vec(segments(), 0..5)) {
            let path = Path(segments);
            prop_assert_eq!(Path::decode(&path.encode()), Some(path));
        }
    }
}
