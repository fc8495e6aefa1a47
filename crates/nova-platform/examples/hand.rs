//! By hand: checks against stores on 127.92.0.x. Not kept.
#![allow(clippy::unwrap_used, missing_docs)]
use nova_platform::checks::*;
use nova_platform::endpoints::*;
use nova_platform::rollout::Prober;
use std::time::{Duration, Instant};
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let net = &args[0];
    let component = &args[1];
    let rounds: u32 = args[2].parse().unwrap();
    let limit = Duration::from_millis(args[3].parse().unwrap());
    let depth = if args.len() > 4 { Depth::Full } else { Depth::Status };
    let spec = nova_platform::load::load(None).unwrap().spec;
    let secrets =
        nova_platform::secrets::Secrets::open_or_generate(std::path::Path::new("/tmp/w/H2/run/secrets.json"), &spec)
            .unwrap();
    if component == "secret" {
        println!("{}", secrets.reveal(&args[4]).unwrap());
        return;
    }
    let members = |name: &str, port| {
        (1..=3)
            .map(|n| MemberEndpoint {
                member: format!("{name}-{n}"),
                address: HostPort::new(format!("{net}.{n}"), port),
            })
            .collect::<Vec<_>>()
    };
    let endpoints = Endpoints {
        etcd: members("etcd", 2379),
        kafka: members("kafka", 9092),
        redis: members("redis", 6379),
        sentinels: members("sentinel", 26379),
        postgres: (1..=3)
            .map(|n| PostgresEndpoint {
                member: format!("postgres-{n}"),
                postgres: HostPort::new(format!("{net}.{n}"), 5432),
                patroni: HostPort::new(format!("{net}.{n}"), 8008),
            })
            .collect(),
        primary: HostPort::new("127.92.0.100", 15432),
        replicas: HostPort::new("127.92.0.100", 15433),
        services: Default::default(),
    };
    let checks = Checks::new(&spec, &endpoints, &secrets).unwrap();
    if depth == Depth::Full {
        let begin = Instant::now();
        println!(
            "prepare {:?} took {:?}",
            checks.prepare(component, limit).await,
            begin.elapsed()
        );
    }
    for _ in 0..rounds {
        let begin = Instant::now();
        let results = checks.component(component, depth, limit).await;
        println!("checks took {:?}", begin.elapsed());
        for r in results {
            println!(
                "  {:24} {:5} {:8.1} ms {}",
                r.name,
                r.ok,
                r.ms,
                r.error.unwrap_or_default()
            );
        }
        let begin = Instant::now();
        let roles = checks.roles(component, limit).await;
        println!(
            "roles took {:?}: {:?}",
            begin.elapsed(),
            roles
                .iter()
                .map(|r| (r.member.as_str(), r.role.as_deref(), r.lag_bytes))
                .collect::<Vec<_>>()
        );
    }
    drop(checks);
    println!(
        "rss: {}",
        std::fs::read_to_string("/proc/self/status")
            .unwrap()
            .lines()
            .find(|l| l.starts_with("VmRSS"))
            .unwrap()
    );
}
