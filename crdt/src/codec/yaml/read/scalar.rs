//! Scalars: plain, quoted, and block scalars.

use super::{Reader, is_blank, is_flow_indicator, is_space_or_end};
use crate::codec::SyntaxError;

/// Where a scalar stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    Block,
    /// In brackets.
    Flow,
}

/// What becomes of the line ends behind a block scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Clip,
    Strip,
    Keep,
}

impl Reader<'_> {
    /// Whether a plain scalar may begin with what stands here.
    pub(super) fn begins_plain(&self, context: Context) -> bool {
        let next = self.byte(self.at + 1);
        match self.peek() {
            Some(b'-' | b'?' | b':') => {
                !is_space_or_end(next) && (context == Context::Block || !is_flow_indicator(next))
            }
            Some(b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@' | b'`') => false,
            Some(b'\n' | b'\r' | b' ' | b'\t') | None => false,
            byte => !is_flow_indicator(byte),
        }
    }

    /// Where the plain scalar ends on this line.
    pub(super) fn plain_end(&self, context: Context) -> usize {
        let mut end = self.at;
        for at in self.at.. {
            let next = self.byte(at + 1);
            match self.byte(at) {
                None | Some(b'\n') => break,
                Some(b':') if is_space_or_end(next) => break,
                Some(b':') if context == Context::Flow && is_flow_indicator(next) => break,
                Some(b'#') if at > self.at && is_blank(self.byte(at - 1)) => break,
                byte if context == Context::Flow && is_flow_indicator(byte) => break,
                Some(b' ' | b'\t' | b'\r') => {}
                Some(_) => end = at + 1,
            }
        }
        end
    }

    /// A plain scalar with all its lines. `parent` is the column of what it stands in.
    pub(super) fn plain(&mut self, context: Context, parent: Option<usize>) -> Result<String, SyntaxError> {
        if !self.begins_plain(context) {
            return Err(self.error("expected a value"));
        }
        let mut text = String::new();
        loop {
            let end = self.plain_end(context);
            text.push_str(&self.text[self.at..end]);
            self.at = end;
            let Some((at, line_start, breaks)) = self.plain_continuation(context, parent) else { return Ok(text) };
            (self.at, self.line_start) = (at, line_start);
            fold(&mut text, breaks);
        }
    }

    /// Where the scalar goes on on a further line, and how many line ends are between.
    fn plain_continuation(&self, context: Context, parent: Option<usize>) -> Option<(usize, usize, usize)> {
        let mut breaks = 0;
        let mut line_start = self.line_start;
        let mut at = self.at;
        loop {
            match self.byte(at)? {
                b' ' | b'\t' => at += 1,
                b'\r' if self.byte(at + 1) == Some(b'\n') => at += 1,
                b'\n' => {
                    breaks += 1;
                    at += 1;
                    line_start = at;
                }
                _ => break,
            }
        }
        if breaks == 0 || self.byte(at) == Some(b'#') {
            return None;
        }
        let there = Self { at, line_start, anchors: Default::default(), ..*self };
        let is_end = match context {
            Context::Block => !there.is_indented_past(parent),
            Context::Flow => is_flow_indicator(self.byte(at)) || there.plain_end(context) == at,
        };
        let is_end = is_end || Self { at: line_start, ..there }.has_ended();
        (!is_end).then_some((at, line_start, breaks))
    }

    /// Whether the line has more spaces before its text than the column of the node that it should belong to.
    fn is_indented_past(&self, parent: Option<usize>) -> bool {
        let spaces = self.bytes[self.line_start..self.at].iter().take_while(|byte| **byte == b' ').count();
        parent.is_none_or(|parent| spaces > parent)
    }

    /// Where the quoted text that begins here ends, if it does so on this line.
    pub(super) fn quoted_end(&self, quote: u8) -> Option<usize> {
        let mut at = self.at + 1;
        loop {
            match self.byte(at)? {
                b'\n' => return None,
                b'\\' if quote == b'"' => at += 2,
                byte if byte == quote && quote == b'\'' && self.byte(at + 1) == Some(quote) => at += 2,
                byte if byte == quote => return Some(at + 1),
                _ => at += 1,
            }
        }
    }

    /// A text in quotes, with all its lines.
    pub(super) fn quoted(&mut self, context: Context, parent: Option<usize>) -> Result<String, SyntaxError> {
        let quote = self.peek();
        let is_double = quote == Some(b'"');
        self.at += 1;
        let mut text = String::new();
        // Blanks at the end of a line go, but not those that an escape wrote.
        let mut written = 0;
        loop {
            match self.peek() {
                None => return Err(self.error("a quote isn't closed")),
                Some(b'\'') if !is_double && self.byte(self.at + 1) == Some(b'\'') => {
                    text.push('\'');
                    self.at += 2;
                }
                byte if byte == quote => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') if is_double => {
                    self.escape(&mut text, context, parent)?;
                    written = text.len();
                }
                Some(b'\n') => {
                    let kept = text.trim_end_matches([' ', '\t', '\r']).len().max(written);
                    text.truncate(kept);
                    let breaks = self.line_ends(context, parent)?;
                    fold(&mut text, breaks);
                    written = text.len();
                }
                Some(_) => self.copy(&mut text),
            }
        }
    }

    fn copy(&mut self, text: &mut String) {
        if let Some(character) = self.text[self.at..].chars().next() {
            text.push(character);
            self.at += character.len_utf8();
        }
    }

    /// The line ends here in a quoted text, and the blanks before the next line's text.
    fn line_ends(&mut self, context: Context, parent: Option<usize>) -> Result<usize, SyntaxError> {
        let mut breaks = 0;
        loop {
            match self.peek() {
                Some(b'\n') => {
                    self.next_line();
                    breaks += 1;
                    if self.has_ended() {
                        return Err(self.error("a quote isn't closed"));
                    }
                }
                Some(b' ' | b'\t') => self.at += 1,
                Some(b'\r') if self.byte(self.at + 1) == Some(b'\n') => self.at += 1,
                _ => break,
            }
        }
        if context == Context::Block && !self.is_indented_past(parent) {
            return Err(self.error("the text in quotes must be indented"));
        }
        Ok(breaks)
    }

    fn escape(&mut self, text: &mut String, context: Context, parent: Option<usize>) -> Result<(), SyntaxError> {
        let start = self.at;
        self.at += 1;
        if self.peek() == Some(b'\r') && self.byte(self.at + 1) == Some(b'\n') {
            self.at += 1;
        }
        if self.peek() == Some(b'\n') {
            let breaks = self.line_ends(context, parent)?;
            text.extend(std::iter::repeat_n('\n', breaks - 1));
            return Ok(());
        }
        let code = self.peek().ok_or_else(|| self.error("a quote isn't closed"))?;
        self.at += 1;
        let character = match code {
            b'0' => Some('\0'),
            b'a' => Some('\x07'),
            b'b' => Some('\x08'),
            b't' | b'\t' => Some('\t'),
            b'n' => Some('\n'),
            b'v' => Some('\x0b'),
            b'f' => Some('\x0c'),
            b'r' => Some('\r'),
            b'e' => Some('\x1b'),
            b' ' | b'"' | b'/' | b'\\' => Some(char::from(code)),
            b'N' => Some('\u{85}'),
            b'_' => Some('\u{a0}'),
            b'L' => Some('\u{2028}'),
            b'P' => Some('\u{2029}'),
            b'x' => self.hexadecimal(2),
            b'u' => self.hexadecimal(4),
            b'U' => self.hexadecimal(8),
            _ => None,
        };
        text.push(character.ok_or_else(|| SyntaxError::at(self.text, start, "the escape isn't known"))?);
        Ok(())
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<char> {
        let code = self
            .text
            .get(self.at..self.at + digits)
            .filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        self.at += digits;
        char::from_u32(u32::from_str_radix(code, 16).ok()?)
    }

    /// `|` or `>` with all its lines, up to the start of the line behind.
    pub(super) fn block_scalar(&mut self, parent: Option<usize>) -> Result<String, SyntaxError> {
        let is_literal = self.peek() == Some(b'|');
        let (indicator, chomping) = self.block_header()?;
        let indent = match indicator {
            Some(digit) => parent.unwrap_or_default() + digit,
            None => self.content_indent(parent)?,
        };
        let mut text = String::new();
        // The line end and the empty lines before the next line with text, and whether that before began with a blank.
        let (mut has_break, mut empty, mut was_blank) = (false, 0, false);
        while self.at < self.bytes.len() {
            let line = self.rest_of_line().trim_end_matches('\r');
            let spaces = line.len() - line.trim_start_matches(' ').len();
            let is_empty = spaces == line.len() && spaces <= indent;
            if !is_empty && (spaces < indent || self.has_ended()) {
                break;
            }
            if is_empty {
                empty += 1;
            } else {
                let is_blank = line[indent..].starts_with([' ', '\t']);
                let folds = !is_literal && has_break && !was_blank && !is_blank;
                if folds && empty == 0 {
                    text.push(' ');
                } else if has_break && !folds {
                    text.push('\n');
                }
                text.extend(std::iter::repeat_n('\n', empty));
                text.push_str(&line[indent..]);
                (has_break, empty, was_blank) = (true, 0, is_blank);
            }
            self.skip_line();
            if self.at < self.bytes.len() {
                self.next_line();
            }
        }
        if has_break && chomping != Chomping::Strip {
            text.push('\n');
        }
        if chomping == Chomping::Keep {
            text.extend(std::iter::repeat_n('\n', empty));
        }
        Ok(text)
    }

    /// The line of `|` or `>`: an indentation, what becomes of the last line ends, a comment.
    fn block_header(&mut self) -> Result<(Option<usize>, Chomping), SyntaxError> {
        self.at += 1;
        let (mut indicator, mut chomping) = (None, None);
        loop {
            match self.peek() {
                Some(digit @ b'1'..=b'9') if indicator.is_none() => indicator = Some(usize::from(digit - b'0')),
                Some(b'-') if chomping.is_none() => chomping = Some(Chomping::Strip),
                Some(b'+') if chomping.is_none() => chomping = Some(Chomping::Keep),
                _ => break,
            }
            self.at += 1;
        }
        let rest = self.rest_of_line();
        let comment = rest.trim_start_matches([' ', '\t']);
        let is_comment = comment.starts_with('#') && comment.len() < rest.len();
        if !is_comment && !comment.trim_end_matches('\r').is_empty() {
            return Err(self.error("expected the end of the line"));
        }
        self.skip_line();
        if self.at < self.bytes.len() {
            self.next_line();
        }
        Ok((indicator, chomping.unwrap_or(Chomping::Clip)))
    }

    /// The indentation of the first line with text. Empty lines before it may not be longer.
    fn content_indent(&self, parent: Option<usize>) -> Result<usize, SyntaxError> {
        let least = parent.map_or(0, |parent| parent + 1);
        let mut longest = 0;
        for line in self.text[self.at..].split('\n') {
            let line = line.trim_end_matches('\r');
            let spaces = line.len() - line.trim_start_matches(' ').len();
            if spaces == line.len() {
                longest = longest.max(spaces);
            } else if spaces < least {
                break;
            } else if longest > spaces {
                return Err(self.error("an empty line is indented further than the text below it"));
            } else {
                return Ok(spaces);
            }
        }
        Ok(least.max(longest))
    }
}

/// One line end is a space, more are one less.
fn fold(text: &mut String, breaks: usize) {
    match breaks {
        1 => text.push(' '),
        _ => text.extend(std::iter::repeat_n('\n', breaks.saturating_sub(1))),
    }
}
