//! What `[drill.budget]` of nova.toml says of a component and a fault.

use nova_platform::components::ComponentId;
use nova_platform::spec::Spec;

use crate::aim::Aim;
use crate::doors::stores_of;
use crate::fault::Fault;
use crate::record::Budget;
use crate::store::Store;

/// What nova.toml says that a fault may cost each store.
#[must_use]
pub(crate) fn budgets(spec: &Spec, aim: &Aim, fault: Fault) -> Vec<Budget> {
    let budget = &spec.drill.budget;
    let of = |store: Store| {
        let times = match store {
            Store::Postgres => &budget.postgres,
            Store::Redis => &budget.redis,
            Store::Kafka => &budget.kafka,
            // While PostgreSQL itself is away, nothing can be posted.
            Store::Posts if *aim == Aim::Node => &budget.postgres,
            Store::Posts | Store::Requests => &budget.service,
        };
        let time = match fault {
            Fault::Kill | Fault::Crash => times.kill,
            Fault::Node => times.node,
            Fault::Partition | Fault::PartitionIn | Fault::PartitionOut => times.partition,
            Fault::Switchover => times.switchover,
            Fault::Stop | Fault::Rolling | Fault::Cold | Fault::DiskFull | Fault::Watch => return None,
        };
        Some(Budget {
            store,
            ms: time.as_millis(),
        })
    };
    match aim {
        // What a store's client feels of it is no failover of that store.
        Aim::Component(ComponentId::Etcd | ComponentId::Gateway | ComponentId::Agent | ComponentId::Foundation)
        | Aim::All => Vec::new(),
        Aim::Component(ComponentId::Postgres | ComponentId::Redis | ComponentId::Kafka | ComponentId::Service(_))
        | Aim::Node => stores_of(aim).into_iter().filter_map(of).collect(),
    }
}
