//! Random texts and edits of them.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::limits;

/// Keys of all kinds, without quotes.
fn keys() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_-]{1,3}", "[0-9 .\"'\\\\:#&*?|>%@`,\\[\\]{}é~-]{0,4}", any::<String>()]
}

/// Values that YAML has a form for.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::String),
        "[a\"'\\\\\n\t\r\u{0}\u{7f}\u{85}\u{2028}\u{feff}#: -]{0,6}".prop_map(Value::String),
        select(vec!["yes", "No", "null", "~", "1_0", "0o7", "1e3", "12:30", "2001-01-01", "<<", "=", "---", ".", "on"])
            .prop_map(|text| Value::String(text.into())),
        any::<i128>().prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Float),
        any::<bool>().prop_map(Value::Boolean),
        Just(Value::Null),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::List),
            vec((keys(), inner), 0..4)
                .prop_map(|entries| Value::Table(entries.into_iter().collect::<BTreeMap<_, _>>())),
        ]
    })
}

/// Values as a person might write them, in a block that is indented by this many spaces.
fn literal(number: usize, indent: usize) -> String {
    let space = " ".repeat(indent + 2);
    match number % 24 {
        0 => String::new(),
        1 => " 1".into(),
        2 => " a b".into(),
        3 => " \"x # y\" # c".into(),
        4 => " 'it''s'".into(),
        5 => format!(" |\n{space}t\n\n{space}  u"),
        6 => format!(" >-  # c\n{space}t\n{space}u\n"),
        7 => format!(" |+\n{space}t\n\n"),
        8 => " [1, {a: b}, 'c']".into(),
        9 => format!(" {{\n{space}a: 1, # c\n\n{space}b: [2],\n{}}}", " ".repeat(indent)),
        10 => format!(" p\n{space}q # c"),
        11 => format!(" \"p\n\n{space}q\""),
        12 => " !t x".into(),
        13 => " !!str 1".into(),
        14 => " ~".into(),
        15 => "\t{}".into(),
        16 => "   []  ".into(),
        17 => " 0x1F".into(),
        18 => format!("\n{space}below"),
        19 => format!(" # c\n{space}\"below\" # d"),
        20 => format!(" !u\n{space}a: 1\n{space}# c\n{space}b:"),
        21 => " http://x:8/#y".into(),
        22 => format!(" |2-\n{space} t\n   \n{space}u"),
        _ => " -1.5e3".into(),
    }
}

/// A block at an indentation, from a stream of choices.
struct Writer<'a> {
    choices: std::slice::Iter<'a, u8>,
    text: String,
}

impl Writer<'_> {
    fn choice(&mut self) -> usize {
        self.choices.next().copied().unwrap_or_default().into()
    }

    fn gap(&mut self, indent: usize) {
        let space = " ".repeat(indent);
        match self.choice() % 12 {
            0 => self.text.push('\n'),
            1 => self.text.push_str(&format!("{space}# c\n")),
            2 => self.text.push_str(&format!("\n{space}# c\n{space}# d\n\n")),
            3 => self.text.push_str("# far out\n"),
            4 => self.text.push_str(&format!("{space}    # far in\n  \n")),
            _ => {}
        }
    }

    /// Entries of a table or a list; `here` is on the line of a dash.
    fn block(&mut self, indent: usize, depth: usize, here: bool) {
        let is_list = self.choice().is_multiple_of(3);
        let count = self.choice() % 4 + 1;
        let first = self.choice();
        for number in 0..count {
            if number > 0 || !here {
                self.gap(indent);
                self.text.push_str(&" ".repeat(indent));
            }
            if is_list {
                self.item(indent, depth);
            } else {
                let key = ["a", "b", "\"c d\"", "'e'", "<<", "f.g", "1", "name"][(first + number) % 8];
                self.text.push_str(key);
                if self.choice().is_multiple_of(9) {
                    self.text.push(' ');
                }
                self.text.push(':');
                self.value(indent, depth);
            }
        }
    }

    fn item(&mut self, indent: usize, depth: usize) {
        self.text.push('-');
        if depth > 0 && self.choice().is_multiple_of(3) {
            let blanks = self.choice() % 3 + 1;
            self.text.push_str(&" ".repeat(blanks));
            self.block(indent + 1 + blanks, depth - 1, true);
        } else {
            self.value(indent, depth);
        }
    }

    fn value(&mut self, indent: usize, depth: usize) {
        if depth > 0 && self.choice().is_multiple_of(3) {
            let trail = ["\n", " # c\n", "  \n"][self.choice() % 3];
            self.text.push_str(trail);
            let deeper = indent + self.choice() % 4 + 1;
            self.block(deeper, depth - 1, false);
        } else {
            let number = self.choice();
            self.text.push_str(&literal(number, indent));
            self.text.push('\n');
        }
    }
}

