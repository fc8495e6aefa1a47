//! A Redis server and a Sentinel. Their program is `nova member`, which finds out the role before it becomes the server: see
//! [`nova_member::redis_start`] and [`nova_member::sentinel_start`].

use nova_platform::config;
use nova_platform::topology::Member;
use serde_json::json;

use super::{PlanError, Site, base_plan, file, ports};
use crate::plan::MemberPlan;

pub(super) fn plan(site: &Site<'_>, member: &Member) -> Result<MemberPlan, PlanError> {
    let base = config::redis::base_conf(site, member, site.spec.redis.maxmemory);
    let mut plan = start_plan(site, member, "redis", base)?;
    plan.directories = vec!["data".into()];
    plan.redis = Some(site.member_dir(&member.name));
    Ok(plan)
}

pub(super) fn sentinel_plan(site: &Site<'_>, member: &Member) -> Result<MemberPlan, PlanError> {
    let base = config::sentinel::base_conf(site, member);
    let mut plan = start_plan(site, member, "sentinel", base)?;
    plan.sentinel = Some(site.member_dir(&member.name));
    Ok(plan)
}

/// What both have in common. The passwords stand in `start.json`.
fn start_plan(site: &Site<'_>, member: &Member, helper: &str, base: String) -> Result<MemberPlan, PlanError> {
    let server = site.programs.path("redis-server").display().to_string();
    let mut start = config::redis::start(site, member, &server);
    start["password"] = json!(site.secret("redis")?);
    start["sentinel_password"] = json!(site.secret("redis-sentinel")?);
    let mut plan = base_plan(member, site.nova);
    let directory = site.member_dir(&member.name).display().to_string();
    plan.args = ["member", helper, "--dir", &directory].map(str::to_owned).into();
    plan.files = vec![file("start.json", format!("{start:#}\n")), file("base.conf", base)];
    plan.ports = ports(site.spec, member);
    Ok(plan)
}
