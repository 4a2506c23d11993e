//! What a document shows, kept in step with it: its render and its conflicts.
//!
//! ```text
//!  changes that only replace values ──▶ the same tree with other values ─┐
//!  all others ──────────────────────▶ registers ─▶ tree ─▶ bytes ─▶ read ┴─▶ rendered, conflicts
//! ```
//! Most changes give a new value to a key that has one. Nothing else of the render follows from that value: which
//! fragments live, the shapes, the places and the spacing come from the other registers, and from whether there is a
//! scalar at all (see the module `structure`). So the former render is good for all but the value. In tests and debug builds
//! every such shortcut is compared with the render from scratch.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::codec;
use crate::conflict::{self, Conflict};
use crate::document::Document;
use crate::path::Path;
use crate::register::{Cell, Part, Register};
use crate::render::{Content, Rendered};
use crate::tree::{self, Format};
use crate::value::Value;

/// Touched registers that are remembered. Past that, a render from scratch is hardly slower.
const TOUCHED_REGISTERS: usize = 4_096;

/// The render and the conflicts of one document. Of no use for any other.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    rendered: Option<Arc<Rendered>>,
    conflicts: Option<Arc<Vec<Conflict>>>,
    /// What was written to since the render.
    touched: Vec<Register>,
}

impl Shown {
    /// Takes note that the document took in a change of these registers, as [`Document::apply`] and
    /// [`crate::document::Written`] name them. Every change must be told.
    pub fn touch(&mut self, registers: impl IntoIterator<Item = Register>) {
        if self.rendered.is_none() {
            return;
        }
        let before = self.touched.len();
        self.touched.extend(registers);
        // A change of nothing still moves the heads.
        if self.touched.len() > TOUCHED_REGISTERS || self.touched.len() == before {
            *self = Self::default();
        }
    }

    /// What the document's file should be now: [`Document::render`].
    pub fn rendered(&mut self, document: &Document) -> Arc<Rendered> {
        let touched = std::mem::take(&mut self.touched);
        if let Some(mut rendered) = self.rendered.take()
            && (touched.is_empty() || replace_values(document, &mut rendered, &touched))
        {
            debug_assert_eq!(*rendered, document.render(), "a shortcut gives another render");
            let still_none = self.conflicts.as_ref().is_some_and(|conflicts| conflicts.is_empty())
                && touched.iter().all(|register| has_one_value(document, register));
            if !touched.is_empty() && !still_none {
                self.conflicts = None;
            }
            self.rendered = Some(rendered.clone());
            return rendered;
        }
        self.conflicts = None;
        self.rendered.insert(Arc::new(document.render())).clone()
    }

    /// The document's open conflicts: [`conflict::conflicts`].
    pub fn conflicts(&mut self, document: &Document) -> Arc<Vec<Conflict>> {
        let rendered = self.rendered(document);
        let found = self.conflicts.get_or_insert_with(|| Arc::new(conflict::conflicts(document, &rendered)));
        debug_assert_eq!(**found, conflict::conflicts(document, &rendered), "a shortcut gives other conflicts");
        found.clone()
    }
}

/// Where there was no conflict, a value that stands alone in its register makes none.
fn has_one_value(document: &Document, register: &Register) -> bool {
    document.state().get(register).is_some_and(|candidates| candidates.0.len() == 1)
}

/// Puts the values that the touched registers hold now into a render from before they were. False, and the render is of
/// no use any more, unless each is the content of a scalar that was a scalar before.
fn replace_values(document: &Document, rendered: &mut Arc<Rendered>, touched: &[Register]) -> bool {
    if rendered.deleted || !rendered.excluded.is_empty() {
        return false;
    }
    let Some(content) = &rendered.content else { return false };
    let values: Option<Vec<(&Path, &String)>> =
        touched.iter().map(|register| new_value(document, content, register)).collect();
    let Some(values) = values else { return false };
    let rendered = Arc::make_mut(rendered);
    let Some(content) = &mut rendered.content else { return false };
    for (path, text) in values {
        let Some(node) = content.tree.root.find_mut(path) else { return false };
        node.content = tree::Content::Scalar(text.clone());
    }
    content.bytes = codec::print(&content.tree);
    content.hash = Sha256::digest(&content.bytes).into();
    rendered.heads = document.heads();
    true
}

/// The new value of a register, if it is of a scalar that stays one, and can stand in the place of the former one.
fn new_value<'a>(document: &'a Document, content: &Content, register: &'a Register) -> Option<(&'a Path, &'a String)> {
    let Register::Fragment { epoch, path, part: Part::Content } = register else { return None };
    if *epoch != content.epoch {
        return None;
    }
    let Cell::Content(tree::Content::Scalar(text)) = &document.state().get(register)?.winner()?.cell else {
        return None;
    };
    let tree::Content::Scalar(former) = &content.tree.root.find(path)?.content else { return None };
    let format = content.tree.format;
    // An anchor that goes takes the sense of its aliases with it; what stands below a key without a value may go on with one.
    let had_sense = |former: &str| format == Format::Yaml || former.contains(tree::INDENT);
    let leaves_alone = |former: &str| !had_sense(former) || stands_alone(format, former);
    (text == former || (stands_alone(format, text) && leaves_alone(former))).then_some((path, text))
}

