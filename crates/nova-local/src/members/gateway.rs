//! HAProxy, the platform's one gateway: doors to PostgreSQL and to every service.

use nova_platform::config::haproxy::{self, Doors, Services};
use nova_platform::topology::Member;

use super::{Site, address, base_plan, file, ports};
use crate::plan::MemberPlan;

pub(super) fn plan(site: &Site<'_>, member: &Member) -> MemberPlan {
    let spec = site.spec;
    let own = address(spec, member);
    let doors = Doors {
        bind: &own,
        services: Services::Known,
        health_port: None,
        // Relative: the path of a state directory may be longer than that of a socket.
        admin_socket: "admin.sock",
    };
    let mut plan = base_plan(member, site.programs.path("haproxy"));
    plan.args = ["-db", "-f", "haproxy.cfg"].map(str::to_owned).into();
    plan.files = vec![file("haproxy.cfg", haproxy::config(site, &doors))];
    plan.ports = ports(spec, member);
    plan
}
