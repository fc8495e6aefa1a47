//! The description against the running service, by schemathesis. Run by hand, since it is a Python program:
//!
//! ```sh
//! python3 -m venv st && st/bin/pip install schemathesis==4.32.*
//! NOVA_SCHEMATHESIS=$PWD/st/bin/schemathesis cargo test --release -p auth-service --test main -- --ignored schemathesis
//! ```

use std::path::PathBuf;

use reqwest::Method;
use tokio::process::Command;

use crate::support::{Answer, Auth, CLIENT, CLIENT_SECRET};

const INTERNAL: &str = "^/api/v1/internal/";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs schemathesis, from PyPI"]
async fn schemathesis_finds_nothing() {
    let program = std::env::var_os("NOVA_SCHEMATHESIS").expect("NOVA_SCHEMATHESIS: where schemathesis is");
    let auth = Auth::start_with(|config| {
        for limit in [
            &mut config.pair_limit,
            &mut config.account_limit,
            &mut config.address_limit,
            &mut config.registration_limit,
            &mut config.password_limit,
        ] {
            limit.burst = 1_000_000;
        }
    })
    .await;
    let session = auth.session().await;
    let form = auth
        .request(Method::POST, "token")
        .body("grant_type=client_credentials&audience=auth-service&scope=accounts.read");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let given = Answer::of(form.basic_auth(CLIENT, Some(CLIENT_SECRET)))
        .await
        .expect(200);
    let service = given.body["access_token"].as_str().unwrap().to_owned();
    let account = run(&program.clone().into(), &auth, &session.access, "--exclude-path-regex").await;
    let service = run(&program.into(), &auth, &service, "--include-path-regex").await;
    assert!(account && service, "see above");
}

/// Whether it found nothing with this token on the routes for other services, or on all but those.
async fn run(program: &PathBuf, auth: &Auth, token: &str, which: &str) -> bool {
    let mut command = Command::new(program);
    command.args(["run", &auth.service.url("/openapi.json"), which, INTERNAL]);
    command.args(["--header", &format!("Authorization: Bearer {token}")]);
    command.args(["--max-examples", "50", "--seed", "1", "--no-color"]);
    command.kill_on_drop(true);
    command.status().await.unwrap().success()
}
