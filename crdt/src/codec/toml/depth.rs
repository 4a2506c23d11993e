//! How deep a TOML text nests, found without recursion.
//!
//! The `toml` crate limits the depth of brackets and the length of one key, but not both together: 80 inline tables, each
//! below a dotted key of 80 parts, are 6,400 tables deep in 16 kB of text, and reading that overflows the stack. So every text is
//! measured first, with the tokens that the `toml` crate itself goes by.

use toml_parser::decoder::Encoding;
use toml_parser::parser::{EventReceiver, parse_document};
use toml_parser::{ErrorSink, Source, Span};

use crate::limits::DEPTH;

/// The offset in bytes of what first nests deeper than [`DEPTH`], counting tables, keys and arrays.
pub(super) fn too_deep_at(text: &str) -> Option<usize> {
    let tokens = Source::new(text).lex().into_vec();
    let mut meter = Meter::default();
    parse_document(&tokens, &mut meter, &mut ());
    meter.too_deep_at
}

/// Adds up keys and brackets from the root to where the parser is.
#[derive(Default)]
struct Meter {
    /// Parts of the keys of the latest header.
    header: usize,
    /// The parts of the key before each open bracket.
    brackets: Vec<usize>,
    /// The open brackets and the keys before them, counted.
    outer: usize,
    /// Parts of the key before these brackets.
    key: usize,
    /// The parser is behind a dot.
    dotted: bool,
    too_deep_at: Option<usize>,
}

impl Meter {
    fn measure(&mut self, span: Span) -> bool {
        let depth = self.header + self.outer + self.key;
        if depth > DEPTH {
            self.too_deep_at.get_or_insert(span.start());
        }
        depth <= DEPTH
    }

    fn open(&mut self, span: Span) -> bool {
        self.brackets.push(self.key);
        self.outer += self.key + 1;
        self.key = 0;
        self.measure(span)
    }

    fn close(&mut self) {
        if let Some(key) = self.brackets.pop() {
            self.outer -= key + 1;
            self.key = key;
        }
    }

    fn open_header(&mut self) {
        *self = Self { too_deep_at: self.too_deep_at, ..Self::default() };
    }

    fn close_header(&mut self) {
        (self.header, self.key) = (self.key, 0);
    }
}

impl EventReceiver for Meter {
    fn std_table_open(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.open_header();
    }

    fn std_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.close_header();
    }

    fn array_table_open(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.open_header();
    }

    fn array_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.close_header();
    }

    fn inline_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.open(span)
    }

    fn inline_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.close();
    }

    fn array_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.open(span)
    }

    fn array_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.close();
    }

    fn simple_key(&mut self, span: Span, _: Option<Encoding>, _: &mut dyn ErrorSink) {
        self.key = if self.dotted { self.key + 1 } else { 1 };
        self.dotted = false;
        self.measure(span);
    }

    fn key_sep(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.dotted = true;
    }

    fn value_sep(&mut self, _: Span, _: &mut dyn ErrorSink) {
        (self.key, self.dotted) = (0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dotted(parts: usize) -> String {
        vec!["a"; parts].join(".")
    }

    #[test]
    fn depth_adds_up_over_headers_keys_and_brackets() {
        let half = DEPTH / 2;
        for (text, is_too_deep) in [
            (format!("{} = 1\n", dotted(DEPTH)), false),
            (format!("{} = 1\n", dotted(DEPTH + 1)), true),
            (format!("[{}]\n{} = 1\n", dotted(half), dotted(half)), false),
            (format!("[{}]\n{} = 1\n", dotted(half), dotted(half + 1)), true),
            (format!("[[{}]]\n[b]\n{} = 1\n", dotted(DEPTH), dotted(half)), false),
            (format!("a = {}1{}\n", "[".repeat(DEPTH), "]".repeat(DEPTH)), true),
            (format!("a = [{}]\n", "[], ".repeat(DEPTH * 2)), false),
            (format!("a = {{ {} = {{ {} = 1 }} }}\n", dotted(half), dotted(half)), true),
            (format!("a = {{ {} = 1, {} = 2 }}\n", dotted(half), dotted(half)), false),
        ] {
            assert_eq!(too_deep_at(&text).is_some(), is_too_deep, "{text}");
        }
    }
}
