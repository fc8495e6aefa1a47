//! An etcd voter, which holds Patroni's leader key and nothing else.

use serde_json::{Value, json};

use super::{Site, members as members_of};
use crate::endpoints::HostPort;
use crate::topology::{Kind, Member};

/// What `nova-member etcd` runs, as its `start.json`. The data goes to `data_dir`; `mark` is a file that all members see, where the target
/// has a place for one.
#[must_use]
pub fn start(site: &dyn Site, member: &Member, server: &str, data_dir: &str, mark: Option<&str>) -> Value {
    json!({
        "server": server,
        "member": member.name,
        "bind": site.bind(member),
        "arguments": args(site, member, data_dir),
        "quota": site.spec().etcd.quota_backend_size.bytes(),
        "mark": mark,
    })
}

/// Who the members are, as the `members.json` of each: it is looked at on each start, so that a change of it restarts nobody.
#[must_use]
pub fn members(site: &dyn Site) -> Value {
    let spec = site.spec();
    let host = |member: &Member| json!({ "member": member.name, "host": site.host(member) });
    json!({
        "token": spec.platform.name,
        "client_port": spec.etcd.client_port,
        "peer_port": spec.etcd.peer_port,
        "members": members_of(spec, Kind::Etcd).iter().map(host).collect::<Vec<_>>(),
    })
}

/// The arguments of `etcd`, but for those that say whom it starts with: it finds that out on each start.
fn args(site: &dyn Site, member: &Member, data_dir: &str) -> Vec<String> {
    let spec = &site.spec().etcd;
    let (host, bind) = (site.host(member), site.bind(member));
    vec![
        format!("--name={}", member.name),
        format!("--data-dir={data_dir}"),
        format!("--listen-client-urls=http://{}", HostPort::new(&bind, spec.client_port)),
        format!(
            "--advertise-client-urls=http://{}",
            HostPort::new(&host, spec.client_port)
        ),
        format!("--listen-peer-urls=http://{}", HostPort::new(&bind, spec.peer_port)),
        format!(
            "--initial-advertise-peer-urls=http://{}",
            HostPort::new(&host, spec.peer_port)
        ),
        format!("--heartbeat-interval={}", spec.heartbeat_interval.as_millis()),
        format!("--election-timeout={}", spec.election_timeout.as_millis()),
        format!("--quota-backend-bytes={}", spec.quota_backend_size.bytes()),
        // Patroni rewrites its keys every few seconds: without compaction etcd ends read-only at its quota.
        "--auto-compaction-mode=periodic".to_owned(),
        "--auto-compaction-retention=1h".to_owned(),
        // The default of 100,000 entries held in memory is for clusters that write more than a few keys a second.
        "--snapshot-count=5000".to_owned(),
        "--enable-v2=false".to_owned(),
        "--logger=zap".to_owned(),
        "--log-level=warn".to_owned(),
        "--log-outputs=stderr".to_owned(),
    ]
}
