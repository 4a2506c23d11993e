use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, bold, roman};
use murmurate_client::types::{ApiError, ErrorCode, Exit};

use super::Cli;
use super::context::Context;
use super::failure::{self, Stop};

/// How a command may end, for every page.
const EXITS: [(Exit, &str); 10] = [
    (Exit::Done, "Done."),
    (Exit::Failed, "Failed; the error says why and what to try."),
    (Exit::Usage, "Asked the wrong way: an unknown flag, address or setting."),
    (Exit::NotFound, "There is no such document, key, folder or conflict."),
    (Exit::Conflict, "In conflict, or not what was expected."),
    (Exit::Unreachable, "The daemon isn't reachable."),
    (Exit::NoQuorum, "There is no quorum."),
    (Exit::Timeout, "Not in time, or not converged."),
    (Exit::Denied, "Not allowed."),
    (Exit::Partial, "Done in part: some hosts are silent."),
];

/// What is where, for every page.
const FILES: [(&str, &str); 6] = [
    ("/etc/murmurate/daemon.toml", "The daemon's settings; as a user below XDG_CONFIG_HOME."),
    ("$XDG_CONFIG_HOME/murmurate/config.toml", "The command line's settings."),
    ("/var/lib/murmurate", "The daemon's state: identity and store; as a user below XDG_STATE_HOME."),
    ("/run/murmurate/murmurate.sock", "The daemon's socket; as a user below XDG_RUNTIME_DIR."),
    ("/run/murmurate", "What must not outlive a reboot. Don't keep it in backups."),
    ("FOLDER/.murmurate", "In each watched folder: the marker, and files on their way into place."),
];

/// Print or write the manual pages. They are made from the same definitions as the commands.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write all pages into this directory
    #[arg(long, value_name = "DIR", conflicts_with = "verb")]
    dir: Option<PathBuf>,
    /// Print the page of this verb, like `folder add`; without one, the program's
    verb: Vec<String>,
}

impl Man {
    pub(super) fn run(self, context: &Context) -> Result<(), Stop> {
        let pages = pages()?;
        if let Some(dir) = self.dir {
            write_all(&dir, &pages)?;
            context.note(&format!("{} pages are in {}", pages.len(), dir.display()));
            return Ok(());
        }
        let name = [&["murmurate".to_owned()], &self.verb[..]].concat().join("-");
        let page = pages.into_iter().find(|(file, _)| *file == format!("{name}.1"));
        let (_, text) = page.ok_or_else(|| unknown(&self.verb))?;
        context.print(text)
    }
}

fn unknown(verb: &[String]) -> ApiError {
    let what = format!("print the page of `{}`", verb.join(" "));
    ApiError::new(ErrorCode::NotFound, what, "there is no such verb", "`murmurate --help` lists them")
}

fn write_all(dir: &Path, pages: &[(String, Vec<u8>)]) -> Result<(), ApiError> {
    let failed = |error: io::Error| failure::io(&format!("write manual pages into {}", dir.display()), &error);
    fs::create_dir_all(dir).map_err(failed)?;
    pages.iter().try_for_each(|(file, text)| fs::write(dir.join(file), text)).map_err(failed)
}

/// Every page's file name and text: the program's, and one for each verb.
fn pages() -> Result<Vec<(String, Vec<u8>)>, ApiError> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    collect(&program, &mut pages).map_err(|error| failure::io("make the manual pages", &error))?;
    Ok(pages)
}

fn collect(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    pages.push((format!("{name}.1"), page(command, name)?));
    let mut shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    shown.try_for_each(|verb| collect(verb, pages))
}

fn page(command: &Command, name: String) -> io::Result<Vec<u8>> {
    let page = Page::new(command.clone())
        .title(name.to_uppercase())
        .source(format!("murmurate {}", env!("CARGO_PKG_VERSION")))
        .manual("Murmurate");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.get_subcommands().any(|verb| !verb.is_hide_set()) {
        page.render_subcommands_section(&mut text)?;
    }
    if let Some(help) = command.get_after_help() {
        examples(&help.to_string()).to_writer(&mut text)?;
    }
    common_sections(&name).to_writer(&mut text)?;
    Ok(text)
}

/// What `--help` ends with.
fn examples(help: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in help.lines().skip(1) {
        roff.text([roman(line.trim_start())]);
    }
    roff.control("fi", []);
    roff
}

fn common_sections(name: &str) -> Roff {
    let mut roff = Roff::new();
    let mut list = |heading: &str, entries: &mut dyn Iterator<Item = (String, &str)>| {
        roff.control("SH", [heading]);
        for (term, text) in entries {
            roff.control("TP", []).text([bold(term)]).text([roman(text)]);
        }
    };
    list("EXIT STATUS", &mut EXITS.iter().map(|(exit, text)| (exit.number().to_string(), *text)));
    list("FILES", &mut FILES.iter().map(|(path, text)| ((*path).to_owned(), *text)));
    roff.control("SH", ["SEE ALSO"]);
    let parent = name.rsplit_once('-').map(|(parent, _)| parent);
    let others = [parent, Some("murmurate-paths"), Some("murmurate-doctor")].into_iter().flatten();
    let others = others.filter(|other| *other != name).map(|other| format!("{other}(1)"));
    roff.text([roman(others.collect::<Vec<_>>().join(", "))]);
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All commands that people are shown, with their parents' names.
    fn commands() -> Vec<Command> {
        fn below(command: &Command) -> Vec<Command> {
            let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
            [vec![command.clone()], shown.flat_map(below).collect()].concat()
        }
        let mut program = Cli::command().disable_help_subcommand(true);
        program.build();
        below(&program)
    }

    #[test]
    fn every_verb_has_a_page_with_all_sections() {
        let pages = pages().unwrap();
        assert_eq!(pages.len(), commands().len());
        for command in commands() {
            let name = command.get_display_name().unwrap_or(command.get_name());
            let (_, text) = pages.iter().find(|(file, _)| *file == format!("{name}.1")).unwrap();
            let text = std::str::from_utf8(text).unwrap();
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "\"EXIT STATUS\"", "FILES", "\"SEE ALSO\""] {
                assert!(text.contains(&format!(".SH {section}")), "{name} lacks {section}:\n{text}");
            }
        }
        assert!(pages.iter().any(|(file, _)| file == "murmurate-folder-add.1"));
    }

    #[test]
    fn every_verb_and_every_argument_is_explained() {
        for command in commands() {
            let name = command.get_display_name().unwrap_or(command.get_name());
            assert!(command.get_about().is_some(), "{name}");
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty(), "{name}: {}", argument.get_id());
            }
        }
    }

    #[test]
    fn a_page() {
        let pages = pages().unwrap();
        let (_, text) = pages.iter().find(|(file, _)| file == "murmurate-folder-confirm.1").unwrap();
        insta::assert_snapshot!(String::from_utf8_lossy(text).replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }
}
