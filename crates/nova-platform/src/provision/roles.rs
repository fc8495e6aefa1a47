//! The roles of the services: they may log in and nothing else, and their passwords are those of the platform's secrets.

use sqlx::FromRow;

use super::session::Session;
use super::{ProvisionError, Role, Tenancy, scram};
use crate::postgres_login::{identifier, literal};

/// What no service needs, said in full, since any of it would let a role out of its schema.
const ATTRIBUTES: &str = "login inherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls";

#[derive(FromRow)]
struct Found {
    rolname: String,
    /// Whether it has exactly [`ATTRIBUTES`].
    plain: bool,
    rolpassword: Option<String>,
    settings: Vec<String>,
}

/// Creates missing roles and corrects what differs.
pub(super) async fn ensure(server: &mut Session, tenancies: &[Tenancy]) -> Result<(), ProvisionError> {
    let wanted: Vec<&Role> = tenancies.iter().flat_map(Tenancy::roles).collect();
    let names: Vec<&str> = wanted.iter().map(|role| role.name.as_str()).collect();
    let query = sqlx::query_as(
        "select rolname::text, rolpassword, \
                rolcanlogin and rolinherit and not (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls) \
                    as plain, \
                coalesce((select setconfig from pg_db_role_setting where setdatabase = 0 and setrole = role.oid), '{}') \
                    as settings \
         from pg_authid as role where rolname = any($1)",
    );
    let found: Vec<Found> = server.query("list roles", query.bind(names)).await?;
    for tenancy in tenancies {
        for role in tenancy.roles() {
            let existing = found.iter().find(|found| found.rolname == role.name);
            ensure_one(server, role, &tenancy.schema, existing).await?;
        }
    }
    Ok(())
}

async fn ensure_one(
    server: &mut Session,
    role: &Role,
    schema: &str,
    found: Option<&Found>,
) -> Result<(), ProvisionError> {
    let (name, quoted) = (&role.name, identifier(&role.name));
    let password = || literal(&scram::verifier(&role.password));
    match found {
        None => {
            let create = format!("create role {quoted} {ATTRIBUTES} password {}", password());
            server.change(format!("created role {name}"), create).await?;
        }
        Some(found) => {
            if !found.plain {
                let alter = format!("alter role {quoted} {ATTRIBUTES}");
                server.change(format!("took attributes that it must not have from role {name}"), alter).await?;
            }
            let verifies = found.rolpassword.as_ref().is_some_and(|kept| scram::verifies(kept, &role.password));
            if !verifies {
                let alter = format!("alter role {quoted} password {}", password());
                server.change(format!("set the password of role {name}"), alter).await?;
            }
        }
    }
    let kept: &[String] = found.map_or(&[], |found| &found.settings);
    for (setting, value) in settings(role, schema) {
        if !kept.contains(&format!("{setting}={value}")) {
            // `search_path` takes a list of names, so its value is quoted as one already; the others are plain words.
            let alter = format!("alter role {quoted} set {setting} = {value}");
            server.change(format!("set {setting} of role {name}"), alter).await?;
        }
    }
    Ok(())
}

/// What each session of a role starts with, exactly as the server writes it down.
fn settings(role: &Role, schema: &str) -> [(&'static str, String); 3] {
    // A migration may rewrite a table; a request never needs more than a request's time.
    let (statement, idle) = if role.owner { ("5min", "1min") } else { ("10s", "15s") };
    [
        ("search_path", plain_or_quoted(schema)),
        ("statement_timeout", statement.to_owned()),
        ("idle_in_transaction_session_timeout", idle.to_owned()),
    ]
}

/// A name as the server writes it in a list: quoted only when it must be.
fn plain_or_quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { identifier(name) }
}
