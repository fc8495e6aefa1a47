//! What a cluster lacks, and the target that a deploy would use there.

use nova_kubernetes::images::Images;
use nova_kubernetes::profile::Profile;
use nova_kubernetes::resources::manifests;
use nova_kubernetes::target::preflight::{self, Finding, Lacking};
use nova_kubernetes::target::{Cluster, KubernetesTarget};

use super::super::{Session, images};
use crate::cli::Format;
use crate::exit::Exit;
use crate::output::{GREEN, Output, RED, table};

pub(super) async fn run(session: &Session) -> anyhow::Result<Exit> {
    let references = images::references(session)?;
    let (target, profile) = target(session, session.cluster().await?, &references).await?;
    let findings = preflight::preflight(&target).await;
    let ok = Lacking::of(&findings).is_none();
    if session.output.format == Format::Json {
        Output::json(&serde_json::json!({
            "schema": "nova.doctor/v1", "ok": ok, "profile": profile.name(), "findings": findings,
        }))?;
    } else {
        print!("{}", findings_text(&findings, session.output));
        println!("profile {}", profile.name());
    }
    Ok(if ok { Exit::Done } else { Exit::Prerequisites })
}

/// The target as the description wants it, with these images, and the profile that was chosen.
pub(in crate::commands) async fn target(
    session: &Session,
    cluster: Cluster,
    images: &Images,
) -> anyhow::Result<(KubernetesTarget, Profile)> {
    cluster.version().await?;
    let spec = session.spec();
    let profile = preflight::profile(&cluster, spec).await?;
    let manifests = manifests(spec, profile, images);
    Ok((KubernetesTarget::with_manifests(spec, cluster, manifests), profile))
}

/// Makes sure that a deploy can work there, or names all that is missing.
pub(in crate::commands) async fn require(target: &KubernetesTarget) -> anyhow::Result<()> {
    match Lacking::of(&preflight::preflight(target).await) {
        None => Ok(()),
        Some(lacking) => Err(lacking.into()),
    }
}

fn findings_text(findings: &[Finding], output: Output) -> String {
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|finding| {
            let (style, word) = if finding.ok { (GREEN, "ok") } else { (RED, "missing") };
            let mut row = vec![output.paint(style, word), finding.name.clone(), finding.found.clone()];
            if !finding.ok {
                row.push(finding.next.clone());
            }
            row
        })
        .collect();
    table(&rows, 0)
}
