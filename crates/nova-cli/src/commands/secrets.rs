//! `nova secrets`: names, shows and rotates what deploy generated.

use anyhow::bail;
use nova_local::target::LocalTarget;
use nova_platform::secrets::Secrets as Stored;

use super::Session;
use crate::cli::{Format, Secrets};
use crate::exit::Exit;
use crate::output::Output;

pub(super) fn run(session: &Session, action: &Secrets) -> anyhow::Result<Exit> {
    let target = LocalTarget::open(session.spec())?;
    let path = target.layout().secrets_file();
    if !path.exists() {
        bail!(
            "platform {} has no secrets yet: ./nova deploy generates them",
            session.name()
        );
    }
    let mut secrets = Stored::load(&path)?;
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
            let _lock = target.lock_existing("secrets rotate")?;
            secrets.rotate(name)?;
            secrets.save(&path)?;
            target.publish_secrets(&secrets)?;
            eprintln!("rotated {name}");
        }
    }
    Ok(Exit::Done)
}
