//! `nova secrets`: names, shows and rotates what deploy generated.

use anyhow::anyhow;
use nova_kubernetes::target::KubernetesTarget;
use nova_local::target::LocalTarget;
use nova_platform::secrets::Secrets as Stored;

use super::Session;
use crate::cli::{Format, Secrets, TargetKind};
use crate::exit::Exit;
use crate::output::Output;

pub(super) async fn run(session: &Session, action: &Secrets) -> anyhow::Result<Exit> {
    match session.kind {
        TargetKind::Local => here(session, action),
        TargetKind::Kubernetes => in_cluster(session, action).await,
    }
}

fn here(session: &Session, action: &Secrets) -> anyhow::Result<Exit> {
    let target = LocalTarget::open(session.spec())?;
    let path = target.layout().secrets_file();
    if !path.exists() {
        return Err(none_yet(session));
    }
    let mut secrets = Stored::load(&path)?;
    if let Secrets::Rotate { name } = action {
        let _lock = target.lock_existing("secrets rotate")?;
        secrets.rotate(name)?;
        secrets.save(&path)?;
        target.publish_secrets(&secrets)?;
        eprintln!("rotated {name}");
    }
    print(session, &secrets, action)
}

async fn in_cluster(session: &Session, action: &Secrets) -> anyhow::Result<Exit> {
    let target = session.in_cluster().await?;
    if let Secrets::Rotate { name } = action {
        let lock = target.lock_existing("secrets rotate").await?;
        let rotated = rotate(session, &target, name).await;
        lock.release().await;
        rotated?;
        eprintln!("rotated {name}; pods see it within a minute or two, when their nodes renew it");
        return Ok(Exit::Done);
    }
    let secrets = target.stored_secrets().await?.ok_or_else(|| none_yet(session))?;
    print(session, &secrets, action)
}

async fn rotate(session: &Session, target: &KubernetesTarget, name: &str) -> anyhow::Result<()> {
    let mut secrets = target.stored_secrets().await?.ok_or_else(|| none_yet(session))?;
    secrets.rotate(name)?;
    Ok(target.store_changed(&secrets, name).await?)
}

fn none_yet(session: &Session) -> anyhow::Error {
    anyhow!(
        "platform {} has no secrets yet: ./nova deploy generates them",
        session.name()
    )
}

fn print(session: &Session, secrets: &Stored, action: &Secrets) -> anyhow::Result<Exit> {
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
        Secrets::Rotate { .. } => {}
    }
    Ok(Exit::Done)
}
