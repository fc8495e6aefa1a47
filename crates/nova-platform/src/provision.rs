//! Makes what the services find in PostgreSQL: databases, an owner and an application role a service, their schemas, and
//! nothing for PUBLIC. Looks first and changes only what differs, so that a second run changes nothing.

mod databases;
mod publication;
mod roles;
mod schemas;
mod scram;
mod session;
pub(crate) mod slot;

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::timeout;

use crate::endpoints::{Endpoints, HostPort};
use crate::patroni::Patroni;
use crate::postgres_login::{Login, MAINTENANCE_DATABASE, explain};
use crate::secrets::Secrets;
use crate::spec::Spec;
use crate::uses;
use session::Session;

/// Databases that every platform has, whatever services it runs now: they are few, and a service may come later.
pub const DATABASES: [&str; 3] = ["nova_core", "nova_messaging", "nova_search"];
/// Name of the secret with the superuser's password.
pub const SUPERUSER_SECRET: &str = "postgres-superuser";
/// Held while provisioning, so that two at once do not trip over each other. Any number that nobody else uses.
const ADVISORY_LOCK: i64 = 0x6e6f_7661_7072_6f76;

/// Why provisioning ended early. What was done before stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// There is no leader to provision.
    #[error("no PostgreSQL leader to provision: {0}")]
    NoLeader(String),
    /// A password is not among the platform's secrets.
    #[error("the secret {0} does not exist; a deploy makes it")]
    MissingSecret(String),
    /// The server refused, or went away.
    #[error("could not {action} on {address}: {reason}")]
    Refused {
        /// What was tried, as "create role auth_app".
        action: String,
        /// The server.
        address: HostPort,
        /// What came back.
        reason: String,
    },
    /// It took too long.
    #[error("provisioning PostgreSQL on {address} did not end within {}", humantime::format_duration(*limit))]
    TimedOut {
        /// The server.
        address: HostPort,
        /// How long it was given.
        limit: Duration,
    },
}

/// A role as a service uses it.
#[derive(Clone)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) password: SecretString,
    /// Owners migrate, and may take longer over it.
    pub(crate) owner: bool,
    /// Whether it may read the stream of changes, and the server's statistics.
    pub(crate) replication: bool,
}

impl Role {
    pub(crate) fn login(&self) -> Login {
        Login {
            role: self.name.clone(),
            password: self.password.clone(),
        }
    }
}

/// What a service has in PostgreSQL.
#[derive(Clone)]
pub(crate) struct Tenancy {
    pub(crate) database: String,
    /// What it owns there, of a service that owns something.
    pub(crate) own: Option<Own>,
    /// Logs in, reads and writes rows of the schema.
    pub(crate) app: Role,
}

/// A service's own schema.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) schema: String,
    /// Owns it and runs migrations.
    pub(crate) owner: Role,
}

impl Tenancy {
    /// One for each service of the description that uses PostgreSQL.
    pub(crate) fn all(spec: &Spec, secrets: &Secrets) -> Result<Vec<Self>, ProvisionError> {
        let described = spec
            .services
            .iter()
            .filter_map(|(name, service)| uses::tenancy(name, service));
        described.map(|described| Self::of(described, secrets)).collect()
    }

    fn of(described: uses::Tenancy, secrets: &Secrets) -> Result<Self, ProvisionError> {
        let own = |schema: uses::OwnSchema| {
            Ok(Own {
                schema: schema.name,
                owner: Role {
                    name: schema.owner,
                    password: password(secrets, &schema.password)?,
                    owner: true,
                    replication: false,
                },
            })
        };
        Ok(Self {
            database: described.database,
            own: described.schema.map(own).transpose()?,
            app: Role {
                name: described.role,
                password: password(secrets, &described.password)?,
                owner: false,
                replication: described.replication,
            },
        })
    }

    /// The owner, where there is one, before the role that works.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &Role> {
        let owner = self.own.as_ref().map(|own| &own.owner);
        owner.into_iter().chain([&self.app])
    }

    pub(crate) fn schema(&self) -> Option<&str> {
        self.own.as_ref().map(|own| own.schema.as_str())
    }
}

/// A password among the platform's secrets.
pub(crate) fn password(secrets: &Secrets, name: &str) -> Result<SecretString, ProvisionError> {
    secrets
        .get(name)
        .cloned()
        .ok_or_else(|| ProvisionError::MissingSecret(name.to_owned()))
}

/// Provisions the leader of a running platform, and says what it changed, a line each; nothing when all was there.
///
/// # Errors
/// When there is no leader, it refuses, or `limit` is over. Safe to repeat.
pub async fn provision(
    spec: &Spec,
    endpoints: &Endpoints,
    secrets: &Secrets,
    limit: Duration,
) -> Result<Vec<String>, ProvisionError> {
    let leader = timeout(limit, Patroni::new(endpoints).leader())
        .await
        .map_err(|_| ProvisionError::NoLeader("Patroni did not answer in time".to_owned()))?
        .map_err(ProvisionError::NoLeader)?;
    provision_server(spec, &leader.postgres, secrets, limit).await
}

/// Provisions the server at `address`, which must accept writes.
///
/// # Errors
/// As [`provision`].
pub async fn provision_server(
    spec: &Spec,
    address: &HostPort,
    secrets: &Secrets,
    limit: Duration,
) -> Result<Vec<String>, ProvisionError> {
    let superuser = Login::superuser(password(secrets, SUPERUSER_SECRET)?);
    let tenancies = Tenancy::all(spec, secrets)?;
    timeout(limit, run(&superuser, address, &tenancies, limit))
        .await
        .map_err(|_| ProvisionError::TimedOut {
            address: address.clone(),
            limit,
        })?
}

async fn run(
    superuser: &Login,
    address: &HostPort,
    tenancies: &[Tenancy],
    limit: Duration,
) -> Result<Vec<String>, ProvisionError> {
    let mut server = Session::open(superuser, address, MAINTENANCE_DATABASE, limit).await?;
    // The lock ends with the session, however this ends.
    server
        .run(
            "wait for another provisioning",
            format!("select pg_advisory_lock({ADVISORY_LOCK})"),
        )
        .await?;
    roles::ensure(&mut server, tenancies).await?;
    let wanted: BTreeSet<&str> = DATABASES
        .into_iter()
        .chain(tenancies.iter().map(|tenancy| tenancy.database.as_str()))
        .collect();
    databases::ensure(&mut server, &wanted, tenancies).await?;

    let mut changes = server.changes().to_vec();
    let inside = wanted
        .into_iter()
        .chain([MAINTENANCE_DATABASE, "template1"])
        .map(async |database| {
            let mut session = Session::open(superuser, address, database, limit).await?;
            schemas::ensure(&mut session, database, tenancies).await?;
            publication::ensure(&mut session, database, tenancies).await?;
            session.close().await
        });
    for made in futures::future::try_join_all(inside).await? {
        changes.extend(made);
    }
    server.close().await?;
    Ok(changes)
}

impl ProvisionError {
    fn refused(action: impl Into<String>, address: &HostPort, error: &sqlx::Error) -> Self {
        Self::Refused {
            action: action.into(),
            address: address.clone(),
            reason: explain(error),
        }
    }
}
