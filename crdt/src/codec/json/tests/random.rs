use super::*;
use crate::codec::{ParseError, read};
use crate::tree::{Decor, INDENT};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::collections::BTreeMap;
use std::ops::Range;

fn gaps() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        " ",
        "  ",
        "\t",
        "\n",
        "\n  ",
        "\n    ",
        "\n\n",
        "\n \n  ",
        "\r\n",
        "\r",
        "// c\n",
        "// /* \"x\": 1,\r",
        "/* b */",
        "/*é*/",
        "/* // */",
        "/* x\n\n   y */",
        "\n  // d\n\n  ",
    ]);
    prop_oneof![3 => Just(String::new()), 2 => Just("\n  ".into()), 3 => vec(pieces, 0..4).prop_map(|pieces| pieces.concat())]
}

fn scalars() -> impl Strategy<Value = String> {
    let fixed = select(vec![
        "0",
        "-0",
        "1.50",
        "1e3",
        "98765432109876543210",
        "true",
        "false",
        "null",
        "\"\"",
        r#""\u00e9\n\ud83d\ude00""#,
        r#""// no { comment""#,
    ]);
    prop_oneof![fixed.prop_map(String::from), any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap())]
}

fn keys() -> impl Strategy<Value = String> {
    select(vec![r#""a""#, r#""b""#, r#""c.d""#, r#""\u0065""#, r#""""#, r#""é\"""#, r#"" ""#, r#""@~!""#])
        .prop_map(String::from)
}

fn container(open: char, children: Vec<String>, trailing: bool, close: &str) -> String {
    let comma = if trailing && !children.is_empty() { "," } else { "" };
    let end = if open == '{' { '}' } else { ']' };
    format!("{open}{}{comma}{close}{end}", children.join(","))
}

/// A list or an object with a number of children within `count`.
fn containers_of(inner: BoxedStrategy<String>, count: Range<usize>) -> BoxedStrategy<String> {
    let item = (gaps(), inner.clone(), gaps()).prop_map(|(lead, value, trail)| lead + &value + &trail);
    let gaps_of_entry = (gaps(), gaps(), gaps(), gaps());
    let entry = (keys(), gaps_of_entry, inner).prop_map(|(key, (lead, before, behind, trail), value)| {
        (key.clone(), format!("{lead}{key}{before}:{behind}{value}{trail}"))
    });
    let entries = vec(entry, count.clone()).prop_map(|entries| {
        let unique: BTreeMap<_, _> = entries.into_iter().collect();
        unique.into_values().rev().collect()
    });
    prop_oneof![(Just('['), vec(item, count)), (Just('{'), entries)]
        .prop_flat_map(|(open, children)| (Just(open), Just(children), any::<bool>(), gaps()))
        .prop_map(|(open, children, comma, close)| container(open, children, comma, &close))
        .boxed()
}

fn values() -> impl Strategy<Value = String> {
    scalars().prop_recursive(4, 32, 5, |inner| containers_of(inner, 0..5))
}

fn files() -> impl Strategy<Value = String> {
    (gaps(), values(), gaps()).prop_map(|(lead, value, trail)| lead + &value + &trail)
}

/// Files whose root has children.
fn full_files() -> impl Strategy<Value = String> {
    (gaps(), containers_of(values().boxed(), 1..4), gaps()).prop_map(|(lead, value, trail)| lead + &value + &trail)
}

fn paths(root: &Node, wanted: impl Fn(&Node) -> bool) -> Vec<Path> {
    let mut paths = Vec::new();
    root.walk(&mut |node| paths.extend(wanted(node).then(|| node.path.clone())));
    paths
}

fn containers(root: &Node) -> Vec<Path> {
    paths(root, |node| matches!(node.content, Content::Container(_)))
}

/// Names a child that is new in `container`.
fn new_child(container: &Node) -> Path {
    let segment = match container.content {
        Content::Container(Shape::List) => Segment::Item("new".into()),
        _ => Segment::Key("new".into()),
    };
    container.path.child(segment)
}

/// `[7]` at `path`, or in a table there.
fn list_of_seven(path: Path, in_table: bool) -> Node {
    if in_table {
        let list = list_of_seven(path.key("x"), false);
        let table = Node::new(path, "", Content::Container(Shape::Table), Decor::default());
        return Node { children: vec![list], ..table };
    }
    let item = path.child(Segment::Item("0".into()));
    let seven = Node::new(item, "", Content::Scalar("7".into()), Decor::default());
    Node { children: vec![seven], ..Node::new(path, "", Content::Container(Shape::List), Decor::default()) }
}

/// Checks that a tree that no parser made prints as text that says what it says.
fn check_merged(tree: &Tree) -> Result<(), TestCaseError> {
    let text = printed(tree);
    prop_assert_eq!(read(Format::Json, text.as_bytes()), Ok(meaning(&tree.root)), "{}", text);
    let again =
        parse(Format::Json, text.as_bytes()).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
    prop_assert_eq!(meaning(&again.root), meaning(&tree.root), "{}", text);
    Ok(())
}

proptest! {
    #![proptest_config(crate::testing::cases(256))]

    #[test]
    fn random_jsonc_comes_back_and_both_readers_agree(file in files()) {
        let tree = tree(&file);
        prop_assert_eq!(printed(&tree), &file[..]);
        prop_assert_eq!(read(Format::Json, file.as_bytes()), Ok(meaning(&tree.root)));
    }

    #[test]
    fn paths_are_unique_and_below_their_parents(file in files()) {
        let tree = tree(&file);
        let mut all = paths(&tree.root, |_| true);
        all.sort();
        prop_assert!(all.is_sorted_by(|a, b| a < b));
        let mut below = true;
        tree.root.walk(&mut |node| {
            below &= node.children.iter().all(|child| child.path.parent().as_ref() == Some(&node.path));
        });
        prop_assert!(below);
    }

    #[test]
    fn mutated_text_never_panics_and_both_readers_agree(
        file in files(),
        edits in vec((any::<Index>(), any::<Index>(), select(vec!["", "\"", "{", "}", "[", "]", ",", ":", "\\", "/", "*", "\n", "\r", "0", "-", "\0", "\u{b}", "é", "true", "u", "e"])), 1..6),
    ) {
        let mut characters: Vec<String> = file.chars().map(String::from).collect();
        for (from, count, with) in edits {
            let from = from.index(characters.len() + 1);
            let until = (from + count.index(3)).min(characters.len());
            characters.splice(from..until, [with.to_owned()]);
        }
        let text = characters.concat();
        match parse(Format::Json, text.as_bytes()) {
            Ok(tree) => {
                prop_assert_eq!(printed(&tree), &text[..]);
                prop_assert_eq!(read(Format::Json, text.as_bytes()), Ok(meaning(&tree.root)));
            }
            Err(ParseError::Syntax(error)) => {
                prop_assert!(read(Format::Json, text.as_bytes()).is_err(), "{} in {:?}", error, text);
            }
            Err(ParseError::Untileable { .. }) => {}
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..64), text in "[\\[\\]{},:\"\\\\/* \n0-9a-z.]{0,40}") {
        for input in [&bytes[..], text.as_bytes()] {
            if let Ok(tree) = parse(Format::Json, input) {
                prop_assert_eq!(read(Format::Json, input), Ok(meaning(&tree.root)));
            }
        }
    }

    #[test]
    fn a_replaced_scalar_changes_only_its_bytes(file in full_files(), which: Index) {
        let mut tree = tree(&file);
        let scalars = paths(&tree.root, |node| matches!(node.content, Content::Scalar(_)));
        if scalars.is_empty() {
            return Ok(());
        }
        let node = at(&mut tree.root, which.get(&scalars));
        let old = std::mem::replace(&mut node.content, Content::Scalar("<new>".into()));
        let Content::Scalar(old) = old else { panic!("{old:?}") };
        let text = printed(&tree);
        prop_assert_eq!(text.replacen("<new>", &old, 1), file);
    }

    #[test]
    fn an_inserted_key_is_the_only_change(file in full_files(), which: Index, deep: bool) {
        let mut tree = tree(&file);
        let containers = containers(&tree.root);
        let mut expected = tree.clone();
        let target = at(&mut expected.root, which.get(&containers));
        let child = new_child(target);
        let path = if deep { child.key("x") } else { child.clone() };
        target.children.push(list_of_seven(child, deep));
        Json.insert(&mut tree.root, &path, "[7]").unwrap();
        prop_assert_eq!(meaning(&tree.root), meaning(&expected.root));
        check_merged(&tree)?;
        // All that was there is still there, in order.
        let text = printed(&tree);
        let mut rest = text.chars();
        let lost = file.chars().filter(|character| !character.is_whitespace()).find(|&wanted| !rest.any(|found| found == wanted));
        prop_assert_eq!(lost, None, "{}", text);
    }

    #[test]
    fn without_any_child_the_rest_reads_as_before(file in full_files(), which: Index) {
        let mut tree = tree(&file);
        let nodes = paths(&tree.root, |node| !node.path.is_root());
        let gone = which.get(&nodes);
        at(&mut tree.root, &gone.parent().unwrap()).children.retain(|child| child.path != *gone);
        check_merged(&tree)?;
    }

    #[test]
    fn a_child_of_another_file_fits_anywhere(
        file in full_files(),
        other in full_files(),
        (from, into, place) in any::<(Index, Index, Index)>(),
        labelled in any::<bool>(),
    ) {
        let (mut tree, mut other) = (tree(&file), self::tree(&other));
        let (nodes, containers) = (paths(&other.root, |node| !node.path.is_root()), containers(&tree.root));
        let mut node = at(&mut other.root, from.get(&nodes)).clone();
        let target = at(&mut tree.root, into.get(&containers));
        if labelled || !node.label.is_empty() {
            node.label = "\"new\"".into();
        }
        if !node.path.is_trivia() {
            node.path = target.path.child(Segment::Item("new".into()));
        }
        let place = place.index(target.children.len() + 1);
        target.children.insert(place, node);
        check_merged(&tree)?;
    }

    #[test]
    fn children_in_any_order_read_the_same(file in full_files(), which: Index, trailing: bool, turn: Index) {
        let mut tree = tree(&file);
        let containers = containers(&tree.root);
        let target = at(&mut tree.root, which.get(&containers));
        let turn = turn.index(target.children.len() + 1);
        target.children.rotate_left(turn);
        target.decor.trailing_comma = trailing;
        check_merged(&tree)?;
    }

    #[test]
    fn leads_hold_no_indentation_of_their_container(depth in 1usize..5, unit in select(vec!["  ", "    ", "\t"])) {
        let mut text = "1".to_owned();
        for level in (0..depth).rev() {
            text = format!("{{\n{0}// c\n{0}\"k\": {text}\n{1}}}", unit.repeat(level + 1), unit.repeat(level));
        }
        let tree = tree(&text);
        let lead = format!("\n{INDENT}// c\n{INDENT}");
        let mut leads = Vec::new();
        tree.root.walk(&mut |node| leads.push(node.decor.lead.clone()));
        prop_assert!(leads[1..].iter().all(|found| *found == lead), "{:?}", leads);
    }
}
