//! Whether a platform is whole: every member runs and every check passes.

use std::time::Duration;

use futures::future::join_all;
use nova_platform::components::ComponentId;
use nova_platform::rollout::Prober;
use nova_platform::spec::Spec;
use nova_platform::status::{ComponentStatus, Verdict, component_status};
use nova_platform::target::Target;
use nova_platform::topology::components;

use crate::now_ms;

/// Looks at these components, or at all when none is named.
///
/// # Errors
/// When the target cannot say what runs.
pub async fn look<T: Target, P: Prober>(
    target: &T,
    prober: &P,
    spec: &Spec,
    of: &[ComponentId],
    limit: Duration,
) -> Result<Vec<ComponentStatus>, T::Error> {
    let wanted: Vec<_> = components(spec)
        .into_iter()
        .filter(|component| of.is_empty() || of.contains(&component.id))
        .collect();
    let looked = join_all(wanted.iter().map(|component| prober.glance(&component.id, limit)));
    let (members, looked) = tokio::join!(target.inspect(), looked);
    let members = members?;
    let wanted = target.components_seen(wanted, &members);
    let status = |(component, (results, roles)): (&_, (Vec<_>, Vec<_>))| {
        component_status(component, &members, &roles, results, Vec::new(), now_ms())
    };
    Ok(wanted.iter().zip(looked).map(status).collect())
}

/// What is amiss, a line a component; empty when nothing is.
#[must_use]
pub fn complaints(components: &[ComponentStatus]) -> Vec<String> {
    let one = |component: &ComponentStatus| {
        let mut reasons: Vec<String> = component
            .members
            .iter()
            .filter(|member| member.state != nova_platform::target::RunState::Running)
            .map(|member| format!("{} is {}", member.name, format!("{:?}", member.state).to_lowercase()))
            .collect();
        let failing = component.checks.iter().filter(|check| !check.ok);
        reasons.extend(failing.map(|check| format!("{}: {}", check.name, check.error.clone().unwrap_or_default())));
        format!("{} ({})", component.name, reasons.join("; "))
    };
    components
        .iter()
        .filter(|component| component.verdict != Verdict::Healthy)
        .map(one)
        .collect()
}
