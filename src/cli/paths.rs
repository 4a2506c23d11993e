use clap::Args;

use super::context::Context;
use super::failure::Stop;
use super::table::{Cell, Table};
use super::view::{Style, View};
use crate::paths;
use crate::settings::{DaemonFlags, Settings};

#[derive(Debug, Args)]
pub(super) struct Paths {}

impl Paths {
    pub(super) fn run(self, context: &Context) -> Result<(), Stop> {
        let flag = &context.settings.socket;
        let socket = flag.source.starts_with("flag").then(|| flag.value.clone());
        let daemon = Settings::load(&DaemonFlags { socket, ..DaemonFlags::default() }, &context.surroundings)?;
        context.print(render(&paths::Paths::of(&context.settings, &daemon), &context.view()))
    }
}

fn render(paths: &paths::Paths, view: &View) -> String {
    let mut table = Table::new(&["WHAT", "PATH", "SOURCE"]);
    for entry in &paths.paths {
        let source = Cell::new(entry.source.as_str(), Style::Dim);
        table.row([entry.what.into(), entry.path.display().to_string().into(), source]);
    }
    view.list(paths, &paths.paths, table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::sheet;
    use crate::settings::{ClientFlags, ClientSettings, Surroundings};

    #[test]
    fn paths() {
        let variables = [("HOME", "/nonexistent/ann"), ("MURMURATE_DATA_DIR", "/srv/mesh")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let surroundings = Surroundings { variables: variables.into(), uid: 1000, host_name: "web-1".into() };
        let flags = ClientFlags { socket: Some("/s.sock".into()), ..ClientFlags::default() };
        let client = ClientSettings::load(&flags, &surroundings).unwrap();
        let daemon = Settings::load(&DaemonFlags::default(), &surroundings).unwrap();
        insta::assert_snapshot!(sheet(|view| render(&paths::Paths::of(&client, &daemon), view)));
    }
}
