//! A real PostgreSQL: one for the tests of a process, or one of its own for a test that stops it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nova_service::config::{Address, PostgresConfig, SecretFile};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio::sync::{Mutex, OnceCell};
use uuid::Uuid;

use crate::port::free_port;
use crate::server::{self, Server};
use crate::told::Told;
use crate::workplace;

const SUPERUSER: &str = "postgres";
const PASSWORD: &str = "for tests only";

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    server: Mutex<Server>,
    /// Roles belong to the server, not to a database: they are made once.
    roles: Mutex<Vec<String>>,
}

impl Postgres {
    /// The server that all tests of this process share.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A server of the test's own, which it may stop.
    pub async fn start() -> Self {
        let directory = workplace::create("postgres");
        let (binaries, data) = (binaries(), directory.join("data"));
        std::fs::write(directory.join("password"), PASSWORD).expect("cannot write the password file");
        let port = free_port();
        tokio::task::spawn_blocking({
            let (directory, data, binaries) = (directory.clone(), data.clone(), binaries.clone());
            move || initialise(&directory, &data, &binaries)
        })
        .await
        .expect("initdb failed");
        let server = Server::new(directory, command(&binaries, &data, port), "INT");
        let this = Self {
            port,
            server: Mutex::new(server),
            roles: Mutex::default(),
        };
        this.restart().await;
        this
    }

    /// Ends the server as a crash would (`stop -m immediate`).
    pub async fn stop(&self) {
        self.server.lock().await.stop("QUIT").await;
    }

    /// Starts the server again after [`Self::stop`].
    pub async fn restart(&self) {
        let mut server = self.server.lock().await;
        server.start();
        let options = self.options(SUPERUSER, PASSWORD, "postgres");
        server
            .ready(async || PgConnection::connect_with(&options).await?.close().await)
            .await;
    }

    /// Starts the stopped server as a replica that follows nobody: it answers reads and refuses writes.
    pub async fn restart_as_replica(&self) {
        let signal = self.server.lock().await.directory().join("data/standby.signal");
        std::fs::write(signal, "").expect("cannot write standby.signal");
        self.restart().await;
    }

    /// Makes the replica the primary.
    pub async fn promote(&self) {
        self.execute("postgres", "select pg_promote()").await;
    }

    /// Ends all sessions of a role, as an administrator or a failover would.
    pub async fn end_sessions(&self, role: &str) {
        self.execute(
            "postgres",
            &format!("select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'"),
        )
        .await;
    }

    /// Makes an empty database with the schema and the two roles of a service, as the platform does.
    pub async fn database(&self, schema: &str) -> TestDatabase<'_> {
        let name = format!("{schema}_{}", Uuid::new_v4().simple());
        let (owner, app) = (format!("{schema}_owner"), format!("{schema}_app"));
        {
            let mut roles = self.roles.lock().await;
            if !roles.contains(&owner) {
                for role in [&owner, &app] {
                    self.execute("postgres", &format!("create role {role} login password '{role}'"))
                        .await;
                }
                roles.push(owner.clone());
            }
            // Databases are copies of one template, which only one may read at a time.
            self.execute("postgres", &format!("create database {name}")).await;
        }
        for statement in [
            format!("revoke all on database {name} from public"),
            format!("grant connect on database {name} to {owner}, {app}"),
            "revoke all on schema public from public".to_owned(),
            format!("create schema {schema} authorization {owner}"),
            format!("grant usage on schema {schema} to {app}"),
            format!(
                "alter default privileges for role {owner} in schema {schema} grant select, insert, update, delete on tables to {app}"
            ),
            format!(
                "alter default privileges for role {owner} in schema {schema} grant usage, select on sequences to {app}"
            ),
            format!("alter default privileges for role {owner} revoke execute on functions from public"),
            format!("alter default privileges for role {owner} in schema {schema} grant execute on functions to {app}"),
        ] {
            self.execute(&name, &statement).await;
        }
        TestDatabase {
            server: self,
            name,
            schema: schema.to_owned(),
            owner,
            app,
        }
    }

    async fn execute(&self, database: &str, statement: &str) {
        let connecting = PgConnection::connect_with(&self.options(SUPERUSER, PASSWORD, database)).await;
        let mut connection = connecting.expect("the test's PostgreSQL does not answer");
        let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut connection)
            .await;
        done.unwrap_or_else(|error| panic!("`{statement}` failed: {error}"));
        let _ = connection.close().await;
    }

    fn options(&self, user: &str, password: &str, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(user)
            .password(password)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }
}

