//! What the catalogues say: for each role, everything outside its own schema that it may do.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::{Resident, Schema};

/// Schemas of the server's own, which everybody may look into.
const NOT_OF_THE_SERVER: &str = "nspname not in ('pg_catalog', 'information_schema') and nspname not like 'pg\\_toast%' and nspname not like 'pg\\_temp%'";
/// Tables of a schema that are really tried.
const TABLES_TRIED: usize = 50;

/// Roles that should be there and are not.
pub(super) async fn missing_roles(
    server: &mut PgConnection,
    residents: &[Resident<'_>],
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select name from unnest($1::text[]) as name where not exists (select from pg_roles where rolname = name)",
    )
    .bind(names(residents))
    .fetch_all(server)
    .await
}

/// Databases that can be connected to.
pub(super) async fn databases(server: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("select datname::text from pg_database where datallowconn order by 1")
        .fetch_all(server)
        .await
}

/// Attributes, memberships, and privileges on databases.
pub(super) async fn server(server: &mut PgConnection, residents: &[Resident<'_>]) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "with resident as (select * from unnest($1::text[], $2::text[], $3::bool[]) as resident (name, home, streams)) \
         select format('role %s has attribute %s', name, attribute) \
         from resident join pg_roles on rolname = name, \
              lateral (values ('superuser', rolsuper), ('createdb', rolcreatedb), ('createrole', rolcreaterole), \
                              ('replication', rolreplication and not streams), ('bypassrls', rolbypassrls)) as has (attribute, yes) \
         where yes \
         union all \
         select format('role %s is a member of role %s', name, of.rolname) \
         from resident join pg_roles as self on self.rolname = name \
              join pg_auth_members on member = self.oid join pg_roles as of on of.oid = roleid \
         where not (streams and of.rolname = 'pg_monitor') \
         union all \
         select format('role %s has %s on database %s', name, privilege, datname) \
         from resident, pg_database, unnest(array['connect', 'create', 'temporary']) as privilege \
         where datallowconn and not (datname = home and privilege = 'connect') \
               and has_database_privilege(name, datname, privilege) \
         union all \
         select format('PUBLIC has %s on database %s', lower(privilege_type), datname) \
         from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) where datallowconn and grantee = 0",
    )
    .bind(names(residents))
    .bind(
        residents
            .iter()
            .map(|resident| resident.home.database.clone())
            .collect::<Vec<_>>(),
    )
    .bind(
        residents
            .iter()
            .map(|resident| resident.role.replication)
            .collect::<Vec<_>>(),
    )
    .fetch_all(server)
    .await
}

/// Privileges on the schemas and tables of one database; and what there is to be tried.
pub(super) async fn inside(
    database: &mut PgConnection,
    name: &str,
    residents: &[Resident<'_>],
) -> Result<(Vec<Schema>, Vec<String>), sqlx::Error> {
    let homes: Vec<Option<String>> = residents
        .iter()
        .map(|resident| {
            resident
                .home
                .schema()
                .filter(|_| resident.home.database == name)
                .map(str::to_owned)
        })
        .collect();
    let owners: Vec<bool> = residents.iter().map(|resident| resident.role.owner).collect();
    let query = format!(
        "with resident as (select * from unnest($1::text[], $2::text[], $3::bool[]) as resident (name, home, owner)), \
              space as (select oid, nspname from pg_namespace where {NOT_OF_THE_SERVER}) \
         select format('role %s has %s on schema %s of database %s', name, privilege, nspname, current_database()) \
         from resident, space, unnest(array['usage', 'create']) as privilege \
         where (nspname is distinct from home or (privilege = 'create' and not owner)) \
               and has_schema_privilege(name, space.oid, privilege) \
         union all \
         select format('role %s has %s on %s.%s of database %s', name, string_agg(privilege, ', '), nspname, relname, \
                       current_database()) \
         from resident, space join pg_class on relnamespace = space.oid, \
              unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as privilege \
         where nspname is distinct from home and relkind in ('r', 'p', 'v', 'm', 'f') \
               and (has_table_privilege(name, pg_class.oid, privilege) \
                    or (privilege in ('select', 'insert', 'update', 'references') \
                        and has_any_column_privilege(name, pg_class.oid, privilege))) \
         group by name, nspname, relname \
         union all \
         select format('role %s has %s on sequence %s.%s of database %s', name, string_agg(privilege, ', '), nspname, relname, \
                       current_database()) \
         from resident, space join pg_class on relnamespace = space.oid, \
              unnest(array['usage', 'select', 'update']) as privilege \
         where nspname is distinct from home \
               and case when relkind = 'S' then has_sequence_privilege(name, pg_class.oid, privilege) else false end \
         group by name, nspname, relname"
    );
    let violations = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
        .bind(names(residents))
        .bind(homes)
        .bind(owners)
        .fetch_all(&mut *database)
        .await?;
    Ok((schemas(database, name).await?, violations))
}

async fn schemas(database: &mut PgConnection, name: &str) -> Result<Vec<Schema>, sqlx::Error> {
    let query = format!(
        "select nspname::text, relname::text from pg_namespace \
         left join pg_class on relnamespace = pg_namespace.oid and relkind in ('r', 'p') \
         where {NOT_OF_THE_SERVER} order by 1, 2"
    );
    let rows: Vec<(String, Option<String>)> = sqlx::query_as(sqlx::AssertSqlSafe(query)).fetch_all(database).await?;
    let mut schemas = BTreeMap::<String, Vec<String>>::new();
    for (schema, table) in rows {
        let tables = schemas.entry(schema).or_default();
        tables.extend(table.filter(|_| tables.len() < TABLES_TRIED));
    }
    let schema = |(schema, tables)| Schema {
        database: name.to_owned(),
        name: schema,
        tables,
    };
    Ok(schemas.into_iter().map(schema).collect())
}

fn names(residents: &[Resident<'_>]) -> Vec<String> {
    residents.iter().map(|resident| resident.role.name.clone()).collect()
}
