//! The tokens of JSON (RFC 8259) and the comments between them, by byte spans.

use crate::codec::SyntaxError;

/// A place in a text.
#[derive(Clone, Copy)]
pub(super) struct Lexer<'a> {
    /// The whole text.
    pub(super) text: &'a str,
    /// The next byte.
    pub(super) at: usize,
}

impl<'a> Lexer<'a> {
    /// The start of a text.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte; `None` at the end.
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes past `byte` if it is next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// An error at the next byte.
    pub(super) fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError::at(self.text, self.at, message)
    }

    /// Goes past spaces, line ends and comments.
    pub(super) fn gap(&mut self) -> Result<&'a str, SyntaxError> {
        let start = self.at;
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\n' | b'\r', ..] => self.at += 1,
                [b'/', b'/', ..] => self.line_comment()?,
                [b'/', b'*', ..] => self.block_comment()?,
                _ => return Ok(&self.text[start..self.at]),
            }
        }
    }

    fn line_comment(&mut self) -> Result<(), SyntaxError> {
        let comment = &self.text[self.at..];
        self.comment(comment.find(['\n', '\r']).unwrap_or(comment.len()))
    }

    fn block_comment(&mut self) -> Result<(), SyntaxError> {
        match self.text[self.at + 2..].find("*/") {
            Some(inside) => self.comment(inside + 4),
            None => Err(self.error("this comment has no end")),
        }
    }

    /// Goes past a comment. It can't hold NUL, which is [`crate::tree::INDENT`].
    fn comment(&mut self, length: usize) -> Result<(), SyntaxError> {
        let end = self.at + length;
        if let Some(offset) = self.text[self.at..end].find('\0') {
            return Err(SyntaxError::at(self.text, self.at + offset, "a NUL byte in a comment"));
        }
        self.at = end;
        Ok(())
    }

    /// Goes past a string. It is given with its quotes.
    pub(super) fn string(&mut self) -> Result<&'a str, SyntaxError> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.text[start..self.at]);
                }
                Some(b'\\') => self.escape()?,
                None | Some(b'\n') => {
                    return Err(SyntaxError::at(self.text, start, "this string has no closing quote on its line"));
                }
                Some(0..0x20) => return Err(self.error("a control character in a string must be written as an escape")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        let length = match self.rest() {
            [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [_, b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => 6,
            [_, b'u', ..] => return Err(self.error("\\u needs four hexadecimal digits")),
            _ => return Err(self.error("JSON has no such escape; a backslash is written \\\\")),
        };
        self.at += length;
        Ok(())
    }

    /// Goes past a number.
    pub(super) fn number(&mut self) -> Result<&'a str, SyntaxError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        } else if matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(SyntaxError::at(self.text, start, "a number can't begin with 0"));
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let length = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += length;
        if length == 0 { Err(self.error("expected a digit")) } else { Ok(()) }
    }

    /// Goes past `true`, `false` or `null`.
    pub(super) fn word(&mut self) -> Result<&'a str, SyntaxError> {
        let length = self.rest().iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let word = &self.text[self.at..self.at + length];
        match word {
            "true" | "false" | "null" => {
                self.at += length;
                Ok(word)
            }
            "" => Err(self.error(match self.peek() {
                None => "expected a value, but the text ends here",
                Some(b'\'') => "expected a value; strings stand in double quotes",
                Some(_) => "expected a value",
            })),
            _ => Err(self.error(format!("{:?} is no value; strings stand in double quotes", shortened(word)))),
        }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }
}

/// As much of a word as an error message needs.
fn shortened(word: &str) -> &str {
    &word[..word.len().min(40)]
}

/// What a string literal means; `None` if it escapes half of a surrogate pair, which is no text.
pub(super) fn unescape(literal: &str) -> Option<String> {
    let mut characters = literal[1..literal.len() - 1].chars();
    let mut text = String::with_capacity(literal.len());
    while let Some(character) = characters.next() {
        text.push(match character {
            '\\' => unescape_one(&mut characters)?,
            other => other,
        });
    }
    Some(text)
}

fn unescape_one(characters: &mut std::str::Chars<'_>) -> Option<char> {
    match characters.next()? {
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'u' => {
            let unit = hexadecimal(characters)?;
            match unit {
                0xd800..=0xdbff => low_half(unit, characters),
                _ => char::from_u32(unit),
            }
        }
        other => Some(other),
    }
}

fn low_half(high: u32, characters: &mut std::str::Chars<'_>) -> Option<char> {
    if characters.next()? != '\\' || characters.next()? != 'u' {
        return None;
    }
    match hexadecimal(characters)? {
        low @ 0xdc00..=0xdfff => char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)),
        _ => None,
    }
}

fn hexadecimal(characters: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |unit, _| Some(unit * 16 + characters.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_mean_what_they_say() {
        let cases = [
            (r#""""#, Some("")),
            (r#""\"\\\/\b\f\n\r\t""#, Some("\"\\/\u{8}\u{c}\n\r\t")),
            (r#""\u00e9\ud83d\uDE00""#, Some("é😀")),
            (r#""\ud83d""#, None),
            (r#""\ud83dx""#, None),
            (r#""\ud83d\n""#, None),
            (r#""\ude00\ud83d""#, None),
        ];
        for (literal, text) in cases {
            assert_eq!(unescape(literal).as_deref(), text, "{literal}");
        }
    }

    #[test]
    fn numbers_are_those_of_the_standard() {
        for good in ["0", "-0", "10", "1.5", "-0.0", "1e5", "1E+5", "0.1e-05"] {
            assert_eq!(Lexer::new(good).number(), Ok(good));
        }
        for bad in ["-", "01", "1.", "1e", "1e+", "-.5", "00"] {
            assert!(Lexer::new(bad).number().is_err(), "{bad}");
        }
    }

    proptest! {
        #![proptest_config(crate::testing::cases(256))]

        #[test]
        fn strings_mean_what_serde_json_reads(text in any::<String>()) {
            let literal = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(Lexer::new(&literal).string(), Ok(&literal[..]));
            prop_assert_eq!(unescape(&literal), Some(text));
        }
    }
}
