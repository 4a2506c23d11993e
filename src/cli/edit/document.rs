use murmurate_client::Mesh;
use murmurate_client::types::{ApiError, ErrorCode, PutResult, WriteOptions};

use super::Target;

/// A whole document, as it was opened; an empty one if there is none yet.
pub(super) struct WholeDocument {
    address: String,
    text: Vec<u8>,
    options: WriteOptions,
}

impl WholeDocument {
    pub(super) async fn open(mesh: &Mesh, address: &str) -> Result<Self, ApiError> {
        let address = address.to_owned();
        match mesh.read_file(&address).await {
            Ok(file) if file.heads.is_empty() => Err(ApiError::new(
                ErrorCode::Limit,
                format!("edit {address}"),
                "it was written on too many hosts at once to name its state",
                "put any of its keys, which brings them together; then edit it",
            )),
            Ok(file) => {
                let options = WriteOptions { at: Some(file.heads), ..WriteOptions::default() };
                Ok(Self { address, text: file.bytes, options })
            }
            Err(error) if error.code == ErrorCode::NotFound => {
                let options = WriteOptions { at: Some(String::new()), ..WriteOptions::default() };
                Ok(Self { address, text: Vec::new(), options })
            }
            Err(error) => Err(error),
        }
    }
}

impl Target for WholeDocument {
    fn text(&self) -> &[u8] {
        &self.text
    }

    fn file_name(&self) -> String {
        self.address.rsplit('/').next().unwrap_or_default().to_owned()
    }

    async fn write(&self, mesh: &Mesh, text: Vec<u8>) -> Result<PutResult, ApiError> {
        mesh.write_file_with(&self.address, text, &self.options).await
    }

    fn by_hand(&self, path: &str) -> String {
        format!("murmurate put {} @{path}", self.address)
    }
}
