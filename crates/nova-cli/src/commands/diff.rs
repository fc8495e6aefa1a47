//! `nova diff`: what deploy would do.

use nova_platform::target::{Action, Plan, Target};

use super::Session;
use super::doctor::cluster;
use crate::cli::{Format, TargetKind};
use crate::exit::Exit;
use crate::output::{Output, table};

pub(super) async fn run(session: &Session) -> anyhow::Result<Exit> {
    let plan = match session.kind {
        TargetKind::Local => session.target()?.plan().await?,
        TargetKind::Kubernetes => {
            let images = super::images::references(session)?;
            let (target, _) = cluster::target(session, session.cluster().await?, &images).await?;
            target.plan().await?
        }
    };
    if session.output.format == Format::Json {
        Output::json(
            &serde_json::json!({"schema": "nova.diff/v1", "unchanged": plan.is_unchanged(), "steps": plan.steps}),
        )?;
    } else {
        print!("{}", plan_text(&plan, session.kind));
    }
    Ok(if plan.is_unchanged() {
        Exit::Done
    } else {
        Exit::Unhealthy
    })
}

/// The plan's counts, and a line for each member that something happens to.
pub(super) fn plan_text(plan: &Plan, kind: TargetKind) -> String {
    let things = match kind {
        TargetKind::Local => "members",
        TargetKind::Kubernetes => "objects",
    };
    if plan.is_unchanged() {
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
        .filter(|step| matches!(step.action, Action::Change | Action::Delete | Action::Start))
        .map(|step| {
            let word = format!("{:?}", step.action).to_lowercase();
            vec![word, step.member.clone(), step.reason.clone().unwrap_or_default()]
        })
        .collect();
    format!("plan: {} {things}\n{}", counts.join(", "), table(&rows, 2))
}
