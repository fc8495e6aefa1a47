//! The isolation matrix: each role of each service against every other schema and database. The catalogues say what a role
//! may do, for every object; real logins with the roles' own passwords prove that the server acts accordingly.

mod attempts;
mod sweep;

use futures::future::try_join_all;

use crate::bounded::{Stage, Verdict};
use crate::endpoints::HostPort;
use crate::postgres_login::{Login, MAINTENANCE_DATABASE, explain};
use crate::provision::{Role, Tenancy};

/// Violations that an error lists at most.
const LISTED: usize = 10;

/// See the module.
pub(super) struct Isolation {
    superuser: Login,
    tenancies: Vec<Tenancy>,
}

/// A role and where it belongs.
#[derive(Clone, Copy)]
struct Resident<'a> {
    role: &'a Role,
    home: &'a Tenancy,
}

/// Tables of one schema, for roles that must not read them.
struct Schema {
    database: String,
    name: String,
    tables: Vec<String>,
}

impl Isolation {
    pub(super) fn new(superuser: Login, tenancies: Vec<Tenancy>) -> Self {
        Self { superuser, tenancies }
    }

    /// Looks and tries on the server at `address`. The error names every role and object where more is possible than should be.
    pub(super) async fn verify(&self, address: &HostPort, stage: &Stage) -> Verdict {
        let residents: Vec<Resident> = self
            .tenancies
            .iter()
            .flat_map(|home| home.roles().map(move |role| Resident { role, home }))
            .collect();
        let connect = async |database: &str| {
            stage.enter(format!("the catalogues of database {database} on {address}"));
            let connection = self.superuser.connect(address, database, stage.remaining()).await;
            connection.map_err(|error| format!("{address}, database {database}: {}", explain(&error)))
        };
        let mut maintenance = connect(MAINTENANCE_DATABASE).await?;
        let of = |error: sqlx::Error| format!("{address}: {}", explain(&error));
        let missing = sweep::missing_roles(&mut maintenance, &residents).await.map_err(of)?;
        if !missing.is_empty() {
            return Err(format!(
                "{address} is not provisioned yet: there is no role {}",
                missing.join(", ")
            ));
        }
        let databases = sweep::databases(&mut maintenance).await.map_err(of)?;
        let mut violations = sweep::server(&mut maintenance, &residents).await.map_err(of)?;

        // Nobody stays in a template: a session there would keep databases from being made of it.
        let inside = databases
            .iter()
            .filter(|database| !database.starts_with("template"))
            .map(async |database| {
                let mut connection = connect(database).await?;
                sweep::inside(&mut connection, database, &residents).await.map_err(of)
            });
        let (mut schemas, mut objects) = (Vec::new(), Vec::new());
        for (found, more) in try_join_all(inside).await? {
            schemas.extend(found);
            objects.extend(more);
        }
        stage.enter(format!(
            "attempts of {} roles to get out of their schemas on {address}",
            residents.len()
        ));
        violations.extend(attempts::all(address, &residents, &databases, &schemas, stage).await?);
        // Last, because they are the most, and often follow from what was found before.
        violations.extend(objects);
        judge(violations)
    }
}

fn judge(mut violations: Vec<String>) -> Verdict {
    if violations.is_empty() {
        return Ok(());
    }
    let more = violations.len().saturating_sub(LISTED);
    violations.truncate(LISTED);
    let mut text = violations.join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    Err(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
mod tests {
    use super::judge;

    #[test]
    fn violations_are_told_and_not_without_end() {
        assert_eq!(judge(Vec::new()), Ok(()));
        assert_eq!(judge(vec!["b".to_owned(), "a".to_owned()]), Err("b; a".to_owned()));
        let many: Vec<_> = (10..25).map(|n| n.to_string()).collect();
        assert!(judge(many).unwrap_err().ends_with("19; and 5 more"));
    }
}
