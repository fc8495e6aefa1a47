//! What the shell and the manual need: `nova completion` and `nova man`.

use std::io::{self, Write};

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::aot::{Shell, generate};

use super::WrongUsage;
use crate::cli::{Cli, CompletedShell};
use crate::exit::Exit;

/// Prints what a shell reads to complete commands and flags.
pub(super) fn completion(shell: CompletedShell) -> anyhow::Result<Exit> {
    let shell = match shell {
        CompletedShell::Bash => Shell::Bash,
        CompletedShell::Zsh => Shell::Zsh,
        CompletedShell::Fish => Shell::Fish,
    };
    let mut text = Vec::new();
    generate(shell, &mut Cli::command(), "nova", &mut text);
    print(&text)
}

/// Prints the manual page of the tool, or of one command.
pub(super) fn man(of: Option<&str>) -> anyhow::Result<Exit> {
    let mut nova = Cli::command();
    nova.build();
    let page = match of {
        None => clap_mangen::Man::new(nova),
        Some(name) => {
            let found = nova.find_subcommand(name).filter(|found| !found.is_hide_set());
            let unknown = || WrongUsage(format!("there is no command {name:?}; ./nova --help names them"));
            clap_mangen::Man::new(found.ok_or_else(unknown)?.clone()).title(format!("nova-{name}"))
        }
    };
    let mut text = Vec::new();
    page.render(&mut text)?;
    print(&text)
}

/// Whoever reads may have read enough.
fn print(text: &[u8]) -> anyhow::Result<Exit> {
    match io::stdout().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("cannot print"),
        _ => Ok(Exit::Done),
    }
}
