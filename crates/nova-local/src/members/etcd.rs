//! An etcd voter, which holds Patroni's leader key and nothing else. Its program is `nova member etcd`, which finds its cluster first: see
//! [`nova_member::etcd_start`].

use nova_platform::config;
use nova_platform::endpoints::HostPort;
use nova_platform::topology::Member;

use super::{Site, address, at_start, base_plan, file};
use crate::layout::Layout;
use crate::plan::MemberPlan;

pub(super) fn plan(site: &Site<'_>, member: &Member) -> MemberPlan {
    let spec = &site.spec.etcd;
    let own = address(site.spec, member);
    let mut plan = base_plan(member, site.nova);
    let home = site.member_dir(&member.name);
    let directory = home.display().to_string();
    plan.args = ["member", "etcd", "--dir", &directory].map(str::to_owned).into();
    plan.env.insert("GOGC".to_owned(), "50".to_owned());
    let server = site.programs.path("etcd").display().to_string();
    let mark = Layout::at(site.state).etcd_mark().display().to_string();
    let start = config::etcd::start(site, member, &server, "data", Some(&mark));
    plan.files = vec![
        file("start.json", format!("{start:#}\n")),
        at_start("members.json", format!("{:#}\n", config::etcd::members(site))),
    ];
    plan.etcd = Some(home);
    plan.ports = vec![
        HostPort::new(&own, spec.client_port),
        HostPort::new(&own, spec.peer_port),
    ];
    plan
}
