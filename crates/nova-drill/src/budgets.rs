//! What `[drill.budget]` of nova.toml says of a component and a fault.

use nova_platform::components::BudgetKey;
use nova_platform::spec::Spec;

use crate::aim::Aim;
use crate::doors::stores_of;
use crate::fault::Fault;
use crate::record::Budget;
use crate::store::Store;

/// What nova.toml says that a fault may cost each store.
#[must_use]
pub(crate) fn budgets(spec: &Spec, aim: &Aim, fault: Fault) -> Vec<Budget> {
    let of = |store: Store| {
        let times = key(aim, store)?.times(&spec.drill.budget);
        let time = match fault {
            Fault::Kill | Fault::Crash => times.kill,
            Fault::Node => times.node,
            Fault::Drain => times.drain,
            Fault::Partition | Fault::PartitionIn | Fault::PartitionOut => times.partition,
            Fault::Switchover => times.switchover,
            Fault::Stop | Fault::Rolling | Fault::Cold | Fault::DiskFull | Fault::Watch => return None,
        };
        let ms = time.as_millis();
        Some(Budget { store, ms })
    };
    stores_of(aim, fault).into_iter().filter_map(of).collect()
}

/// Whose budget counts for a store's clients; `None` where what they feel is no failover of that store.
fn key(aim: &Aim, store: Store) -> Option<BudgetKey> {
    match aim {
        Aim::Component(_) => aim.facts()?.budget,
        Aim::Node => Some(match store {
            // While PostgreSQL itself is away, nothing can be posted.
            Store::Postgres | Store::Posts => BudgetKey::Postgres,
            Store::Redis => BudgetKey::Redis,
            Store::Kafka => BudgetKey::Kafka,
            Store::Requests => BudgetKey::Service,
        }),
        Aim::All => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
mod tests {
    use nova_platform::load;

    use super::{Aim, Fault, budgets};
    use crate::doors::stores_of;

    #[test]
    fn each_aim_has_its_clients_and_their_budgets() {
        let text = "[drill.budget]\npostgres.kill = \"11s\"\nredis.kill = \"12s\"\nkafka.kill = \"13s\"\nservice.kill = \"14s\"\n";
        let spec = load::parse(text, "x").unwrap().spec;
        let told = |name: &str| {
            let aim = Aim::from(name);
            let stores: Vec<String> = stores_of(&aim, Fault::Kill).iter().map(ToString::to_string).collect();
            let budgets = budgets(&spec, &aim, Fault::Kill);
            let budgets: Vec<String> = budgets
                .iter()
                .map(|of| format!("{} {}", of.store, of.ms / 1000))
                .collect();
            format!("{}: {}", stores.join(", "), budgets.join(", "))
        };
        for (name, wanted) in [
            ("etcd", "postgres: "),
            ("postgres", "postgres: postgres 11"),
            ("redis", "redis: redis 12"),
            ("kafka", "kafka: kafka 13"),
            ("gateway", "postgres, posts: "),
            ("user-service", "posts: posts 14"),
            ("auth-service", "requests: requests 14"),
            ("agent", ": "),
            (
                "node",
                "postgres, redis, kafka, posts: postgres 11, redis 12, kafka 13, posts 11",
            ),
            ("all", "postgres, redis, kafka, posts: "),
        ] {
            assert_eq!(told(name), wanted, "{name}");
        }
        assert!(budgets(&spec, &"redis".into(), Fault::Stop).is_empty());
    }
}
