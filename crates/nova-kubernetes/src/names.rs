//! Names in the cluster: namespaces, and the one under which every member of a store is met.

use nova_platform::spec::Spec;
use nova_platform::topology::Member;

pub use nova_platform::components::Area;

/// `app.kubernetes.io/managed-by` of everything that nova applies, and its field manager.
pub const MANAGER: &str = "nova";
/// `app.kubernetes.io/part-of` of everything that nova applies.
pub const PART_OF: &str = "nova";

/// The name of the Service without an address of its own that names the members of a StatefulSet or of a service.
#[must_use]
pub fn members_service(name: &str) -> String {
    format!("{name}-members")
}

/// The full DNS name of a Service.
#[must_use]
pub fn service_host(spec: &Spec, area: Area, service: &str) -> String {
    format!(
        "{service}.{}.svc.{}",
        area.namespace(spec),
        spec.kubernetes.cluster_domain
    )
}

/// The name under which a member of a store is met: that of a Service of its own, whose address stays when the pod is
/// replaced or its node is gone. A pod's own name would vanish from DNS with it, in the middle of a failover.
#[must_use]
pub fn member_host(spec: &Spec, member: &Member) -> String {
    service_host(spec, Area::of(member.kind), &member.name)
}
