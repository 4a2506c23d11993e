//! What a command printed: its first and its last bytes, whatever comes between.

use std::collections::VecDeque;

use super::limits::OUTPUT_BYTES;

/// Takes in any number of bytes, and keeps few.
#[derive(Debug, Default)]
pub(super) struct Output {
    first: Vec<u8>,
    last: VecDeque<u8>,
    left_out: u64,
}

impl Output {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(OUTPUT_BYTES - self.first.len()));
        self.first.extend(first);
        let skipped = rest.len().saturating_sub(OUTPUT_BYTES);
        let over = (self.last.len() + rest.len() - skipped).saturating_sub(OUTPUT_BYTES);
        self.last.drain(..over);
        self.last.extend(&rest[skipped..]);
        self.left_out += (over + skipped) as u64;
    }

    /// As text: lines, without anything that a terminal would act on.
    pub(super) fn text(mut self) -> String {
        let last = self.last.make_contiguous();
        let text = match self.left_out {
            0 => printable(&[&self.first, &*last].concat()),
            left_out => format!("{}\n… {left_out} bytes …\n{}", printable(&self.first), printable(last)),
        };
        text.trim_end().to_owned()
    }
}

fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_long_output_are_kept() {
        let mut output = Output::default();
        output.take(b"first\x1b[31m\r\n");
        for _ in 0..1_000 {
            output.take(&[b'x'; 1_000]);
        }
        output.take(&[b'y'; 3 * OUTPUT_BYTES]);
        output.take(b"last\n");
        let text = output.text();
        assert!(text.starts_with("first[31m\nxxx") && text.ends_with("yyylast"));
        let left_out = 12 + 1_000_000 + 3 * OUTPUT_BYTES + 5 - 2 * OUTPUT_BYTES;
        assert!(text.contains(&format!("\n… {left_out} bytes …\n")));
        assert!(text.len() < 2 * OUTPUT_BYTES + 100);
    }

    #[test]
    fn a_short_output_is_kept_whole() {
        let mut output = Output::default();
        output.take(&[b'a'; OUTPUT_BYTES - 1]);
        output.take(b"bcd\n\xff");
        assert_eq!(output.text(), format!("{}bcd\n\u{fffd}", "a".repeat(OUTPUT_BYTES - 1)));
        assert_eq!(Output::default().text(), "");
    }
}
