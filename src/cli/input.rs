//! Values from the command line: `VALUE`, `@file` or `-`.

use std::fs::File;
use std::io::{self, Read};

use murmurate_client::types::{ApiError, ErrorCode};

use super::failure;

/// The most that is read: what the API takes.
const INPUT_BYTES: u64 = 8 << 20;

/// The bytes that an argument stands for.
pub(super) fn bytes(argument: &str, literal: bool) -> Result<Vec<u8>, ApiError> {
    match argument {
        _ if literal => Ok(argument.as_bytes().to_vec()),
        "-" => read(io::stdin().lock(), "stdin"),
        _ => match argument.strip_prefix('@') {
            Some(path) => {
                let file = File::open(path).map_err(|error| failure::io(&format!("read {path}"), &error))?;
                read(file, path)
            }
            None => Ok(argument.as_bytes().to_vec()),
        },
    }
}

/// The text that an argument stands for. The final newline of a file isn't part of a value, as in a shell's `$(..)`.
pub(super) fn text(argument: &str, literal: bool) -> Result<String, ApiError> {
    let from_elsewhere = !literal && (argument == "-" || argument.starts_with('@'));
    let mut text = String::from_utf8(bytes(argument, literal)?).map_err(|_| {
        let try_ = "write binary content as a whole document: `murmurate put DOC @file`";
        ApiError::new(ErrorCode::BadValue, format!("take `{argument}` as a value"), "it isn't UTF-8 text", try_)
    })?;
    if from_elsewhere && text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

pub(super) fn read(source: impl Read, name: &str) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    source
        .take(INPUT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failure::io(&format!("read {name}"), &error))?;
    if bytes.len() as u64 <= INPUT_BYTES {
        return Ok(bytes);
    }
    Err(ApiError::new(
        ErrorCode::TooLarge,
        format!("read {name}"),
        format!("it is larger than {INPUT_BYTES} bytes"),
        "split it: a file may have 8 MiB, a value 1 MiB",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_stand_for_files_unless_taken_literally() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "a\nb\r\n").unwrap();
        let argument = format!("@{}", path.display());
        assert_eq!(text(&argument, false).unwrap(), "a\nb");
        assert_eq!(bytes(&argument, false).unwrap(), b"a\nb\r\n");
        assert_eq!(text(&argument, true).unwrap(), argument);
        assert_eq!(text("plain\n", false).unwrap(), "plain\n");
        assert_eq!(text("@/nonexistent", false).unwrap_err().code, ErrorCode::NotFound);
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(text(&argument, false).unwrap_err().code, ErrorCode::BadValue);
        File::create(&path).unwrap().set_len(INPUT_BYTES + 1).unwrap();
        assert_eq!(bytes(&argument, false).unwrap_err().code, ErrorCode::TooLarge);
    }
}