/// Valid YAML texts.
fn documents() -> impl Strategy<Value = String> {
    vec(any::<u8>(), 0..90).prop_map(|choices| {
        let mut writer = Writer { choices: choices.iter(), text: String::new() };
        let count = [1, 1, 1, 2, 3][writer.choice() % 5];
        for number in 0..count {
            match writer.choice() % 6 {
                0 => writer.text.push_str("---\n"),
                1 if number > 0 => writer.text.push_str("...\n# d\n---  # e\n"),
                _ if number > 0 => writer.text.push_str("---\n"),
                _ => {}
            }
            let indent = [0, 0, 0, 2][writer.choice() % 4];
            writer.block(indent, 3, false);
        }
        writer.gap(0);
        writer.text
    })
}

/// Every path of the tree, and new ones beside them.
fn new_path(root: &Node, near: Index, up: usize, keys: &[&str]) -> Path {
    let nodes = nodes(root);
    let mut path = nodes[near.index(nodes.len())].path.clone();
    path.0.truncate(path.0.len().saturating_sub(up));
    for key in keys {
        path.0.push(key.strip_prefix('@').map_or_else(|| Segment::Key((*key).into()), |id| Segment::Item(id.into())));
    }
    path
}

/// Checks all that a text and a tree must have in common.
fn check_same(text: &str, root: &Node) -> Result<(), TestCaseError> {
    prop_assert_eq!(Yaml.print(root), text);
    prop_assert_eq!(meaning(&Yaml, root), Yaml.read(text).ok(), "{}", text);
    Ok(())
}

