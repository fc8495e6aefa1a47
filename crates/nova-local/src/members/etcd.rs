//! An etcd voter, which holds Patroni's leader key and nothing else.

use nova_platform::endpoints::HostPort;
use nova_platform::topology::{Kind, Member};

use super::{Site, address, base_plan};
use crate::plan::MemberPlan;

pub(super) fn plan(site: &Site<'_>, member: &Member) -> MemberPlan {
    let spec = &site.spec.etcd;
    let client = HostPort::new(address(site.spec, member), spec.client_port);
    let peer = HostPort::new(address(site.spec, member), spec.peer_port);
    let cluster = site
        .members(Kind::Etcd)
        .iter()
        .map(|other| format!("{}=http://{}:{}", other.name, address(site.spec, other), spec.peer_port))
        .collect::<Vec<_>>()
        .join(",");
    let args = [
        format!("--name={}", member.name),
        "--data-dir=data".to_owned(),
        format!("--listen-client-urls=http://{client}"),
        format!("--advertise-client-urls=http://{client}"),
        format!("--listen-peer-urls=http://{peer}"),
        format!("--initial-advertise-peer-urls=http://{peer}"),
        format!("--initial-cluster={cluster}"),
        // Looked at on the very first start only; afterwards the data directory knows the cluster.
        "--initial-cluster-state=new".to_owned(),
        format!("--initial-cluster-token={}", site.spec.platform.name),
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
    ];
    let mut plan = base_plan(member, &site.programs.etcd);
    plan.args = args.into();
    plan.env.insert("GOGC".to_owned(), "50".to_owned());
    plan.directories = vec!["data".into()];
    plan.ports = vec![client, peer];
    plan
}
