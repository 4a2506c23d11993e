//! Where the parts of a valid TOML text end.
//!
//! All offsets are in bytes. On a text that isn't valid these answer something, too, always at a character boundary.

/// Blanks within a line. A carriage return only stands before a line feed; files that mix line ends keep it.
pub(super) const BLANKS: [char; 3] = [' ', '\t', '\r'];

/// The line feed at or behind `at`, or the end of the text.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |length| at + length)
}

/// The end of the value that begins at `at`.
pub(super) fn value_end(text: &str, at: usize) -> usize {
    match text.as_bytes().get(at) {
        Some(b'"' | b'\'') => string_end(text.as_bytes(), at),
        Some(b'[' | b'{') => brackets_end(text, at),
        _ => bare_end(text, at),
    }
}

/// The first `wanted` outside of quotes on the line, at or behind `at`.
pub(super) fn outside_quotes(text: &str, at: usize, wanted: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = at;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\n' => return None,
            b'"' | b'\'' => at = single_line_end(bytes, at),
            byte if *byte == wanted => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// The parts of a dotted key, as written but for the blanks around them.
pub(super) fn key_parts(key: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    while let Some(dot) = outside_quotes(key, start, b'.') {
        parts.push(key[start..dot].trim_matches(BLANKS));
        start = dot + 1;
    }
    parts.push(key[start..].trim_matches(BLANKS));
    parts
}

/// Numbers, booleans and datetimes: up to a comment or the end of the line. A datetime may have a blank inside.
fn bare_end(text: &str, at: usize) -> usize {
    let line = &text[at..line_end(text, at)];
    let value = line.split_once('#').map_or(line, |(value, _)| value);
    at + value.trim_end_matches(BLANKS).len()
}

fn brackets_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut depth = 0usize;
    let mut at = at;
    while let Some(byte) = bytes.get(at) {
        at = match byte {
            b'"' | b'\'' => string_end(bytes, at),
            b'#' => line_end(text, at),
            _ => at + 1,
        };
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    if bytes[at..].starts_with(&[quote; 3]) { multi_line_end(bytes, at + 3, quote) } else { single_line_end(bytes, at) }
}

fn single_line_end(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let mut at = at + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\n' => return at,
            b'\\' if quote == b'"' => at += 2,
            _ if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Up to two quotes may stand right before the three that close the string.
fn multi_line_end(bytes: &[u8], content: usize, quote: u8) -> usize {
    let mut at = content;
    while at < bytes.len() {
        if bytes[at..].starts_with(&[quote; 3]) {
            let extra = bytes[at + 3..].iter().take(2).take_while(|byte| **byte == quote).count();
            return at + 3 + extra;
        }
        at += if bytes[at] == b'\\' && quote == b'"' { 2 } else { 1 };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_they_end() {
        for (value, rest) in [
            ("1", " # one\n"),
            ("1979-05-27 07:32:00", "  # a blank inside\n"),
            ("true", "\r\n"),
            (r#""a # \" b""#, " # c\n"),
            (r"'a \'", "\n"),
            ("\"\"", "\n"),
            ("\"\"\"\"\"\"", "\n"),
            ("\"\"\"a\n\\\"\"\"b\"\"\"\"\"", " #\n"),
            ("'''\n'' \\'''''", "\n"),
            ("[\n  1, # ]\n  \"]\", { a = ']' } ]", " # ]\n"),
            ("{ a = \"\"\"}\n\"\"\", b = [[], []] }", "\n"),
        ] {
            let text = format!("{value}{rest}");
            assert_eq!(&text[..value_end(&text, 0)], value);
        }
    }

    #[test]
    fn keys_are_cut_at_dots_outside_of_quotes() {
        assert_eq!(key_parts(r#" a . "b.\".c" .'d."'. e"#), ["a", r#""b.\".c""#, r#"'d."'"#, "e"]);
        assert_eq!(key_parts(r#""""#), [r#""""#]);
    }
}
