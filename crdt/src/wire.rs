//! The primitives of every binary format of the project: frames, envelopes and store records.
//!
//! Integers are unsigned LEB128, at most ten bytes and in their shortest form; byte strings carry their length in
//! front. A [`Decoder`] never reads past its input, and never allocates more than the bytes that are really there.

/// Why bytes could not be decoded. Nothing was changed by the attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input ended inside a value.
    #[error("the bytes end inside {0}")]
    Truncated(&'static str),
    /// A value is outside what the format allows.
    #[error("{what}: {why}")]
    Invalid {
        /// The field that was being read.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Bytes remain where the format ends.
    #[error("{0} bytes too many at the end")]
    Trailing(usize),
}

/// The longest LEB128 form of a `u64`.
const VARINT_MAX_BYTES: usize = 10;

/// Appends values to a byte buffer.
#[derive(Debug, Default, Clone)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes written so far.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// How many bytes were written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    /// An unsigned integer as LEB128.
    pub fn varint(&mut self, mut value: u64) -> &mut Self {
        loop {
            let low = value.to_le_bytes()[0] & 0x7f;
            value >>= 7;
            if value == 0 {
                self.bytes.push(low);
                return self;
            }
            self.bytes.push(low | 0x80);
        }
    }

    /// Bytes whose length the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Bytes with their length in front.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.varint(bytes.len() as u64);
        self.raw(bytes)
    }

    /// UTF-8 text with its length in front.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }
}

/// Reads values from the front of a byte slice.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Succeeds only at the end of the input.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`] when bytes remain.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing(self.rest.len())) }
    }

    /// One byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] at the end of the input.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        Ok(self.raw(1, what)?[0])
    }

    /// An unsigned LEB128 integer.
    ///
    /// # Errors
    /// When the input ends, the number passes `u64`, or it isn't in its shortest form.
    pub fn varint(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for index in 0..VARINT_MAX_BYTES {
            let byte = self.u8(what)?;
            let part = u64::from(byte & 0x7f);
            if index == VARINT_MAX_BYTES - 1 && part > 1 {
                return Err(DecodeError::Invalid { what, why: "the number passes 64 bits" });
            }
            value |= part << (7 * index);
            if byte & 0x80 == 0 {
                if byte == 0 && index > 0 {
                    return Err(DecodeError::Invalid { what, why: "the number isn't in its shortest form" });
                }
                return Ok(value);
            }
        }
        Err(DecodeError::Invalid { what, why: "the number passes 64 bits" })
    }

    /// An unsigned LEB128 integer of at most `limit`, as a size.
    ///
    /// # Errors
    /// As [`Self::varint`], and when the number passes `limit`.
    pub fn size(&mut self, limit: usize, what: &'static str) -> Result<usize, DecodeError> {
        let value = self.varint(what)?;
        match usize::try_from(value) {
            Ok(size) if size <= limit => Ok(size),
            _ => Err(DecodeError::Invalid { what, why: "past the limit" }),
        }
    }

    /// Exactly `length` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when fewer remain.
    pub fn raw(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated(what))?;
        self.rest = rest;
        Ok(head)
    }

    /// Exactly `N` bytes as an array.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when fewer remain.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated(what))?;
        self.rest = rest;
        Ok(*head)
    }

    /// Bytes with their length in front, at most `limit` of them.
    ///
    /// # Errors
    /// When the input ends or the length passes `limit`.
    pub fn bytes(&mut self, limit: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = self.size(limit, what)?;
        self.raw(length, what)
    }

    /// UTF-8 text with its length in front, at most `limit` bytes of it.
    ///
    /// # Errors
    /// As [`Self::bytes`], and when the bytes aren't UTF-8.
    pub fn text(&mut self, limit: usize, what: &'static str) -> Result<&'a str, DecodeError> {
        let bytes = self.bytes(limit, what)?;
        std::str::from_utf8(bytes).map_err(|_| DecodeError::Invalid { what, why: "not UTF-8" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_in_a_longer_form_than_needed_is_refused() {
        assert!(Decoder::new(&[0x80, 0x00]).varint("n").is_err());
        assert!(Decoder::new(&[0xff; 11]).varint("n").is_err());
    }

    proptest! {
        #![proptest_config(crate::testing::cases(256))]

        #[test]
        fn what_was_written_is_read_back(number: u64, text: String, bytes: Vec<u8>) {
            let mut encoder = Encoder::new();
            encoder.varint(number).text(&text).bytes(&bytes);
            let encoded = encoder.finish();
            let mut decoder = Decoder::new(&encoded);
            prop_assert_eq!(decoder.varint("number"), Ok(number));
            prop_assert_eq!(decoder.text(usize::MAX, "text"), Ok(text.as_str()));
            prop_assert_eq!(decoder.bytes(usize::MAX, "bytes"), Ok(bytes.as_slice()));
            prop_assert_eq!(decoder.finish(), Ok(()));
        }
    }
}
