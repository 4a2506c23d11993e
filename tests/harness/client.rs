//! The library, for tests that ask more often than processes could be started.

use std::path::Path;

use murmurate_client::types::{PutResult, PutValue};
use murmurate_client::{Error, Mesh};
use tokio::runtime::{Builder, Runtime};

/// A client of one daemon.
pub(crate) struct Client {
    runtime: Runtime,
    mesh: Mesh,
}

impl Client {
    pub(crate) fn attach(socket: &Path) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mesh = runtime.block_on(Mesh::attach_to(socket))?;
        Ok(Self { runtime, mesh })
    }

    /// Asks the daemon: `client.ask(|mesh| mesh.status())`.
    pub(crate) fn ask<'a, T, F: Future<Output = T>>(&'a self, question: impl FnOnce(&'a Mesh) -> F) -> T {
        self.runtime.block_on(question(&self.mesh))
    }

    pub(crate) fn put(&self, address: &str, value: &str) -> Result<PutResult, Error> {
        let value = PutValue { value: value.to_owned(), kind: None, expect: None };
        self.runtime.block_on(self.mesh.put(address, &value))
    }

    pub(crate) fn write_file(&self, doc: &str, text: &str) -> Result<PutResult, Error> {
        self.runtime.block_on(self.mesh.write_file(doc, text.to_owned()))
    }
}