/// Whether a text is one value wherever its format allows a value, so that what is around it is read as before. The
/// independent parser (P6) reads it twice, where a comment, an end of line or a loose end would be seen.
pub(crate) fn stands_alone(format: Format, text: &str) -> bool {
    let frames: &[&str] = match format {
        Format::Toml => &["k = {a = @, b = @}\n"],
        Format::Json => &["{\"a\":@,\"b\":@}\n"],
        // On lines of their own, and nothing that depends on what is elsewhere: anchors, aliases.
        Format::Yaml if text.contains('\n') || text.starts_with("---") || text.starts_with("...") => return false,
        Format::Yaml => &["a: @\nb: @\n"],
        // Some values begin on a line of their own, where this would be a comment.
        Format::Ini if text.starts_with(['#', ';']) => return false,
        Format::Env | Format::Ini => &["a = @\nb = @\n"],
        // Whether it is nginx's or HAProxy's file, the value doesn't tell.
        Format::Blocks => &["k {\na @;\nb @;\n}\n", "global\na @\nb @\n"],
        // What has no structure has nothing to break.
        Format::Text | Format::Binary => return true,
    };
    let Some(value) = codec::of(format).scalar(text) else { return false };
    // How deep lists and tables may go depends on where they stand.
    if matches!(value, Value::List(_) | Value::Table(_)) || text.contains(tree::INDENT) {
        return false;
    }
    let twice = Value::Table([("a".to_string(), value.clone()), ("b".to_string(), value)].into());
    frames.iter().all(|frame| {
        let read = codec::read(format, frame.replace('@', text).as_bytes());
        read.is_ok_and(|read| read == twice || is_table_of(&read, &twice))
    })
}

/// Whether a value is a table with one key, which has the other value.
fn is_table_of(value: &Value, inner: &Value) -> bool {
    matches!(value, Value::Table(entries) if entries.len() == 1 && entries.values().all(|entry| entry == inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Decor, Shape};
    use proptest::prelude::*;

    #[test]
    fn only_whole_values_stand_alone() {
        for text in ["1", "-0.5", "true", "\"a # b\"", "'x'", "1979-05-27", "1979-05-27T07:32:00Z"] {
            assert!(stands_alone(Format::Toml, text), "{text}");
        }
        for text in [
            "",
            " ",
            "1 # c",
            "1,",
            "1}",
            "1, c = 2",
            "\"a",
            "\"\"\"",
            "1\n",
            "1\nb = 2",
            "a",
            "[1",
            "1 2",
            "[1, 2]",
            "{ a = 1 }",
        ] {
            assert!(!stands_alone(Format::Toml, text), "{text}");
        }
        for text in ["1", "null", "\"a // b\"", "-1e9"] {
            assert!(stands_alone(Format::Json, text), "{text}");
        }
        for text in ["", "1,2", "1]", "\"a", "1 // c", "/* c */ 1", "nul", "[1", "1 2"] {
            assert!(!stands_alone(Format::Json, text), "{text}");
        }
        for text in ["", "1", "a b", "\"a # b\"", "'x: y'", "a:b", "http://x", "-1"] {
            assert!(stands_alone(Format::Yaml, text), "{text}");
        }
        for text in ["a: b", "a # c", "- a", "&a 1", "*a", "\"a", "|\n\0  a", "[1]", "---", "%a", "a:", "!t x", "{"] {
            assert!(!stands_alone(Format::Yaml, text), "{text}");
        }
        assert!(stands_alone(Format::Text, "any { thing"));
    }

    #[test]
    fn spacing_does_not_depend_on_the_value() {
        for format in [Format::Toml, Format::Json, Format::Yaml, Format::Text] {
            let decor = |text: &str| codec::of(format).default_decor(&tree::Content::Scalar(text.into()));
            assert!(["1", "\"a\"", "true", "", "[]"].iter().all(|text| decor(text) == decor("0")), "{format:?}");
            let container = codec::of(format).default_decor(&tree::Content::Container(Shape::Table));
            assert!(container == container.clone() && container != Decor { lead: "x".into(), ..Decor::default() });
        }
    }

    proptest! {
        #![proptest_config(crate::testing::cases(512))]

        /// What stands alone in a frame leaves what is around it as it was, wherever a value may stand.
        #[test]
        fn what_stands_alone_breaks_nothing_around_it(text in "[-0-9a-z\"'#,.:\\[\\]{}= /*TZ\n&!|>?%]{1,8}", format in 0..3) {
            let (format, frames) = if format == 0 {
                (Format::Toml, &["x = @", "x = @ # note\ny = 2", "x = [2, @]\ny = 2", "[t]\nx.y = @\n[u]\nx = {y = @}#z\n"][..])
            } else if format == 1 {
                (Format::Yaml, &["@\n", "k: @\nl: 2\n", "k: @ # note\nl:\n- @\n\n- x: @\n  y: @\n", "---\n@\n---\n- - @\n  - 2\n...\n"][..])
            } else {
                (Format::Json, &["@", "{\"x\":@,\"y\":[2,@]}", "{\n \"x\": @ // note\n}", "[@/* note */,@]"][..])
            };
            if stands_alone(format, &text) {
                let value = codec::of(format).scalar(&text).unwrap();
                for frame in frames {
                    let with = codec::read(format, frame.replace('@', &text).as_bytes());
                    let one = codec::read(format, frame.replace('@', "1").as_bytes());
                    prop_assert!(with.is_ok() || one.is_err(), "{:?} in {:?}", text, frame);
                    if let (Ok(with), Ok(one)) = (with, one) {
                        prop_assert_eq!(with, filled(&one, &value), "{:?} in {:?}", text, frame);
                    }
                }
            }
        }
    }

    /// The frame's meaning with every 1 that stands for the value replaced by it.
    fn filled(frame: &Value, value: &Value) -> Value {
        match frame {
            Value::Integer(1) => value.clone(),
            Value::List(items) => Value::List(items.iter().map(|item| filled(item, value)).collect()),
            Value::Table(entries) => {
                Value::Table(entries.iter().map(|(key, entry)| (key.clone(), filled(entry, value))).collect())
            }
            other => other.clone(),
        }
    }
}
