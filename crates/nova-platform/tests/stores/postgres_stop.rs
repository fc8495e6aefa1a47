//! What Patroni runs before it ends PostgreSQL, on a real server.

use nova_platform::config::postgres::{Paths, member};
use nova_platform::config::{Site, members};
use nova_platform::spec::Spec;
use nova_platform::topology::{Kind, Member};

use crate::support::postgres::{Postgres, bin_directory};
use crate::support::process::run_unprivileged;
use crate::support::spec;

struct Here(Spec);

impl Site for Here {
    fn spec(&self) -> &Spec {
        &self.0
    }

    fn host(&self, _: &Member) -> String {
        "127.0.0.1".to_owned()
    }

    fn bind(&self, member: &Member) -> String {
        self.host(member)
    }
}

#[tokio::test]
async fn the_server_has_ended_in_good_order_although_somebody_was_connected() {
    let server = Postgres::start().await;
    let _session = server.superuser("postgres").await.unwrap();
    let here = Here(spec());
    let paths = Paths {
        data_dir: &server.data().display().to_string(),
        bin_dir: &bin_directory().display().to_string(),
        pgpass: "/unused",
    };
    let postgres = &members(here.spec(), Kind::Postgres)[0];
    let config = member(&here, postgres, &paths, Vec::new());
    let command = config["postgresql"]["before_stop"].as_str().unwrap();
    // Patroni splits it as a shell does.
    run_unprivileged("sh", &["-c", command]);
    assert!(!server.data().join("postmaster.pid").exists());
    assert!(
        server.log().contains("database system is shut down"),
        "{}",
        server.log()
    );
}
