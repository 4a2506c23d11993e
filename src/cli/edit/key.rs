use murmurate_client::Mesh;
use murmurate_client::types::{ApiError, Entry, ErrorCode, PutResult, PutValue, ValueType};

use super::Target;

/// A key's value, as it was opened.
pub(super) struct OneKey {
    address: String,
    entry: Entry,
    text: Vec<u8>,
}

impl OneKey {
    pub(super) async fn open(mesh: &Mesh, address: &str) -> Result<Self, ApiError> {
        let mut address = address.to_owned();
        let mut entry = mesh.get(&address).await?;
        if let Some(overlay) = &entry.overlay {
            // What this host shows there is the overlay's: like in the file, that is what is edited.
            address = format!("{}?{overlay}#{}", entry.doc, entry.key);
            entry = mesh.get(&address).await?;
        }
        if entry.value.kind == ValueType::Table {
            let what = format!("edit {address}");
            let doc = address.split('#').next().unwrap_or_default();
            let why = "a table stands there, not a value";
            return Err(ApiError::new(
                ErrorCode::BadValue,
                what,
                why,
                format!("`murmurate edit {doc}`, or one of its keys"),
            ));
        }
        let text = (entry.value.bare() + "\n").into_bytes();
        Ok(Self { address, entry, text })
    }

    /// The value in a saved text. Editors end the last line, which no value does.
    fn value(&self, text: Vec<u8>) -> Result<PutValue, ApiError> {
        let text = String::from_utf8(text).map_err(|_| {
            let what = format!("take the text as the value of {}", self.address);
            ApiError::new(ErrorCode::BadValue, what, "it isn't UTF-8", "save it as UTF-8")
        })?;
        let value = text.strip_suffix('\n').unwrap_or(&text);
        let value = value.strip_suffix('\r').unwrap_or(value).to_owned();
        // Text stays text, whatever it looks like now.
        let kind = (self.entry.value.kind == ValueType::String).then_some(ValueType::String);
        Ok(PutValue { value, kind, expect: None })
    }
}

impl Target for OneKey {
    fn text(&self) -> &[u8] {
        &self.text
    }

    fn file_name(&self) -> String {
        "value.txt".into()
    }

    fn is_unchanged(&self, text: &[u8]) -> bool {
        text == self.text || self.text.strip_suffix(b"\n") == Some(text)
    }

    async fn write(&self, mesh: &Mesh, text: Vec<u8>) -> Result<PutResult, ApiError> {
        mesh.put_at(&self.address, &self.entry.heads, &self.value(text)?).await
    }

    fn by_hand(&self, path: &str) -> String {
        format!("murmurate put '{}' @{path}", self.address)
    }
}
