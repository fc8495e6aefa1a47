//! A master, a replica and a Sentinel, all with passwords.

use nova_platform::components::Kind;
use nova_platform::endpoints::{Endpoints, HostPort, StoreEndpoint};
use nova_platform::secrets::Secrets;

use super::process::{Process, directory};
use super::{free_port, no_endpoints, secrets};

/// Running servers, and where they are met.
pub(crate) struct Redis {
    pub(crate) endpoints: Endpoints,
    pub(crate) secrets: Secrets,
    /// Master, replica, Sentinel.
    pub(crate) processes: [Process; 3],
    _directory: tempfile::TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let (directory, secrets) = (directory(), secrets());
        let [password, sentinel_password] = ["redis", "redis-sentinel"].map(|name| secrets.reveal(name).unwrap());
        let [master, replica, sentinel] = [free_port(), free_port(), free_port()];
        let start = |name: &str, port: u16, lines: &[String], arguments: &[&str]| {
            let own = directory.path().join(name);
            std::fs::create_dir(&own).unwrap();
            let config = own.join("conf");
            let general = [
                format!("port {port}"),
                "bind 127.0.0.1".to_owned(),
                format!("dir {}", own.display()),
            ];
            std::fs::write(&config, [&general, lines].concat().join("\n")).unwrap();
            for path in [&own, &config] {
                std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
            }
            let arguments = [&[config.to_str().unwrap()], arguments].concat();
            Process::start(
                &directory.path().join(format!("{name}.log")),
                "redis-server",
                &arguments,
            )
        };
        let server = vec![
            format!("requirepass {password}"),
            format!("masterauth {password}"),
            "save \"\"".to_owned(),
            "repl-diskless-sync-delay 0".to_owned(),
        ];
        let follower = [server.clone(), vec![format!("replicaof 127.0.0.1 {master}")]].concat();
        let watcher = [
            format!("requirepass {sentinel_password}"),
            format!("sentinel monitor nova 127.0.0.1 {master} 1"),
            format!("sentinel auth-pass nova {password}"),
        ];
        let processes = [
            start("redis-1", master, &server, &[]),
            start("redis-2", replica, &follower, &[]),
            start("sentinel-1", sentinel, &watcher, &["--sentinel"]),
        ];
        let at = |member: &str, kind, port| StoreEndpoint::at(member, kind, HostPort::new("127.0.0.1", port));
        let endpoints = Endpoints {
            stores: vec![
                at("redis-1", Kind::Redis, master),
                at("redis-2", Kind::Redis, replica),
                at("sentinel-1", Kind::Sentinel, sentinel),
            ],
            ..no_endpoints()
        };
        Self {
            endpoints,
            secrets,
            processes,
            _directory: directory,
        }
    }
}
