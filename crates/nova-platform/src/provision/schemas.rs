//! What is inside a database: the schemas of the services that live there. The owner has everything in its schema, the
//! application role reads and writes rows, nobody else has anything.

use sqlx::FromRow;

use super::session::Session;
use super::{Own, ProvisionError, Role, Tenancy};
use crate::postgres_login::identifier;

/// What the application role gets on everything that the owner makes: kind of object, its letter in `pg_default_acl`, privileges.
const DEFAULTS: [(&str, &str, &[&str]); 3] = [
    ("tables", "r", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("sequences", "S", &["USAGE", "SELECT"]),
    ("functions", "f", &["EXECUTE"]),
];

#[derive(FromRow)]
struct Found {
    owner: String,
    app_uses: bool,
    /// Default privileges of the application role, as "r SELECT".
    defaults: Vec<String>,
    /// Whether the owner's functions are everybody's unless it says otherwise.
    functions_open: bool,
}

/// Closes `public` and makes the schemas that belong into this database. All of it or nothing.
pub(super) async fn ensure(session: &mut Session, database: &str, tenancies: &[Tenancy]) -> Result<(), ProvisionError> {
    session.run("begin", "begin".to_owned()).await?;
    let open = sqlx::query_as::<_, (bool,)>(
        "select exists (select from aclexplode(coalesce(nspacl, acldefault('n', nspowner))) where grantee = 0) \
         from pg_namespace where nspname = 'public'",
    );
    if session
        .query("look at schema public", open)
        .await?
        .iter()
        .any(|(open,)| *open)
    {
        let revoke = "revoke all on schema public from public".to_owned();
        session
            .change(format!("closed schema public of database {database} to PUBLIC"), revoke)
            .await?;
    }
    for tenancy in tenancies.iter().filter(|tenancy| tenancy.database == database) {
        if let Some(own) = &tenancy.own {
            ensure_one(session, database, own, &tenancy.app).await?;
        }
    }
    session.run("commit", "commit".to_owned()).await
}

async fn ensure_one(session: &mut Session, database: &str, own: &Own, app: &Role) -> Result<(), ProvisionError> {
    let Own { schema, owner } = own;
    let [quoted, owner_quoted, app_quoted] = [schema, &owner.name, &app.name].map(|name| identifier(name));
    if look(session, own, app).await?.is_none() {
        let create = format!("create schema {quoted} authorization {owner_quoted}");
        session
            .change(format!("created schema {schema} in database {database}"), create)
            .await?;
    }
    let Some(found) = look(session, own, app).await? else {
        return Ok(());
    };
    if found.owner != owner.name {
        let alter = format!("alter schema {quoted} owner to {owner_quoted}");
        session
            .change(format!("gave schema {schema} to role {}", owner.name), alter)
            .await?;
    }
    if !found.app_uses {
        let grant = format!("grant usage on schema {quoted} to {app_quoted}");
        session
            .change(format!("let role {} use schema {schema}", app.name), grant)
            .await?;
    }
    if found.functions_open {
        let alter = format!("alter default privileges for role {owner_quoted} revoke execute on functions from public");
        session
            .change(format!("closed functions of role {} to PUBLIC", owner.name), alter)
            .await?;
    }
    for (objects, letter, privileges) in DEFAULTS {
        if privileges
            .iter()
            .all(|privilege| found.defaults.contains(&format!("{letter} {privilege}")))
        {
            continue;
        }
        let list = privileges.join(", ").to_lowercase();
        let alter = format!(
            "alter default privileges for role {owner_quoted} in schema {quoted} grant {list} on {objects} to {app_quoted}"
        );
        session
            .change(
                format!("let role {} have {list} on {objects} of schema {schema}", app.name),
                alter,
            )
            .await?;
    }
    Ok(())
}

async fn look(session: &mut Session, own: &Own, app: &Role) -> Result<Option<Found>, ProvisionError> {
    let query = sqlx::query_as(
        "select pg_get_userbyid(nspowner)::text as owner, \
                has_schema_privilege($3::text::regrole::oid, space.oid, 'usage') as app_uses, \
                array(select defaclobjtype::text || ' ' || privilege_type \
                      from pg_default_acl, aclexplode(defaclacl) \
                      where defaclrole = $2::text::regrole and defaclnamespace = space.oid and grantee = $3::text::regrole) \
                    as defaults, \
                exists (select from aclexplode(coalesce(\
                            (select defaclacl from pg_default_acl \
                             where defaclrole = $2::text::regrole and defaclnamespace = 0 and defaclobjtype = 'f'), \
                            acldefault('f', $2::text::regrole))) where grantee = 0) as functions_open \
         from pg_namespace as space where nspname = $1",
    );
    let (owner, app) = (identifier(&own.owner.name), identifier(&app.name));
    let found = session
        .query("look at schemas", query.bind(&own.schema).bind(owner).bind(app))
        .await?;
    Ok(found.into_iter().next())
}
