//! Redis: the servers, and the Sentinels that say who is master.

use std::time::Duration;

use super::facts::{Caller, ClusterDoor, Facts, Group, InCluster, Served, Shell, Sizes, Stop, join};
use super::{
    Area, BudgetKey, ComponentId, DrillDoor, DrillFacts, Holds, Image, Kind, Packaged, Port, Program, Stage, Switchover,
};

const PASSWORDS: &[&str] = &["redis", "redis-sentinel"];
const SERVER: &[&str] = &["redis"];
const SENTINEL: &[&str] = &["sentinel"];

pub(super) static FACTS: Facts = Facts {
    needs: &[],
    groups: |spec, _| {
        vec![
            Group::new(Kind::Redis, "redis", spec.redis.members),
            Group::new(Kind::Sentinel, "sentinel", spec.redis.sentinels),
        ]
    },
    ports: |spec, _| {
        vec![
            Port::new(Kind::Redis, "redis", "", "redis.port", spec.redis.port),
            Port::new(
                Kind::Sentinel,
                "sentinel",
                "",
                "redis.sentinel_port",
                spec.redis.sentinel_port,
            ),
        ]
    },
    roles: true,
    leads: Some("master"),
    keeps_data: true,
    managed: &[],
    secrets: PASSWORDS,
    given: PASSWORDS,
    callers: &[
        call("redis", Kind::Redis, SERVER),
        // A server that starts asks the Sentinels whom to follow.
        call("redis", Kind::Sentinel, SENTINEL),
        call("sentinel", Kind::Redis, SERVER),
        call("sentinel", Kind::Sentinel, SENTINEL),
        call("agent", Kind::Redis, SERVER),
        call("agent", Kind::Sentinel, SENTINEL),
    ],
    served: &[
        Served {
            of: ComponentId::Redis,
            to: Kind::Redis,
            ports: SERVER,
        },
        Served {
            of: ComponentId::Redis,
            to: Kind::Sentinel,
            ports: SENTINEL,
        },
    ],
    area: Area::Redis,
    programs: &[Program::Packaged(Packaged {
        name: "Redis",
        program: "redis-server",
        version_flag: "--version",
        introductions: &["Redis server v="],
        at_least: [7, 0],
        why: "caches and rate limits, and Sentinel",
        package: "redis-server",
    })],
    image: Some(Image {
        name: "redis",
        containerfile: include_str!("../../../../deploy/images/redis/Containerfile"),
        starter: "nova-member",
        holds: Holds::Nothing,
    }),
    rendered: "redis-sentinel-statefulset.yaml",
    removal: Stage::Stores,
    stop: Stop {
        here: Duration::from_secs(10),
        linger: 1,
        grace: 30,
    },
    met: |endpoints, _| {
        vec![(
            "sentinels",
            format!("redis+sentinel://{}", join(&endpoints.of(Kind::Sentinel))),
        )]
    },
    cluster_doors: &[ClusterDoor {
        to: Kind::Sentinel,
        name: "redis-sentinel",
        ports: SENTINEL,
    }],
    sizes: &[
        Sizes {
            kind: Kind::Redis,
            requests: [250, 256],
            limits: [500, 512],
        },
        Sizes {
            kind: Kind::Sentinel,
            requests: [50, 64],
            limits: [200, 512],
        },
    ],
    shell: Some(Shell {
        here: |endpoints| {
            let (host, port) = endpoints
                .of(Kind::Redis)
                .first()
                .map(|member| (member.address.host.clone(), member.address.port))
                .unwrap_or_default();
            format!("REDISCLI_AUTH=$(./nova secrets show redis) redis-cli -h {host} -p {port}")
        },
        in_cluster: InCluster::Exec(|spec| {
            format!(
                "sh -c 'REDISCLI_AUTH=$(cat /secrets/redis) redis-cli -p {}'",
                spec.redis.port
            )
        }),
    }),
    drill: Some(DrillFacts {
        doors: &[DrillDoor::Redis],
        budget: Some(BudgetKey::Redis),
        cut_off: true,
        disk_full: true,
        switchover: Some(Switchover::Sentinel),
    }),
};

const fn call(from: &'static str, to: Kind, ports: &'static [&'static str]) -> Caller {
    Caller { from, to, ports }
}
