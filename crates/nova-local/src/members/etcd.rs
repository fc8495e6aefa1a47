//! An etcd voter, which holds Patroni's leader key and nothing else.

use nova_platform::config;
use nova_platform::endpoints::HostPort;
use nova_platform::topology::Member;

use super::{Site, address, base_plan};
use crate::plan::MemberPlan;

pub(super) fn plan(site: &Site<'_>, member: &Member) -> MemberPlan {
    let spec = &site.spec.etcd;
    let own = address(site.spec, member);
    let mut plan = base_plan(member, &site.programs.etcd);
    plan.args = config::etcd::args(site, member, "data");
    plan.env.insert("GOGC".to_owned(), "50".to_owned());
    plan.directories = vec!["data".into()];
    plan.ports = vec![
        HostPort::new(&own, spec.client_port),
        HostPort::new(&own, spec.peer_port),
    ];
    plan
}
