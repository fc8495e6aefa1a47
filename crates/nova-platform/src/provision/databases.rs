//! The databases, and who may enter them: the roles of the services that live there, and nobody as PUBLIC.

use std::collections::BTreeSet;

use sqlx::FromRow;

use super::session::Session;
use super::{ProvisionError, Tenancy};
use crate::postgres_login::{MAINTENANCE_DATABASE, identifier};

#[derive(FromRow)]
struct Found {
    datname: String,
    /// Whether PUBLIC may do anything there.
    open: bool,
    /// Roles that may connect by a grant of their own.
    guests: Vec<String>,
}

/// Creates missing databases, closes all of them to PUBLIC, and lets in who belongs there.
pub(super) async fn ensure(
    server: &mut Session,
    wanted: &BTreeSet<&str>,
    tenancies: &[Tenancy],
) -> Result<(), ProvisionError> {
    let found = list(server).await?;
    let missing: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|name| found.iter().all(|found| found.datname != *name))
        .collect();
    for name in &missing {
        // `template0` has nothing that somebody could have added, and any locale and encoding can be had from it.
        let create = format!(
            "create database {} encoding 'UTF8' template template0",
            identifier(name)
        );
        server.change(format!("created database {name}"), create).await?;
    }
    let found = if missing.is_empty() { found } else { list(server).await? };

    let rewinders = rewinders(server).await?;
    for database in &found {
        let name = &database.datname;
        let ours = wanted.contains(name.as_str()) || [MAINTENANCE_DATABASE, "template1"].contains(&name.as_str());
        if ours && database.open {
            let revoke = format!("revoke all on database {} from public", identifier(name));
            server
                .change(format!("closed database {name} to PUBLIC"), revoke)
                .await?;
        }
        let residents = tenancies.iter().filter(|tenancy| tenancy.database == *name);
        let mut guests: Vec<&str> = residents
            .flat_map(Tenancy::roles)
            .map(|role| role.name.as_str())
            .collect();
        if name == MAINTENANCE_DATABASE {
            guests.extend(rewinders.iter().map(String::as_str));
        }
        for guest in guests
            .into_iter()
            .filter(|guest| database.guests.iter().all(|has| has != guest))
        {
            let grant = format!(
                "grant connect on database {} to {}",
                identifier(name),
                identifier(guest)
            );
            server
                .change(format!("let role {guest} connect to database {name}"), grant)
                .await?;
        }
    }
    Ok(())
}

async fn list(server: &mut Session) -> Result<Vec<Found>, ProvisionError> {
    let query = sqlx::query_as(
        "select datname::text, \
                exists (select from aclexplode(acl) where grantee = 0) as open, \
                array(select pg_get_userbyid(grantee)::text from aclexplode(acl) \
                      where grantee <> 0 and privilege_type = 'CONNECT') as guests \
         from pg_database, coalesce(datacl, acldefault('d', datdba)) as acl where datallowconn",
    );
    server.query("list databases", query).await
}

/// The role that Patroni rewinds a former leader with: it connects to the maintenance database, and is known by the
/// functions that Patroni lets it run. Without this a crashed leader could not come back once PUBLIC is shut out.
async fn rewinders(server: &mut Session) -> Result<Vec<String>, ProvisionError> {
    let query = sqlx::query_as::<_, (String,)>(
        "select rolname::text from pg_roles where rolcanlogin and not rolsuper and has_function_privilege(\
             oid, 'pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)', 'execute')",
    );
    Ok(server
        .query("list roles that rewind", query)
        .await?
        .into_iter()
        .map(|(name,)| name)
        .collect())
}