proptest! {
    #![proptest_config(crate::testing::cases(256))]

    #[test]
    fn random_documents_tile(text in documents()) {
        check_same(&text, &parse(&text))?;
    }

    #[test]
    fn broken_documents_are_refused_without_a_panic(
        text in documents(), splice in any::<(Index, Index)>(), junk in "[\\[\\]{}\"'\\\\:.#,\r\n\t a1é\u{0}\u{feff}&*!|>?%@-]{0,6}",
    ) {
        let (from, to) = (splice.0.index(text.len() + 1), splice.1.index(text.len() + 1));
        let (from, to) = (text.floor_char_boundary(from.min(to)), text.floor_char_boundary(from.max(to)));
        for broken in [format!("{}{junk}{}", &text[..from], &text[to..]), format!("{}{junk}\n", &text[..from])] {
            match Yaml.parse(&broken) {
                Ok(root) => check_same(&broken, &root)?,
                Err(ParseError::Syntax(error)) => prop_assert!(Yaml.read(&broken).is_err(), "{}: {}", error, broken),
                Err(ParseError::Untileable { .. }) => {}
            }
            Yaml.scalar(&broken);
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in any::<String>()) {
        prop_assert!(Yaml.parse(&text).is_err() || Yaml.read(&text).is_ok());
        Yaml.scalar(&text);
    }

    #[test]
    fn a_scalar_is_replaced_alone(text in documents(), index in any::<Index>()) {
        let Ok(root) = Yaml.parse(&text) else { return Ok(()) };
        let count = scalar_count(&root);
        if count > 0 {
            check_replaced(&root, &text, index.index(count));
        }
    }

    /// Whatever is taken out, moved, or indented otherwise: the file means what the tree means.
    #[test]
    fn changed_trees_print_what_they_mean(
        text in documents(), other in documents(), edits in vec((0..7, any::<Index>(), any::<Index>()), 1..5),
    ) {
        let (Ok(mut root), Ok(other)) = (Yaml.parse(&text), Yaml.parse(&other)) else { return Ok(()) };
        for (kind, at, to) in edits {
            change(&mut root, &other, kind, at, to);
        }
        let printed = Yaml.print(&root);
        if let Some(meant) = meaning(&Yaml, &root) && root.content != Content::Container(Shape::List) {
            prop_assert_eq!(Yaml.read(&printed), Ok(meant), "{}\n{}", text, printed);
        }
    }

    #[test]
    fn an_inserted_key_is_the_only_new_one(
        text in documents(), near in any::<Index>(), up in 0usize..3,
        keys in vec(select(vec!["a", "b", "new", "x y", "é", "@0", "@new", "no"]), 1..4), value in values(),
    ) {
        let Ok(root) = Yaml.parse(&text) else { return Ok(()) };
        let Some(literal) = literal::literal(&value) else { return Ok(()) };
        let path = new_path(&root, near, up, &keys);
        let mut longer = root.clone();
        if Yaml.insert(&mut longer, &path, &literal).is_err() {
            prop_assert_eq!(longer, root);
            return Ok(());
        }
        let printed = Yaml.print(&longer);
        prop_assert!(longer.find(&path).is_some());
        prop_assert_eq!(Yaml.read(&printed).ok(), meaning(&Yaml, &longer), "{}\n+ {}\n{}", text, path, printed);
        let again = parse(&printed);
        prop_assert_eq!(nodes(&again).len(), nodes(&longer).len(), "{}", printed);
    }

    #[test]
    fn literals_mean_their_value(value in values()) {
        let text = literal::literal(&value).expect("YAML has a form for it");
        prop_assert!(!text.contains('\n'));
        prop_assert_eq!(Yaml.scalar(&text), Some(value), "{}", text);
    }

    #[test]
    fn labels_mean_their_key(key in keys()) {
        prop_assume!(key.len() < limits::PATH_BYTES / 2);
        let text = format!("{}: 1\n", Yaml.label(&[Segment::Key(key.clone())]));
        let expected = Value::Table(BTreeMap::from([(key, Value::Integer(1))]));
        prop_assert_eq!(Yaml.read(&text), Ok(expected.clone()), "{}", text);
        prop_assert_eq!(Yaml.parse(&text).ok().and_then(|root| meaning(&Yaml, &root)), Some(expected), "{}", text);
    }

    /// The short way and the long way to a scalar's meaning lead to the same.
    #[test]
    fn simple_scalars_mean_what_the_readers_say(text in "(\"[a-z:# -]{0,5}\"|'[a-z:# -]{0,5}'|[a-z0-9_./ -]{0,6})") {
        if let Some(value) = Yaml.scalar(&text) {
            let framed = format!("k: {text}\n");
            prop_assert_eq!(Yaml.read(&framed), Ok(Value::Table(BTreeMap::from([("k".into(), value.clone())]))));
            let documents = syntax::documents(&framed).unwrap();
            prop_assert_eq!(documents[0].node.value(), Some(Value::Table(BTreeMap::from([("k".into(), value)]))));
        }
    }
}

fn change(root: &mut Node, other: &Node, kind: i32, at: Index, to: Index) {
    let paths: Vec<Path> = nodes(root).iter().map(|node| node.path.clone()).collect();
    let Some(node) = root.find_mut(&paths[at.index(paths.len())]) else { return };
    let count = node.children.len();
    match kind {
        0 if count > 0 => drop(node.children.remove(to.index(count))),
        1 if count > 1 => node.children.rotate_left(to.index(count)),
        2 if count > 1 => node.children.swap(0, to.index(count)),
        3 => node.decor.indent = ["", "  ", "    ", " "][to.index(4)].into(),
        // What another host wrote meets what this one did: spacing of one value with another.
        4 | 5 => {
            let others = nodes(other);
            let theirs = others[to.index(others.len())];
            if !node.path.is_root() && !node.path.is_trivia() && !theirs.path.is_trivia() && !theirs.path.is_root() {
                if kind == 4 {
                    node.decor = theirs.decor.clone();
                } else if let (Content::Scalar(_), Content::Scalar(text)) = (&node.content, &theirs.content) {
                    node.content = Content::Scalar(text.clone());
                }
            }
        }
        _ => {
            let comments = nodes(other).into_iter().find(|node| node.path.is_trivia());
            if let (Some(comment), Content::Container(_)) = (comments, &node.content) {
                let path = node.path.child(Segment::Trivia("other".into()));
                if !node.children.iter().any(|child| child.path == path) {
                    node.children.insert(to.index(count + 1), Node { path, ..comment.clone() });
                }
            }
        }
    }
}
