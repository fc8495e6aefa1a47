//! What members ask of the nodes: the `production` profile, and `small`, which asks for less and allows the same.

use nova_platform::components::facts_of_kind;
use nova_platform::spec::{ServiceSpec, Spec};
use nova_platform::topology::Kind;
use nova_platform::units::Size;

/// What members ask of the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// What load needs.
    Production,
    /// A fifth of the processor time and half of the memory are asked for; limits are the same.
    Small,
}

/// Processor time and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    /// Thousandths of a core.
    pub cpu: u32,
    /// Bytes.
    pub memory: u64,
    /// Bytes on the node's own disk: logs, and scratch files that are not on a volume.
    pub ephemeral: u64,
}

/// What a container asks for, and what it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// What the scheduler keeps free for it.
    pub requests: Amounts,
    /// Where it is slowed down (processor) or ended (memory, disk).
    pub limits: Amounts,
}

const MIB: u64 = 1 << 20;

impl Profile {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Production, Self::Small];

    /// As it is typed and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Small => "small",
        }
    }

    /// Of a member of a store, or of the gateway. A service's stand in the description: see [`Profile::of_service`].
    ///
    /// What is asked for is also the weight by which a busy node's processors are divided, and a failover makes nodes busy: who decides it
    /// and what all wait for (etcd, PostgreSQL with Patroni, the gateway) outweigh the rest.
    #[must_use]
    pub fn of_kind(self, kind: Kind) -> Sizes {
        let own = facts_of_kind(kind).sizes.iter().find(|sizes| sizes.kind == kind);
        let (requests, limits) = own.map(|sizes| (sizes.requests, sizes.limits)).unwrap_or_default();
        self.sizes(requests, limits)
    }

    /// Of the agent that runs the checks, and the clients of drills: one that waits for a processor would measure that.
    #[must_use]
    pub fn of_agent(self) -> Sizes {
        self.sizes([250, 64], [500, 256])
    }

    /// Of a service, as the description has it.
    #[must_use]
    pub fn of_service(self, service: &ServiceSpec) -> Sizes {
        self.sizes(
            [service.cpu, mebibytes(service.memory)],
            [service.cpu_limit, mebibytes(service.memory_limit)],
        )
    }

    /// Redis's `maxmemory`: what the description says, as far as the container's limit leaves room for the copy that a
    /// rewrite of the append-only file makes and for the replicas' buffers.
    #[must_use]
    pub fn redis_maxmemory(self, spec: &Spec) -> Size {
        let room = self.of_kind(Kind::Redis).limits.memory * 6 / 10;
        Size(spec.redis.maxmemory.bytes().min(room - room % MIB))
    }

    /// Each is thousandths of a core and mebibytes.
    fn sizes(self, [cpu, memory]: [u32; 2], [cpu_limit, memory_limit]: [u32; 2]) -> Sizes {
        let (cpu, memory) = match self {
            Self::Production => (cpu, memory),
            Self::Small => (cpu.div_ceil(5).max(1), memory.div_ceil(2).max(1)),
        };
        Sizes {
            requests: Amounts {
                cpu,
                memory: u64::from(memory) * MIB,
                ephemeral: 64 * MIB,
            },
            limits: Amounts {
                cpu: cpu_limit,
                memory: u64::from(memory_limit) * MIB,
                ephemeral: 1024 * MIB,
            },
        }
    }
}

fn mebibytes(size: Size) -> u32 {
    u32::try_from(size.mebibytes()).unwrap_or(u32::MAX)
}
