//! The way of events from PostgreSQL to Kafka: which service publishes them, and what it finds in both. Topics are made and altered by
//! `topics`, the replication slot by Patroni (`patroni_settings`), the publication by `provision`.

use crate::component_id::ComponentId;
use crate::spec::Spec;
use crate::uses;

/// The replication slot that the working member of the publisher owns.
pub const SLOT: &str = "nova_events";
/// The publication that pgoutput asks for. It is empty: events are messages in the log, and no tables.
pub const PUBLICATION: &str = "nova_events";

/// The service that publishes events, and the database whose log it reads; `None` when no service reads the stream and writes to Kafka.
#[must_use]
pub fn publisher(spec: &Spec) -> Option<(&str, String)> {
    spec.services.iter().find_map(|(name, service)| {
        let tenancy = uses::tenancy(name, service).filter(|tenancy| tenancy.replication)?;
        uses::uses(service, &ComponentId::Kafka).then_some((name.as_str(), tenancy.database))
    })
}
