//! `nova secrets`: names, shows, rotates and revokes what deploy generated.

use anyhow::anyhow;
use nova_kubernetes::target::KubernetesTarget;
use nova_local::target::LocalTarget;
use nova_platform::secrets::{Secrets as Stored, SecretsError};

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
    if let Some(change) = Change::of(action) {
        let _lock = target.lock_existing(&format!("secrets {}", change.verb))?;
        change.make(&mut secrets)?;
        secrets.save(&path)?;
        target.publish_secrets(&secrets)?;
        eprintln!("{}", change.done());
    }
    print(session, &secrets, action)
}

async fn in_cluster(session: &Session, action: &Secrets) -> anyhow::Result<Exit> {
    let target = session.in_cluster().await?;
    if let Some(change) = Change::of(action) {
        let lock = target.lock_existing(&format!("secrets {}", change.verb)).await?;
        let changed = store(session, &target, &change).await;
        lock.release().await;
        changed?;
        eprintln!(
            "{}; pods see it within a minute or two, when their nodes renew it",
            change.done()
        );
        return Ok(Exit::Done);
    }
    let secrets = target.stored_secrets().await?.ok_or_else(|| none_yet(session))?;
    print(session, &secrets, action)
}

async fn store(session: &Session, target: &KubernetesTarget, change: &Change<'_>) -> anyhow::Result<()> {
    let mut secrets = target.stored_secrets().await?.ok_or_else(|| none_yet(session))?;
    change.make(&mut secrets)?;
    Ok(target.store_changed(&secrets, change.name).await?)
}

/// What is done to a secret.
struct Change<'a> {
    verb: &'static str,
    name: &'a str,
}

impl<'a> Change<'a> {
    fn of(action: &'a Secrets) -> Option<Self> {
        let (verb, name) = match action {
            Secrets::Rotate { name } => ("rotate", name),
            Secrets::Revoke { name } => ("revoke", name),
            Secrets::List | Secrets::Show { .. } => return None,
        };
        Some(Self { verb, name })
    }

    fn make(&self, secrets: &mut Stored) -> Result<(), SecretsError> {
        match self.verb {
            "revoke" => secrets.revoke(self.name),
            _ => secrets.rotate(self.name),
        }
    }

    fn done(&self) -> String {
        let name = self.name;
        match self.verb {
            "revoke" => format!(
                "revoked {name}: what it signed is refused within a minute; sessions go on, with new access tokens"
            ),
            _ => format!("rotated {name}"),
        }
    }
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
        Secrets::Rotate { .. } | Secrets::Revoke { .. } => {}
    }
    Ok(Exit::Done)
}
