//! The Murmurate daemon and its command line.

fn main() -> std::process::ExitCode {
    murmurate::cli::main()
}
