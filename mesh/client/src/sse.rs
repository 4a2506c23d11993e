//! Server-sent events, as the WHATWG's HTML standard (section 9.2.6) has them, as far as this API uses them.

use crate::limits::EVENT_BYTES;

/// Takes bytes as they come and gives whole events' data.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    buffer: Vec<u8>,
    /// Where in the buffer no line end has been looked for yet.
    looked: usize,
    data: Vec<u8>,
}

/// An event passed [`EVENT_BYTES`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {EVENT_BYTES} bytes")]
pub(crate) struct TooLong;

impl Parser {
    /// Takes more bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.buffer.len() + self.data.len() + bytes.len() > 2 * EVENT_BYTES {
            return Err(TooLong);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The next event's data, once all of it is there. Comments and other fields are passed over.
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        while let Some(line) = self.line() {
            if line.is_empty() && !self.data.is_empty() {
                return Some(std::mem::take(&mut self.data));
            }
            if let Some(data) = line.strip_prefix(b"data:") {
                if !self.data.is_empty() {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
            }
        }
        None
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let Some(end) = self.buffer[self.looked..].iter().position(|&byte| byte == b'\n') else {
            self.looked = self.buffer.len();
            return None;
        };
        let mut line: Vec<u8> = self.buffer.drain(..=self.looked + end).collect();
        self.looked = 0;
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(parser: &mut Parser) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| parser.next()).collect()
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut parser = Parser::default();
        let chunk = vec![b'x'; EVENT_BYTES];
        assert_eq!(parser.push(&chunk).and_then(|()| parser.push(&chunk)), Ok(()));
        assert_eq!(parser.push(b"x"), Err(TooLong));
    }

    proptest! {
        #[test]
        fn events_are_whole_however_they_are_cut(cuts in prop::collection::vec(0usize..40, 0..8)) {
            let text = b": hello\n\nid: 7\ndata: {\"a\":1}\n\n:\n\ndata:x\r\ndata: y\r\n\r\ndata: half";
            let mut parser = Parser::default();
            let mut events = Vec::new();
            let mut rest = &text[..];
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                parser.push(head).unwrap();
                events.append(&mut all(&mut parser));
                rest = tail;
            }
            parser.push(rest).unwrap();
            events.append(&mut all(&mut parser));
            prop_assert_eq!(events, vec![b"{\"a\":1}".to_vec(), b"x\ny".to_vec()]);
        }

        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut parser = Parser::default();
            parser.push(&bytes).unwrap();
            let data: usize = all(&mut parser).iter().map(Vec::len).sum();
            prop_assert!(data <= bytes.len());
        }
    }
}
