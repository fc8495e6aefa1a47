//! One PostgreSQL server, without Patroni, whose superuser has the password of the platform's secrets.

use std::path::PathBuf;
use std::time::Duration;

use nova_platform::endpoints::HostPort;
use nova_platform::secrets::Secrets;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};

use super::process::{self, Process, run_unprivileged};
use super::{free_port, secrets};

/// A running server and the secrets that fit it.
pub(crate) struct Postgres {
    pub(crate) address: HostPort,
    pub(crate) secrets: Secrets,
    _process: Process,
    /// Removed after the process has ended: fields are dropped in this order.
    directory: tempfile::TempDir,
}

impl Postgres {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts with further settings, each as `name=value`.
    pub(crate) async fn start_with(settings: &[&str]) -> Self {
        let (directory, secrets) = (process::directory(), secrets());
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let (data, password) = (path("data"), path("password"));
        std::fs::write(&password, secrets.reveal("postgres-superuser").unwrap()).unwrap();
        let bin = bin_directory();
        let program = |name: &str| bin.join(name).to_str().unwrap().to_owned();
        let pwfile = format!("--pwfile={password}");
        let initdb = [
            "-D",
            &data,
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
            &pwfile,
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ];
        run_unprivileged(&program("initdb"), &initdb);
        let port = free_port();
        let port_text = port.to_string();
        let general = ["fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories="];
        let mut arguments = vec!["-D", &data, "-p", &port_text];
        arguments.extend(general.iter().chain(settings).flat_map(|setting| ["-c", *setting]));
        let process = Process::start(&directory.path().join("log"), &program("postgres"), &arguments);
        let server = Self {
            address: HostPort::new("127.0.0.1", port),
            secrets,
            _process: process,
            directory,
        };
        server.wait().await;
        server
    }

    /// Runs statements as the superuser.
    pub(crate) async fn execute(&self, database: &str, statements: &str) {
        let mut connection = self.superuser(database).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statements))
            .execute(&mut connection)
            .await
            .unwrap();
    }

    pub(crate) async fn superuser(&self, database: &str) -> Result<PgConnection, sqlx::Error> {
        self.login("postgres", "postgres-superuser", database).await
    }

    /// Logs in with the password of this secret.
    pub(crate) async fn login(&self, role: &str, secret: &str, database: &str) -> Result<PgConnection, sqlx::Error> {
        PgConnectOptions::new_without_pgpass()
            .host(&self.address.host)
            .port(self.address.port)
            .username(role)
            .password(self.secrets.reveal(secret).unwrap())
            .database(database)
            .ssl_mode(PgSslMode::Disable)
            .connect()
            .await
    }

    /// Where its data is.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// What the server has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    async fn wait(&self) {
        let up = async {
            while self.superuser("postgres").await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), up)
            .await
            .expect("PostgreSQL accepts connections");
    }
}

/// The newest installed server, as Debian lays them out; otherwise what is on the path.
pub(crate) fn bin_directory() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max();
    newest.map_or_else(PathBuf::new, |version| {
        PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"))
    })
}
