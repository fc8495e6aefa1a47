//! What `[drill.budget]` of nova.toml says of a component and a fault.

use nova_platform::spec::Spec;

use crate::doors::stores_of;
use crate::fault::Fault;
use crate::record::Budget;
use crate::store::Store;

/// What nova.toml says that a fault may cost each store.
#[must_use]
pub(crate) fn budgets(spec: &Spec, component: &str, fault: Fault) -> Vec<Budget> {
    let budget = &spec.drill.budget;
    let of = |store: Store| {
        let times = match store {
            Store::Postgres => &budget.postgres,
            Store::Redis => &budget.redis,
            Store::Kafka => &budget.kafka,
            // While PostgreSQL itself is away, nothing can be posted.
            Store::Posts if component == "node" => &budget.postgres,
            Store::Posts | Store::Requests => &budget.service,
        };
        let time = match fault {
            Fault::Kill | Fault::Crash => times.kill,
            Fault::Node => times.node,
            Fault::Partition | Fault::PartitionIn | Fault::PartitionOut => times.partition,
            Fault::Switchover => times.switchover,
            _ => return None,
        };
        Some(Budget {
            store,
            ms: time.as_millis(),
        })
    };
    match component {
        // What a store's client feels of it is no failover of that store.
        "etcd" | "gateway" => Vec::new(),
        _ => stores_of(component).into_iter().filter_map(of).collect(),
    }
}
