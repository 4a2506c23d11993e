//! The command line: one verb per file. Data goes to stdout, everything else to stderr.
//!
//! ```text
//!  arguments ─▶ verb ─▶ client library ─▶ daemon's socket
//!                 │
//!                 └▶ render (pure: data and view in, text out) ─▶ stdout
//! ```

mod ask;
mod bench;
mod completions;
mod conflicts;
mod context;
mod debug;
mod del;
mod dev;
mod diff;
mod doctor;
mod edit;
mod events;
mod export;
mod failure;
mod folder;
mod get;
mod host_flags;
mod import;
mod init;
mod input;
mod join;
mod keys;
mod leave;
mod ls;
mod man;
mod members;
mod node;
mod overlay_flags;
mod paths;
mod ping;
mod progress;
mod put;
mod resolve;
mod revoke;
mod status;
mod table;
#[cfg(test)]
mod testing;
mod ticket;
mod time;
mod up;
mod version;
mod view;
mod wait;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use murmurate_client::types::ValueType;

use crate::settings::{ClientFlags, ColorChoice, OutputFormat};
use context::Context;
use failure::Stop;

/// A config and membership mesh: edit a config file on any host, and it is merged on all of them.
#[derive(Debug, Parser)]
#[command(name = "murmurate", version, disable_version_flag = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// The daemon's socket
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// How data is printed
    #[arg(short, long, global = true, value_name = "FORMAT")]
    output: Option<OutputFormat>,
    /// When output is coloured
    #[arg(long, global = true, value_name = "WHEN")]
    color: Option<ColorChoice>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a mesh, with this host as its first
    Init(init::Init),
    /// Join a mesh with a ticket
    Join(join::Join),
    /// Tickets, with which other hosts join
    #[command(subcommand)]
    Ticket(ticket::Ticket),
    /// Run the daemon
    Up(up::Up),
    /// Leave the mesh for good
    Leave(leave::Leave),
    /// How this host fares
    Status(status::Status),
    /// The hosts of the mesh
    Members(members::Members),
    /// One host of the mesh, and its history
    Node(node::Node),
    /// Whether a host is there, and how far away
    Ping(ping::Ping),
    /// What happened to the mesh and to this host
    Events(events::Events),
    /// Certificates, and who may issue them
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Take a host out of the mesh for good
    Revoke(revoke::Revoke),
    /// The folders that this host keeps
    #[command(subcommand)]
    Folder(folder::Folder),
    /// List keys, or documents
    Ls(ls::Ls),
    /// Print a key's value, or a whole document
    Get(get::Get),
    /// Write a key, or a whole document
    Put(put::Put),
    /// Delete a key, or a whole document
    Del(del::Del),
    Edit(edit::Edit),
    Diff(diff::Diff),
    Export(export::Export),
    Import(import::Import),
    /// Print a line for each event
    Watch(watch::Watch),
    /// List open conflicts
    Conflicts(conflicts::Conflicts),
    /// Decide a conflict
    Resolve(resolve::Resolve),
    /// Wait for the mesh
    Wait(wait::Wait),
    /// Check this host: a line for each thing that must be right, with its fix
    Doctor(doctor::Doctor),
    /// Look into the daemon: its log, and what a bug report needs
    #[command(subcommand)]
    Debug(debug::Debug),
    /// Print a shell's completion script
    Completions(completions::Completions),
    /// Print or write the manual pages
    Man(man::Man),
    /// Print every path that is used, with its source
    Paths(paths::Paths),
    /// Print the version
    Version(version::Version),
    /// Measure this mesh, or one of its own
    Bench(bench::Bench),
    /// Try it out: a mesh of real daemons on this machine
    Dev(dev::Dev),
}

/// The types that `--type` takes.
fn put_type(name: &str) -> Result<ValueType, String> {
    let kind = ValueType::WRITABLE.into_iter().find(|kind| kind.name() == name);
    kind.ok_or_else(|| format!("the types are {}", ValueType::WRITABLE.map(ValueType::name).join(", ")))
}

/// Runs the command that the process's arguments give, and says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { global, command } = Cli::parse();
    let json = matches!(global.output, Some(OutputFormat::Json | OutputFormat::Jsonl));
    let flags = ClientFlags { socket: global.socket, output: global.output, color: global.color };
    match run(flags, command) {
        Ok(()) | Err(Stop::ReaderGone) => ExitCode::SUCCESS,
        Err(Stop::Failed(error)) => {
            context::complain(&error, json);
            ExitCode::from(error.exit)
        }
    }
}

fn run(flags: ClientFlags, command: Command) -> Result<(), Stop> {
    // The daemon has settings of its own; the client's don't concern it.
    if let Command::Up(up) = command {
        return Ok(up.run(flags.socket)?);
    }
    if let Command::Init(init) = command {
        return init.run(&flags);
    }
    let context = Context::new(&flags)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failure::io("start the command", &error))?;
    runtime.block_on(carry_out(command, &flags, &context))
}

async fn carry_out(command: Command, flags: &ClientFlags, context: &Context) -> Result<(), Stop> {
    match command {
        // These have been carried out before.
        Command::Up(_) | Command::Init(_) => Ok(()),
        Command::Join(verb) => verb.run(flags).await,
        Command::Ticket(verb) => verb.run(context).await,
        Command::Leave(verb) => verb.run(context).await,
        Command::Node(verb) => verb.run(context).await,
        Command::Ping(verb) => verb.run(context).await,
        Command::Events(verb) => verb.run(context).await,
        Command::Keys(verb) => verb.run(context).await,
        Command::Revoke(verb) => verb.run(context).await,
        Command::Status(verb) => verb.run(context).await,
        Command::Members(verb) => verb.run(context).await,
        Command::Folder(verb) => verb.run(context).await,
        Command::Ls(verb) => verb.run(context).await,
        Command::Get(verb) => verb.run(context).await,
        Command::Put(verb) => verb.run(context).await,
        Command::Del(verb) => verb.run(context).await,
        Command::Edit(verb) => verb.run(context).await,
        Command::Diff(verb) => verb.run(context).await,
        Command::Export(verb) => verb.run(context).await,
        Command::Import(verb) => verb.run(context).await,
        Command::Watch(verb) => verb.run(context).await,
        Command::Conflicts(verb) => verb.run(context).await,
        Command::Resolve(verb) => verb.run(context).await,
        Command::Wait(verb) => verb.run(context).await,
        Command::Doctor(verb) => verb.run(context).await,
        Command::Debug(verb) => verb.run(context).await,
        Command::Completions(verb) => verb.run(context),
        Command::Man(verb) => verb.run(context),
        Command::Paths(verb) => verb.run(context),
        Command::Version(verb) => verb.run(context),
        Command::Bench(verb) => verb.run(context).await,
        Command::Dev(verb) => verb.run(context).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_agree_with_themselves() {
        Cli::command().debug_assert();
    }

    #[test]
    fn negative_numbers_are_values_and_flags_may_follow() {
        let cli = Cli::try_parse_from(["murmurate", "put", "a/b#c", "-5", "-o", "json", "--socket", "/s"]).unwrap();
        assert_eq!(cli.global.output, Some(OutputFormat::Json));
        assert!(matches!(cli.command, Command::Put(put) if put.value == "-5"));
    }

    #[test]
    fn usage_errors_end_with_2() {
        for arguments in
            [&["murmurate", "gte"][..], &["murmurate"], &["murmurate", "wait"], &["murmurate", "resolve", "a/b#c"]]
        {
            assert_eq!(Cli::try_parse_from(arguments).unwrap_err().exit_code(), 2, "{arguments:?}");
        }
    }
}
