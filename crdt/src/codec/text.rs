//! Text whose format is not known, a list of lines; and bytes, which are one value.

use super::{Codec, NoPlace, ParseError, SyntaxError};
use crate::limits;
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, Node, Shape};
use crate::value::Value;

/// Lines: the root is a list, each line an item. Nothing is decor.
pub(super) struct Text;

impl Codec for Text {
    fn parse(&self, text: &str) -> Result<Node, ParseError> {
        let mut root = self.empty();
        for (index, line) in text.split_terminator('\n').enumerate() {
            if index == limits::KEYS_PER_FILE {
                return Err(untileable(index, "there are more than 10,000 lines"));
            }
            if line.len() > limits::VALUE_BYTES {
                return Err(untileable(index, "the line is longer than 1 MiB"));
            }
            root.children.push(item(Path::ROOT.child(Segment::Item(index.to_string())), line));
        }
        Ok(root)
    }

    fn print(&self, root: &Node) -> String {
        let mut text = String::new();
        for child in &root.children {
            if let Content::Scalar(line) | Content::Trivia(line) = &child.content {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }

    fn read(&self, text: &str) -> Result<Value, SyntaxError> {
        Ok(Value::List(text.split_terminator('\n').map(|line| Value::String(line.into())).collect()))
    }

    fn scalar(&self, text: &str) -> Option<Value> {
        (!text.contains('\n')).then(|| Value::String(text.into()))
    }

    fn literal(&self, value: &Value) -> Option<String> {
        match value {
            Value::String(line) if !line.contains('\n') => Some(line.clone()),
            _ => None,
        }
    }

    fn empty(&self) -> Node {
        Node::new(Path::ROOT, "", Content::Container(Shape::List), Decor::default())
    }

    fn insert(&self, root: &mut Node, path: &Path, literal: &str) -> Result<(), NoPlace> {
        match &path.0[..] {
            [Segment::Item(_)] if !literal.contains('\n') => {
                root.children.push(item(path.clone(), literal));
                Ok(())
            }
            [Segment::Item(_)] => Err(NoPlace { why: "a line can't hold a line end".into() }),
            _ => Err(NoPlace { why: "this file is kept as lines of text, which have no keys".into() }),
        }
    }

    fn label(&self, _keys: &[Segment]) -> String {
        String::new()
    }

    fn default_decor(&self, _content: &Content) -> Decor {
        Decor::default()
    }
}

fn item(path: Path, line: &str) -> Node {
    Node::new(path, "", Content::Scalar(line.into()), Decor::default())
}

fn untileable(index: usize, why: &'static str) -> ParseError {
    ParseError::Untileable { line: index + 1, why }
}

/// Bytes: the root is all there is. Files go through [`super::parse`] and [`super::print()`], which don't need text; this is
/// the same for bytes that happen to be text.
pub(super) struct Binary;

impl Codec for Binary {
    fn parse(&self, text: &str) -> Result<Node, ParseError> {
        Ok(Node::new(Path::ROOT, "", Content::Bytes(text.into()), Decor::default()))
    }

    fn print(&self, root: &Node) -> String {
        match &root.content {
            Content::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        }
    }

    fn read(&self, text: &str) -> Result<Value, SyntaxError> {
        Ok(Value::Bytes(text.into()))
    }

    fn scalar(&self, _text: &str) -> Option<Value> {
        None
    }

    fn literal(&self, _value: &Value) -> Option<String> {
        None
    }

    fn empty(&self) -> Node {
        Node::new(Path::ROOT, "", Content::Bytes(Vec::new()), Decor::default())
    }

    fn insert(&self, _root: &mut Node, _path: &Path, _literal: &str) -> Result<(), NoPlace> {
        Err(NoPlace { why: "this file is kept as bytes, which have no keys".into() })
    }

    fn label(&self, _keys: &[Segment]) -> String {
        String::new()
    }

    fn default_decor(&self, _content: &Content) -> Decor {
        Decor::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{parse, print, read};
    use crate::tree::{FileStyle, Format, Tree};
    use proptest::prelude::*;

    fn line_path(id: &str) -> Path {
        Path::ROOT.child(Segment::Item(id.into()))
    }

    #[test]
    fn each_line_is_an_item() {
        let tree = parse(Format::Text, b"one\n\ntwo").unwrap();
        let lines: Vec<_> = tree.root.children.iter().map(|line| (&line.path, &line.content)).collect();
        let expected =
            [("0", "one"), ("1", ""), ("2", "two")].map(|(id, line)| (line_path(id), Content::Scalar(line.into())));
        assert_eq!(lines, expected.iter().map(|(path, content)| (path, content)).collect::<Vec<_>>());
        assert!(!tree.style.final_newline);
    }

    #[test]
    fn a_line_is_appended() {
        let mut tree = parse(Format::Text, b"one\r\ntwo").unwrap();
        Text.insert(&mut tree.root, &line_path("new"), "three").unwrap();
        assert_eq!(print(&tree), b"one\r\ntwo\r\nthree");
        assert!(Text.insert(&mut tree.root, &line_path("x"), "a\nb").is_err());
        assert!(Text.insert(&mut tree.root, &Path::ROOT.key("a"), "b").is_err());
    }

    #[test]
    fn too_many_lines_and_too_long_ones_are_no_text() {
        let most = "\n".repeat(limits::KEYS_PER_FILE);
        assert!(parse(Format::Text, most.as_bytes()).is_ok());
        for file in [format!("{most}x"), "x".repeat(limits::VALUE_BYTES + 1), "x".repeat(limits::MERGED_FILE_BYTES + 1)]
        {
            let error = parse(Format::Text, file.as_bytes()).unwrap_err();
            assert!(matches!(error, ParseError::Untileable { .. }), "{error}");
        }
    }

    #[test]
    fn bytes_are_one_value() {
        let bytes = b"\xff\0\r\nx";
        let tree = parse(Format::Binary, bytes).unwrap();
        assert_eq!(tree.root.content, Content::Bytes(bytes.to_vec()));
        assert_eq!(print(&tree), bytes);
        assert_eq!(read(Format::Binary, bytes), Ok(Value::Bytes(bytes.to_vec())));
    }

    proptest! {
        #![proptest_config(crate::testing::cases(256))]

        #[test]
        fn any_text_comes_back(file in "(\u{feff})?(.|[\r\n\0]|\r\n){0,40}") {
            let tree = parse(Format::Text, file.as_bytes()).unwrap();
            prop_assert_eq!(print(&tree), file.as_bytes());
        }

        #[test]
        fn any_lines_in_any_style_read_back(
            // A carriage return before each line end would be CRLF.
            lines in proptest::collection::vec("([a \r]{0,2}a)?", 0..6),
            byte_order_mark: bool,
            final_newline: bool,
        ) {
            let mut root = Text.empty();
            root.children.extend(lines.iter().map(|line| item(line_path("x"), line)));
            let style = FileStyle { byte_order_mark, crlf: false, final_newline };
            let bytes = print(&Tree { format: Format::Text, style, root });
            let expected = lines.into_iter().map(Value::String).collect();
            prop_assert_eq!(read(Format::Text, &bytes), Ok(Value::List(expected)));
        }
    }
}
