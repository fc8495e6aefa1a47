//! `nova diff`: what deploy would do.

use nova_platform::target::{Action, Plan, Target};

use super::Session;
use super::doctor::cluster;
use super::settings::Transition;
use crate::cli::{Format, TargetKind};
use crate::exit::Exit;
use crate::output::{Output, table};

pub(super) async fn run(session: &Session) -> anyhow::Result<Exit> {
    let (plan, settings) = match session.kind {
        TargetKind::Local => {
            let target = session.target()?;
            (target.plan().await?, Transition::here(session, &target)?)
        }
        TargetKind::Kubernetes => {
            let images = super::images::references(session)?;
            let (target, _) = cluster::target(session, session.cluster().await?, &images).await?;
            (target.plan().await?, Transition::in_cluster(session, &target).await?)
        }
    };
    let unchanged = plan.is_unchanged() && settings.changes.is_empty();
    if session.output.format == Format::Json {
        Output::json(
            &serde_json::json!({"schema": "nova.diff/v1", "unchanged": unchanged, "steps": plan.steps, "settings": settings.changes}),
        )?;
    } else {
        print!("{}{}", settings.text(), plan_text(&plan, session.kind));
    }
    settings.refuse(session)?;
    Ok(if unchanged { Exit::Done } else { Exit::Unhealthy })
}

/// The plan's counts, and a line for each member that something happens to.
pub(super) fn plan_text(plan: &Plan, kind: TargetKind) -> String {
    let things = match kind {
        TargetKind::Local => "members",
        TargetKind::Kubernetes => "objects",
    };
    if plan.is_unchanged() && plan.steps.iter().all(|step| step.reason.is_none()) {
        return format!("plan: unchanged, {} {things} stay as they are\n", plan.steps.len());
    }
    let counts: Vec<String> = [
        (Action::Create, "create"),
        (Action::Change, "change"),
        (Action::Start, "start"),
        (Action::Delete, "delete"),
    ]
    .into_iter()
    .filter(|(action, _)| plan.count(*action) > 0)
    .map(|(action, word)| format!("{word} {}", plan.count(action)))
    .collect();
    let rows: Vec<Vec<String>> = plan
        .steps
        .iter()
        .filter(|step| step.action != Action::Create && (step.action != Action::Keep || step.reason.is_some()))
        .map(|step| {
            let word = match step.action {
                // As it is, although the description wants it otherwise.
                Action::Keep => "refused".to_owned(),
                action => format!("{action:?}").to_lowercase(),
            };
            vec![word, step.member.clone(), step.reason.clone().unwrap_or_default()]
        })
        .collect();
    let told = if counts.is_empty() {
        "change no".to_owned()
    } else {
        counts.join(", ")
    };
    format!("plan: {told} {things}\n{}", table(&rows, 2))
}
