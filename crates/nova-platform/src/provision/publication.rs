//! The publication of events, in the database whose stream a service reads. It is empty and stays so: events are messages in the log, and
//! no tables; but pgoutput wants one, made before anything that is to be sent.

use super::session::Session;
use super::{ProvisionError, Tenancy};
use crate::events::PUBLICATION;
use crate::postgres_login::identifier;

/// Makes it where it is wanted and missing.
pub(super) async fn ensure(session: &mut Session, database: &str, tenancies: &[Tenancy]) -> Result<(), ProvisionError> {
    let wanted = tenancies
        .iter()
        .any(|tenancy| tenancy.database == database && tenancy.app.replication);
    if !wanted {
        return Ok(());
    }
    let query = sqlx::query_as::<_, (bool,)>("select exists (select from pg_publication where pubname = $1)");
    let found = session.query("look at publications", query.bind(PUBLICATION)).await?;
    if found.iter().any(|(there,)| *there) {
        return Ok(());
    }
    let create = format!("create publication {}", identifier(PUBLICATION));
    session
        .change(
            format!("created publication {PUBLICATION} in database {database}"),
            create,
        )
        .await
}
