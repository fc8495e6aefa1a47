//! Who talks to whom: the one table that network policies are made from. What does not stand here cannot connect.

use nova_platform::components::ComponentId;
use nova_platform::spec::Spec;

use crate::workloads::{self, Workload};

/// Who opens a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// Whoever can reach the pod: an ingress, users of other namespaces.
    Anyone,
    /// Pods of this workload.
    Pods(String),
}

/// One line of the table: connections to ports of a workload's pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flow {
    /// Who opens them.
    pub(super) from: From,
    /// The workload that they go to.
    pub(super) to: String,
    /// The ports of its pods; a Service's own port is translated before a policy looks.
    pub(super) ports: Vec<u16>,
}

/// All flows, by the workload that they go to.
pub(super) fn flows(spec: &Spec, all: &[Workload]) -> Vec<Flow> {
    let (etcd, postgres, redis, kafka, gateway) = (&spec.etcd, &spec.postgres, &spec.redis, &spec.kafka, &spec.gateway);
    let to_postgres = [gateway.primary_port, gateway.replicas_port];
    let to_services: Vec<u16> = spec.services.values().map(|service| service.port).collect();
    let mut flows = vec![
        // A member that starts asks the others as a client what has become of the cluster.
        flow("etcd", "etcd", &[etcd.client_port, etcd.peer_port]),
        flow("postgres", "etcd", &[etcd.client_port]),
        // Replicas follow the leader, and Patronis ask each other before a failover and while etcd is gone.
        flow("postgres", "postgres", &[postgres.port, postgres.patroni_port]),
        flow("gateway", "postgres", &[postgres.port, postgres.patroni_port]),
        flow("redis", "redis", &[redis.port]),
        // A server that starts asks the Sentinels whom to follow.
        flow("redis", "sentinel", &[redis.sentinel_port]),
        flow("sentinel", "redis", &[redis.port]),
        flow("sentinel", "sentinel", &[redis.sentinel_port]),
        flow("kafka", "kafka", &[kafka.port, kafka.controller_port]),
        // The agent proves that each store works, by a write and a read, and asks members for their roles.
        flow("agent", "etcd", &[etcd.client_port]),
        flow("agent", "postgres", &[postgres.port, postgres.patroni_port]),
        flow("agent", "redis", &[redis.port]),
        flow("agent", "sentinel", &[redis.sentinel_port]),
        flow("agent", "kafka", &[kafka.port]),
        // A drill's clients run beside it, and come through the doors as everyone does.
        flow("agent", "gateway", &[&to_postgres, &to_services[..]].concat()),
    ];
    // Without ports it would be all of them.
    if !to_services.is_empty() {
        flows.push(Flow {
            from: From::Anyone,
            ..flow("", "gateway", &to_services)
        });
    }
    for (name, service) in &spec.services {
        // Services call each other through the gateway.
        let called = workloads::calls(spec, name);
        let called = called.iter().filter_map(|other| spec.services.get(other));
        let doors: Vec<u16> = to_postgres.into_iter().chain(called.map(|other| other.port)).collect();
        flows.extend([
            flow(name, "gateway", &doors),
            flow(name, "redis", &[redis.port]),
            flow(name, "sentinel", &[redis.sentinel_port]),
        ]);
        if service.needs.contains(&ComponentId::Kafka) {
            flows.push(flow(name, "kafka", &[kafka.port]));
        }
        flows.push(Flow {
            from: From::Anyone,
            ..flow("", name, &[service.port])
        });
        let own = all.iter().filter(|workload| workload.name == *name);
        let ports: Vec<u16> = own
            .flat_map(|workload| &workload.ports)
            .map(|port| port.number)
            .collect();
        // The gateway passes requests on, and asks each member whether it is ready.
        flows.extend(["gateway", "agent"].map(|from| flow(from, name, &ports)));
    }
    flows
}

fn flow(from: &str, to: &str, ports: &[u16]) -> Flow {
    Flow {
        from: From::Pods(from.to_owned()),
        to: to.to_owned(),
        ports: ports.to_vec(),
    }
}
