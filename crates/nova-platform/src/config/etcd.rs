//! An etcd voter, which holds Patroni's leader key and nothing else.

use super::{Site, members};
use crate::endpoints::HostPort;
use crate::topology::{Kind, Member};

/// The arguments of `etcd`. Its data goes to `data_dir`.
///
/// A name that a target fills in later, such as `$(NOVA_MEMBER)`, may stand for the member's.
#[must_use]
pub fn args(site: &dyn Site, member: &Member, data_dir: &str) -> Vec<String> {
    let spec = &site.spec().etcd;
    let (host, bind) = (site.host(member), site.bind(member));
    let cluster = members(site.spec(), Kind::Etcd)
        .iter()
        .map(|other| format!("{}=http://{}:{}", other.name, site.host(other), spec.peer_port))
        .collect::<Vec<_>>()
        .join(",");
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
        format!("--initial-cluster={cluster}"),
        // Looked at on the very first start only; afterwards the data directory knows the cluster.
        "--initial-cluster-state=new".to_owned(),
        format!("--initial-cluster-token={}", site.spec().platform.name),
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
