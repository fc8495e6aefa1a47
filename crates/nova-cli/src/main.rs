//! The `nova` command: parse, call the platform or its target, print. No logic of its own.

mod cli;
mod commands;
mod exit;
mod output;
mod progress;
mod version;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::output::Output;
use crate::output::guide::Section;

fn main() -> ExitCode {
    // clap prints usage errors itself, in colour where that is wanted, and ends with our exit code for wrong usage.
    let cli = Cli::parse();
    let output = Output::new(&cli.global);
    start_logging(output.verbose);
    commands::run(cli, output)
        .unwrap_or_else(|error| report(&error, output))
        .into()
}

/// The tool's own log goes to stderr: warnings always, what it does when asked.
fn start_logging(verbose: bool) {
    let level = if verbose {
        tracing::Level::DEBUG
    } else {
        tracing::Level::WARN
    };
    let filter = tracing_subscriber::EnvFilter::new(format!(
        "off,nova={level},nova_drill={level},nova_kubernetes={level},nova_local={level},nova_platform={level}"
    ));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        // It would tell stderr that it cannot write to stderr, and panic at that: the supervisor's is a file, on a disk that may be full.
        .log_internal_errors(false)
        .init();
}

/// Prints why a command failed, with the place in nova.toml where there is one.
fn report(error: &anyhow::Error, output: Output) -> Exit {
    let exit = commands::exit_code(error);
    let guide = Section::of_error(error).map(Section::link);
    if output.format == cli::Format::Json {
        let text = format!("{error:#}");
        let object = serde_json::json!({"schema": "nova.error/v1", "error": text, "exit": exit as u8, "guide": guide});
        println!("{object:#}");
    }
    if let Some(load) = error.downcast_ref::<nova_platform::load::LoadError>() {
        let mut text = String::new();
        let handler = if output.color {
            miette::GraphicalReportHandler::new()
        } else {
            miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor())
        };
        if handler.render_report(&mut text, load).is_ok() {
            eprint!("{text}");
            return exit;
        }
    }
    eprintln!("{}", output.paint(output::RED, &format!("error: {error:#}")));
    if let Some(guide) = guide {
        eprintln!("{} {guide}", output.paint(output::BOLD, "guide:"));
    }
    exit
}