/// One test's database; the server's end removes it.
#[derive(Debug)]
pub struct TestDatabase<'a> {
    server: &'a Postgres,
    name: String,
    schema: String,
    owner: String,
    app: String,
}

impl TestDatabase<'_> {
    /// What a service is told to use this database. Both doors lead to the one server.
    pub fn config(&self) -> PostgresConfig {
        let address = Address {
            host: "127.0.0.1".to_owned(),
            port: self.server.port,
        };
        PostgresConfig {
            primary: address.clone(),
            replicas: address,
            database: self.name.clone(),
            schema: self.schema.clone(),
            user: self.app.clone(),
            password: SecretFile::from_text(&self.app),
            owner: self.owner.clone(),
            owner_password: SecretFile::from_text(&self.owner),
            pool: 5,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(8),
        }
    }

    /// Connections as the application role.
    pub fn app(&self) -> PgPool {
        self.pool(&self.app, &self.app)
    }

    /// Connections as the owner of the schema.
    pub fn owner(&self) -> PgPool {
        self.pool(&self.owner, &self.owner)
    }

    /// Connections as the superuser.
    pub fn superuser(&self) -> PgPool {
        self.pool(SUPERUSER, PASSWORD)
    }

    /// Hears every event that is committed here from now on.
    pub async fn told(&self) -> Told {
        Told::listen(self.superuser()).await
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn pool(&self, user: &str, password: &str) -> PgPool {
        let options = self
            .server
            .options(user, password, &self.name)
            .options([("search_path", &self.schema)]);
        PgPoolOptions::new().max_connections(4).connect_lazy_with(options)
    }
}

fn initialise(directory: &Path, data: &Path, binaries: &Path) {
    let pwfile = format!("--pwfile={}", directory.join("password").display());
    let pgdata = format!("--pgdata={}", data.display());
    let username = format!("--username={SUPERUSER}");
    let arguments = [
        &*pgdata,
        &username,
        &pwfile,
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--auth-local=reject",
        "--auth-host=scram-sha-256",
        "--no-sync",
    ];
    server::run(directory, binaries.join("initdb").as_os_str(), &arguments);
}

/// A server for tests: nothing outlives them, so nothing is flushed; few buffers, since many run at once.
fn command(binaries: &Path, data: &Path, port: u16) -> Vec<String> {
    let mut words = vec![
        binaries.join("postgres").display().to_string(),
        "-D".to_owned(),
        data.display().to_string(),
    ];
    for setting in [
        &*format!("port={port}"),
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "full_page_writes=off",
        "shared_buffers=32MB",
        "dynamic_shared_memory_type=mmap",
        "max_connections=300",
        // As on the platform, where changes are streamed.
        "wal_level=logical",
        "max_replication_slots=50",
        "max_wal_size=256MB",
        "password_encryption=scram-sha-256",
    ] {
        words.extend(["-c".to_owned(), setting.to_owned()]);
    }
    words
}

/// Where the newest installed PostgreSQL has its programs.
fn binaries() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = installed
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse::<u32>().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, binaries)| binaries.join("initdb").exists())
        .max_by_key(|(version, _)| *version);
    newest
        .expect("PostgreSQL's server is not installed; `./nova doctor --install` installs it")
        .1
}
