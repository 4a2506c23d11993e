//! What people type: `DOC#KEY`.

use crate::id::DocumentId;
use crate::key::{Address, parse_key};
use crate::path::Path;
use crate::register::Register;

/// An address, a document's name, a path's and a register's text: read, written and read again, it is the same.
pub fn address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(address) = text.parse::<Address>() {
        let shown = address.to_string();
        // What is shown may be longer than what was typed: quotes.
        if let Ok(again) = shown.parse::<Address>() {
            assert_eq!(again, address, "{shown}");
            assert_eq!(again.to_string(), shown);
        } else {
            assert!(shown.len() > crate::limits::PATH_BYTES, "{shown} can't be read");
        }
    }
    if let Ok(document) = DocumentId::new(text) {
        let path = document.path();
        let is_inside = !path.starts_with('/') && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        assert!(is_inside && !document.folder().contains('/'), "{document}");
    }
    let _ = parse_key(text);
    if let Some(path) = Path::decode(text) {
        assert_eq!(Path::decode(&path.encode()), Some(path));
    }
    if let Some(register) = Register::from_name(text) {
        assert_eq!(Register::from_name(&register.name()), Some(register));
    }
}
