//! The replication slot of events is Patroni's to make; here it is waited for. To give a replica its copy Patroni starts PostgreSQL there
//! again, once: better while nothing stands on it yet.

use std::time::Duration;

use futures::future::join_all;
use secrecy::SecretString;
use tokio::time::{Instant, sleep, timeout};

use crate::endpoints::{Endpoints, PostgresEndpoint};
use crate::events::{SLOT, publisher};
use crate::postgres_login::{Login, MAINTENANCE_DATABASE};
use crate::spec::Spec;

/// One answer.
const ANSWER: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);

/// Waits until every server that answers has it.
///
/// # Errors
/// When one has not within `limit`: it is to be asked again.
pub(crate) async fn settled(
    spec: &Spec,
    endpoints: &Endpoints,
    superuser: SecretString,
    limit: Duration,
) -> Result<(), String> {
    if publisher(spec).is_none() {
        return Ok(());
    }
    let login = Login::superuser(superuser);
    let until = Instant::now() + limit;
    let members = endpoints.postgres();
    loop {
        let asked = members.iter().map(|member| lacks(&login, member, ANSWER));
        let lacking: Vec<&str> = join_all(asked).await.into_iter().flatten().collect();
        if lacking.is_empty() {
            return Ok(());
        }
        if Instant::now() + PAUSE > until {
            let who = lacking.join(", ");
            return Err(format!("Patroni has not made the replication slot {SLOT} on {who} yet"));
        }
        sleep(PAUSE).await;
    }
}

/// The member's name when it answers and has no slot. One that does not answer is somebody else's complaint.
async fn lacks<'m>(login: &Login, member: &'m PostgresEndpoint, limit: Duration) -> Option<&'m str> {
    let asked = timeout(limit, async {
        let mut session = login.connect(&member.postgres, MAINTENANCE_DATABASE, limit).await?;
        sqlx::query_scalar::<_, bool>("select exists (select from pg_replication_slots where slot_name = $1)")
            .bind(SLOT)
            .fetch_one(&mut session)
            .await
    });
    match asked.await {
        Ok(Ok(false)) => Some(&member.member),
        Ok(Ok(true) | Err(_)) | Err(_) => None,
    }
}
