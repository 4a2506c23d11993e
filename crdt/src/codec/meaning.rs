//! What a tree means: its nodes by their logical paths, as one nested value.
//!
//! Compared with what [`Codec::read`] finds in the printed text, this is the test of a good render (P6).

use std::collections::BTreeMap;

use crate::codec::Codec;
use crate::path::{Path, Segment};
use crate::tree::{Content, Node, Shape};
use crate::value::Value;

/// The value of a whole tree: keys make tables, items make lists in the order in which the items first appear, trivia
/// mean nothing.
///
/// `None` if the nodes contradict each other (a path twice, a key below a scalar, a list with keys) or if a scalar's
/// text isn't one value of the format.
pub(crate) fn meaning(format: &dyn Codec, root: &Node) -> Option<Value> {
    let mut whole = Meaning::Unknown;
    add(format, &mut whole, root)?;
    whole.finish(format.keys_repeat())
}

/// A value under construction.
enum Meaning {
    Unknown,
    Scalar(Value),
    Table(BTreeMap<String, Meaning>),
    List { items: Vec<Meaning>, indexes: BTreeMap<String, usize> },
}

fn add(format: &dyn Codec, whole: &mut Meaning, node: &Node) -> Option<()> {
    let value = match &node.content {
        Content::Trivia(_) => return Some(()),
        Content::Scalar(text) => Meaning::Scalar(format.scalar(text)?),
        Content::Bytes(bytes) => Meaning::Scalar(Value::Bytes(bytes.clone())),
        Content::Container(Shape::Table) => Meaning::Table(BTreeMap::new()),
        Content::Container(Shape::List) => Meaning::empty_list(),
    };
    whole.at(&node.path)?.set(value)?;
    node.children.iter().try_for_each(|child| add(format, whole, child))
}

impl Meaning {
    fn empty_list() -> Self {
        Self::List { items: Vec::new(), indexes: BTreeMap::new() }
    }

    /// The place of a path, made with the tables and lists that lead to it.
    fn at(&mut self, path: &Path) -> Option<&mut Self> {
        path.0.iter().try_fold(self, Self::step)
    }

    fn step(&mut self, segment: &Segment) -> Option<&mut Self> {
        if matches!(self, Self::Unknown) {
            *self = match segment {
                Segment::Key(_) => Self::Table(BTreeMap::new()),
                Segment::Item(_) => Self::empty_list(),
                Segment::Trivia(_) => return None,
            };
        }
        match (self, segment) {
            (Self::Table(entries), Segment::Key(key)) => Some(entries.entry(key.clone()).or_insert(Self::Unknown)),
            (Self::List { items, indexes }, Segment::Item(id)) => {
                let index = *indexes.entry(id.clone()).or_insert(items.len());
                if index == items.len() {
                    items.push(Self::Unknown);
                }
                items.get_mut(index)
            }
            _ => None,
        }
    }

    /// A container's own node may come behind nodes inside it: TOML allows `[a]` behind `[a.b]`.
    fn set(&mut self, value: Self) -> Option<()> {
        match (&*self, &value) {
            (Self::Unknown, _) => *self = value,
            (Self::Table(_), Self::Table(_)) | (Self::List { .. }, Self::List { .. }) => {}
            _ => return None,
        }
        Some(())
    }

    /// Where keys may stand several times (`keys_repeat`), the only item of a list is the whole.
    fn finish(self, keys_repeat: bool) -> Option<Value> {
        match self {
            Self::Unknown => None,
            Self::Scalar(value) => Some(value),
            Self::Table(entries) => {
                let entries = entries.into_iter().map(|(key, meaning)| Some((key, meaning.finish(keys_repeat)?)));
                entries.collect::<Option<_>>().map(Value::Table)
            }
            Self::List { items, .. } => {
                let mut items: Vec<Value> =
                    items.into_iter().map(|item| item.finish(keys_repeat)).collect::<Option<_>>()?;
                if keys_repeat && items.len() == 1 { items.pop() } else { Some(Value::List(items)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::toml::Toml;
    use crate::tree::Decor;

    fn node(path: &str, content: Content) -> Node {
        Node::new(Path::decode(path).expect("a path"), "", content, Decor::default())
    }

    fn scalar(path: &str, text: &str) -> Node {
        node(path, Content::Scalar(text.into()))
    }

    fn meaning_of(shape: Shape, children: Vec<Node>) -> Option<Value> {
        let mut root = node("", Content::Container(shape));
        root.children = children;
        meaning(&Toml, &root)
    }

    #[test]
    fn paths_nest_wherever_their_nodes_stand() {
        let children = vec![
            scalar(".a.b@x@y", "1"),
            scalar(".a.b@z", "2"),
            scalar(".a.b@x@w", "3"),
            node(".a", Content::Container(Shape::Table)),
            node(".a!0", Content::Trivia("# not a value\n".into())),
            node(".c", Content::Container(Shape::List)),
        ];
        let expected = Toml.scalar("{ a = { b = [[1, 3], 2] }, c = [] }");
        assert_eq!(meaning_of(Shape::Table, children), expected);
    }

    #[test]
    fn a_root_may_be_a_list_or_a_scalar() {
        let items = vec![scalar("@1", "true"), scalar("@0", "false")];
        assert_eq!(meaning_of(Shape::List, items), Toml.scalar("[true, false]"));
        assert_eq!(meaning(&Toml, &scalar("", "5")), Some(Value::Integer(5)));
    }

    #[test]
    fn contradictions_have_no_meaning() {
        for children in [
            vec![scalar(".a", "1"), scalar(".a", "1")],
            vec![scalar(".a", "1"), scalar(".a.b", "1")],
            vec![scalar(".a.b", "1"), scalar(".a", "1")],
            vec![scalar(".a.b", "1"), scalar(".a@0", "1")],
            vec![scalar(".a", "1 # and a comment")],
            vec![node(".a", Content::Container(Shape::List)), scalar(".a.b", "1")],
        ] {
            assert_eq!(meaning_of(Shape::Table, children.clone()), None, "{children:?}");
        }
    }
}
