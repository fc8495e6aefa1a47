//! H4's trial helper (temporary).
#![allow(missing_docs, clippy::unwrap_used)]
use std::{collections::BTreeMap, path::{Path, PathBuf}};
use nova_local::{doctor::Programs, members};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args[1] == "member" {
        let dir = Path::new(&args[4]);
        let result = match args[2].as_str() {
            "redis" => members::redis_start::run(dir),
            "sentinel" => members::sentinel_start::run(dir),
            _ => members::kafka_start::run(dir),
        };
        eprintln!("nova: {}", result.unwrap_err());
        std::process::exit(1);
    }
    if args[1] == "doctor" {
        let spec: nova_platform::spec::Spec = toml::from_str(include_str!("../../../nova.toml")).unwrap();
        if args.get(2).is_some_and(|a| a == "--install") {
            if let Err(error) = nova_local::doctor::install(&spec, &mut |line| println!("  {line}")) {
                println!("INSTALL ERROR {error}: {:?}", std::error::Error::source(&error).map(ToString::to_string));
            }
        }
        let began = std::time::Instant::now();
        let report = nova_local::doctor::inspect(&spec);
        println!("inspect took {:?}", began.elapsed());
        for f in &report.findings { println!("{:5} {:12} found {:?} wanted {} why {} install {}", f.ok, f.name, f.found, f.wanted, f.why, f.install); }
        println!("{:?}", report.programs);
        if let Some(missing) = report.missing() { println!("{missing}"); }
        return;
    }
    let state = Path::new(&args[2]);
    let mut value: toml::Table = toml::from_str(include_str!("../../../nova.toml")).unwrap();
    value["local"]["network"] = args[3].clone().into();
    value["local"]["gateway_address"] = args[4].clone().into();
    let spec: nova_platform::spec::Spec = value.try_into().unwrap();
    let secrets = nova_platform::secrets::Secrets::open_or_generate(&state.join("secrets.json"), &spec).unwrap();
    std::fs::create_dir_all(state.join("secrets")).unwrap();
    for (name, content) in secrets.files() {
        use secrecy::ExposeSecret;
        std::fs::write(state.join("secrets").join(name), content.expose_secret()).unwrap();
    }
    let programs = Programs { etcd: "/usr/bin/etcd".into(), redis_server: "/usr/bin/redis-server".into(), postgres_bin_dir: "/usr/lib/postgresql/15/bin".into(),
        patroni: "/usr/local/lib/nova/patroni-4.1.5/bin/patroni".into(), java: "/usr/bin/java".into(), kafka_lib: "/usr/local/lib/nova/kafka-4.4.0".into(), haproxy: "/usr/sbin/haproxy".into() };
    let bin = PathBuf::from(&args[5]);
    let services: BTreeMap<String, PathBuf> = spec.services.keys().map(|n| (n.clone(), bin.with_file_name(n))).collect();
    let site = members::Site { spec: &spec, secrets: &secrets, state, programs: &programs, nova: &bin, services: &services };
    let mut out = Vec::new();
    for plan in members::plans(&site).unwrap() {
        let dir = site.member_dir(&plan.name);
        for d in &plan.directories { std::fs::create_dir_all(dir.join(d)).unwrap(); }
        for f in &plan.files {
            let p = dir.join(&f.path);
            std::fs::create_dir_all(p.parent().unwrap()).unwrap();
            if !(f.once && p.exists()) { std::fs::write(p, &f.content).unwrap(); }
        }
        std::fs::create_dir_all(&dir).unwrap();
        out.push(serde_json::json!({"name": plan.name, "program": plan.program, "args": plan.args, "env": plan.env, "cwd": dir}));
    }
    println!("{}", serde_json::to_string_pretty(&out).unwrap());
}
