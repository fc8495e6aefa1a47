//! A Kafka broker that is a controller as well. Its program is `nova member kafka`, which formats an empty directory first: see
//! [`nova_member::kafka_start`].

use nova_platform::config::kafka::{FRESH, LOGGING, properties, start};
use nova_platform::topology::Member;

use super::{Site, base_plan, file, ports};
use crate::doctor::{CLASS_ARCHIVE, kafka_jars};
use crate::plan::MemberPlan;

pub(super) fn plan(site: &Site<'_>, member: &Member) -> MemberPlan {
    let mut plan = base_plan(member, site.nova);
    let home = site.member_dir(&member.name);
    let directory = home.display().to_string();
    plan.args = ["member", "kafka", "--dir", &directory].map(str::to_owned).into();
    let in_lib = |name: &str| site.programs.path("kafka").join(name).display().to_string();
    let jars = kafka_jars().map(in_lib).collect::<Vec<_>>();
    // By name and in order: the class archive counts only for the very class path that it was made with.
    plan.env.insert("CLASSPATH".to_owned(), jars.join(":"));
    plan.env.insert("MALLOC_ARENA_MAX".to_owned(), "2".to_owned());
    let start = start(
        site,
        &site.programs.path("java").display().to_string(),
        &in_lib(CLASS_ARCHIVE),
        None,
    );
    plan.files = vec![
        file("start.json", format!("{start:#}\n")),
        file("server.properties", properties(site, member, "data")),
        file("format.properties", properties(site, member, &format!("data{FRESH}"))),
        file("log4j2.properties", LOGGING),
    ];
    plan.kafka = Some(home);
    plan.ports = ports(site.spec, member);
    plan
}
