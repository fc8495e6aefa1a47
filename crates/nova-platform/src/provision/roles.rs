//! The roles of the services: they may log in and nothing else, and their passwords are those of the platform's secrets. One that
//! reads the stream of changes may do that, and look at the server's statistics, besides.

use sqlx::FromRow;

use super::session::Session;
use super::{ProvisionError, Role, Tenancy, scram};
use crate::postgres_login::{identifier, literal};

/// What no service needs, said in full, since any of it would let a role out of its schema.
const ATTRIBUTES: &str = "login inherit nosuperuser nocreatedb nocreaterole nobypassrls";
/// Whoever reads the stream of changes has to see how far it is, and how much of it waits.
const STATISTICS: &str = "pg_monitor";

#[derive(FromRow)]
struct Found {
    rolname: String,
    /// Whether it has exactly [`ATTRIBUTES`], and reads the stream of changes or not.
    plain: bool,
    replication: bool,
    /// Whether it is a member of [`STATISTICS`].
    statistics: bool,
    rolpassword: Option<String>,
    settings: Vec<String>,
}

/// Creates missing roles and corrects what differs.
pub(super) async fn ensure(server: &mut Session, tenancies: &[Tenancy]) -> Result<(), ProvisionError> {
    let wanted: Vec<&Role> = tenancies.iter().flat_map(Tenancy::roles).collect();
    let names: Vec<&str> = wanted.iter().map(|role| role.name.as_str()).collect();
    let query = sqlx::query_as(
        "select rolname::text, rolpassword, \
                rolcanlogin and rolinherit and not (rolsuper or rolcreatedb or rolcreaterole or rolbypassrls) as plain, \
                rolreplication as replication, \
                exists (select from pg_auth_members where member = role.oid and roleid = $2::text::regrole) as statistics, \
                coalesce((select setconfig from pg_db_role_setting where setdatabase = 0 and setrole = role.oid), '{}') \
                    as settings \
         from pg_authid as role where rolname = any($1)",
    );
    let found: Vec<Found> = server.query("list roles", query.bind(names).bind(STATISTICS)).await?;
    for tenancy in tenancies {
        for role in tenancy.roles() {
            let existing = found.iter().find(|found| found.rolname == role.name);
            ensure_one(server, role, tenancy.schema(), existing).await?;
        }
    }
    Ok(())
}

async fn ensure_one(
    server: &mut Session,
    role: &Role,
    schema: Option<&str>,
    found: Option<&Found>,
) -> Result<(), ProvisionError> {
    let (name, quoted) = (&role.name, identifier(&role.name));
    let password = || literal(&scram::verifier(&role.password));
    let stream = if role.replication {
        "replication"
    } else {
        "noreplication"
    };
    match found {
        None => {
            let create = format!("create role {quoted} {ATTRIBUTES} {stream} password {}", password());
            server.change(format!("created role {name}"), create).await?;
        }
        Some(found) => {
            if role.replication && found.plain && !found.replication {
                let alter = format!("alter role {quoted} replication");
                server
                    .change(format!("let role {name} read the stream of changes"), alter)
                    .await?;
            } else if !found.plain || found.replication != role.replication {
                let alter = format!("alter role {quoted} {ATTRIBUTES} {stream}");
                server
                    .change(format!("took attributes that it must not have from role {name}"), alter)
                    .await?;
            }
            let verifies = found
                .rolpassword
                .as_ref()
                .is_some_and(|kept| scram::verifies(kept, &role.password));
            if !verifies {
                let alter = format!("alter role {quoted} password {}", password());
                server.change(format!("set the password of role {name}"), alter).await?;
            }
        }
    }
    let statistics = found.is_some_and(|found| found.statistics);
    if role.replication && !statistics {
        let grant = format!("grant {STATISTICS} to {quoted}");
        server
            .change(format!("let role {name} see the server's statistics"), grant)
            .await?;
    } else if statistics && !role.replication {
        let revoke = format!("revoke {STATISTICS} from {quoted}");
        server
            .change(format!("took the server's statistics from role {name}"), revoke)
            .await?;
    }
    let kept: &[String] = found.map_or(&[], |found| &found.settings);
    for (setting, value) in settings(role, schema) {
        if !kept.iter().any(|kept| is_set(kept, setting, &value)) {
            // What looks like one name is one: `search_path` is a list, and would be split at a comma otherwise.
            let value = if setting == "search_path" {
                identifier(&value)
            } else {
                literal(&value)
            };
            let alter = format!("alter role {quoted} set {setting} = {value}");
            server.change(format!("set {setting} of role {name}"), alter).await?;
        }
    }
    Ok(())
}

/// What each session of a role starts with.
fn settings(role: &Role, schema: Option<&str>) -> Vec<(&'static str, String)> {
    // A migration may rewrite a table; a request never needs more than a request's time.
    let (statement, idle) = if role.owner { ("5min", "1min") } else { ("10s", "15s") };
    let path = schema.map(|schema| ("search_path", schema.to_owned()));
    path.into_iter()
        .chain([
            ("statement_timeout", statement.to_owned()),
            ("idle_in_transaction_session_timeout", idle.to_owned()),
        ])
        .collect()
}

/// Whether the server's note, `name=value`, is this setting. In a list, the server quotes names that need it.
fn is_set(kept: &str, setting: &str, value: &str) -> bool {
    kept.split_once('=')
        .is_some_and(|(name, kept)| name == setting && (kept == value || kept == identifier(value)))
}

#[cfg(test)]
mod tests {
    use super::is_set;

    #[test]
    fn a_setting_is_recognised_as_the_server_writes_it() {
        assert!(is_set("search_path=auth", "search_path", "auth"));
        assert!(is_set("search_path=\"user\"", "search_path", "user"));
        assert!(is_set("statement_timeout=10s", "statement_timeout", "10s"));
        assert!(!is_set("search_path=auth, public", "search_path", "auth"));
        assert!(!is_set("search_path", "search_path", ""));
    }
}
