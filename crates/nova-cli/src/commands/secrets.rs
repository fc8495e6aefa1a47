//! `nova secrets`: names, shows and rotates what deploy generated.

use anyhow::Context;

use super::Session;
use crate::cli::{Format, Secrets};
use crate::exit::Exit;
use crate::output::Output;

pub(super) fn run(session: &Session, action: &Secrets) -> anyhow::Result<Exit> {
    let path = session.layout()?.secrets_file();
    let mut secrets = nova_platform::secrets::Secrets::load(&path)
        .with_context(|| format!("no secrets of platform {}", session.name()))?;
    match action {
        Secrets::List => {
            let names: Vec<&str> = secrets.names().collect();
            if session.output.format == Format::Json {
                Output::json(&serde_json::json!({"schema": "nova.secrets/v1", "names": names}))?;
            } else {
                println!("{}", names.join("\n"));
            }
        }
        Secrets::Show { name } => println!("{}", secrets.reveal(name)?),
        Secrets::Rotate { name } => {
            secrets.rotate(name)?;
            secrets.save(&path)?;
            session.layout()?.write_service_secrets(&secrets)?;
            eprintln!("rotated {name}");
        }
    }
    Ok(Exit::Done)
}
