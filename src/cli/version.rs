use clap::Args;
use murmurate_client::types::{self, V1};

use super::context::Context;
use super::failure::Stop;
use super::view::View;

#[derive(Debug, Args)]
pub(super) struct Version {}

impl Version {
    pub(super) fn run(self, context: &Context) -> Result<(), Stop> {
        let version = types::Version { v: V1, version: env!("CARGO_PKG_VERSION").to_owned(), api: V1::NUMBER };
        context.print(render(&version, &context.view()))
    }
}

fn render(version: &types::Version, view: &View) -> String {
    view.one(version, || format!("murmurate {}\n", version.version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::sheet;

    #[test]
    fn version() {
        let version = types::Version { v: V1, version: "0.1.0".into(), api: 1 };
        insta::assert_snapshot!(sheet(|view| render(&version, view)));
    }
}
