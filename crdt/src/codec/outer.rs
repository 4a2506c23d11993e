//! What lies around the text of every format: the byte order mark, CRLF line ends, the final newline.

use super::SyntaxError;
use crate::tree::FileStyle;
use std::borrow::Cow;

/// U+FEFF at the start of a UTF-8 file.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The style of a file, and its text as a codec sees it: LF, and empty or ending with a newline.
///
/// # Errors
/// If the file isn't UTF-8.
pub(super) fn take_off(bytes: &[u8]) -> Result<(FileStyle, Cow<'_, str>), SyntaxError> {
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    let (byte_order_mark, text) = match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let crlf = ends_all_lines_with_crlf(text);
    let final_newline = text.is_empty() || text.ends_with('\n');
    let mut text = if crlf { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) };
    if !final_newline {
        text.to_mut().push('\n');
    }
    Ok((FileStyle { byte_order_mark, crlf, final_newline }, text))
}

/// The bytes of a file whose text and style are given: the inverse of [`take_off`].
///
/// A final newline that ends an empty line stays, whatever the style says: without it, that line would be gone.
pub(super) fn put_back(style: FileStyle, text: &str) -> Vec<u8> {
    let mut text = text;
    if !style.final_newline
        && let Some(shorter) = text.strip_suffix('\n')
        && !shorter.is_empty()
        && !shorter.ends_with('\n')
    {
        text = shorter;
    }
    let mut bytes = Vec::with_capacity(text.len() + BYTE_ORDER_MARK.len());
    if style.byte_order_mark {
        bytes.extend_from_slice(BYTE_ORDER_MARK.as_bytes());
    }
    if style.crlf {
        // Fragments of a file that mixed its line ends bring their own carriage returns.
        bytes.extend_from_slice(text.replace("\r\n", "\n").replace('\n', "\r\n").as_bytes());
    } else {
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// Whether there is a line end and each is CRLF, with no other carriage return before it. A lone carriage return is text.
fn ends_all_lines_with_crlf(text: &str) -> bool {
    let line_ends = text.bytes().filter(|&byte| byte == b'\n').count();
    line_ends > 0 && text.matches("\r\n").count() == line_ends && !text.contains("\r\r\n")
}

fn not_utf8(bytes: &[u8], offset: usize) -> SyntaxError {
    let before = String::from_utf8_lossy(&bytes[..offset]);
    SyntaxError::at(&before, before.len(), format!("the byte 0x{:02x} is not UTF-8", bytes[offset]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_codec_sees_lf_text_that_ends_with_a_newline() {
        let cases = [
            ("", false, false, true, ""),
            ("\u{feff}", true, false, true, ""),
            ("a", false, false, false, "a\n"),
            ("a\n", false, false, true, "a\n"),
            ("a\r\nb\r\n", false, true, true, "a\nb\n"),
            ("\u{feff}a\r\nb", true, true, false, "a\nb\n"),
            ("a\r\nb\n", false, false, true, "a\r\nb\n"),
            ("a\rb\n", false, false, true, "a\rb\n"),
            ("a\r", false, false, false, "a\r\n"),
            ("a\r\nb\r", false, true, false, "a\nb\r\n"),
            ("a\r\r\nb\r\n", false, false, true, "a\r\r\nb\r\n"),
        ];
        for (file, byte_order_mark, crlf, final_newline, text) in cases {
            let (style, seen) = take_off(file.as_bytes()).unwrap();
            assert_eq!((style, &*seen), (FileStyle { byte_order_mark, crlf, final_newline }, text), "{file:?}");
        }
    }

    #[test]
    fn a_byte_that_is_not_utf8_is_named_with_its_place() {
        let error = take_off(b"a\n\xc3\xa9\xff").unwrap_err();
        assert_eq!(error.to_string(), "line 2, column 2: the byte 0xff is not UTF-8");
    }

    #[test]
    fn an_empty_last_line_outlives_a_missing_final_newline() {
        let style = FileStyle { final_newline: false, ..FileStyle::default() };
        assert_eq!(put_back(style, "a\n\n"), b"a\n\n");
        assert_eq!(put_back(style, "a\n"), b"a");
        assert_eq!(put_back(style, "\n"), b"\n");
    }

    proptest! {
        #![proptest_config(crate::testing::cases(256))]

        #[test]
        fn what_is_taken_off_is_put_back(file in "(\u{feff})?([a\r\n]|\r\n){0,12}") {
            let (style, text) = take_off(file.as_bytes()).unwrap();
            prop_assert!(text.is_empty() || text.ends_with('\n'));
            prop_assert_eq!(put_back(style, &text), file.as_bytes());
        }
    }
}
