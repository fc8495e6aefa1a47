//! Planned changes of leader, asked for as an operator would: Patroni's REST API, a Sentinel.

use std::time::Duration;

use fred::interfaces::ClientLike;
use fred::types::config::{Config, ServerConfig};
use fred::types::{Builder, ClusterHash, CustomCommand};
use nova_platform::checks::MASTER_NAME;
use nova_platform::patroni_settings::REST_USER;
use serde_json::json;
use tokio::time::timeout;

use crate::doors::Site;

/// Patroni answers when the change is done.
const LIMIT: Duration = Duration::from_secs(60);

/// Asks for it; `leader` is who leads now.
pub(crate) async fn ask(component: &str, leader: &str, site: &Site<'_>) -> Result<(), String> {
    let asked = async {
        match component {
            "postgres" => postgres(leader, site).await,
            _ => redis(site).await,
        }
    };
    match timeout(LIMIT, asked).await {
        Ok(result) => result,
        Err(_) => Err(format!("the switchover of {component} was not done within {} s", LIMIT.as_secs())),
    }
}

async fn postgres(leader: &str, site: &Site<'_>) -> Result<(), String> {
    let member = site.endpoints.postgres.iter().find(|member| member.member == leader);
    let member = member.ok_or_else(|| format!("{leader} is no PostgreSQL member"))?;
    let password = site.secrets.reveal("patroni-rest").map_err(|error| error.to_string())?;
    let client = reqwest::Client::builder().no_proxy().build();
    let answer = client
        .map_err(|error| error.to_string())?
        .post(format!("http://{}/switchover", member.patroni))
        .basic_auth(REST_USER, Some(password))
        .json(&json!({ "leader": leader }))
        .send()
        .await
        .map_err(|error| format!("Patroni of {leader}: {error}"))?;
    let status = answer.status();
    let said = answer.text().await.unwrap_or_default();
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("Patroni of {leader} refused the switchover ({status}): {said}"))
    }
}

async fn redis(site: &Site<'_>) -> Result<(), String> {
    let password = site.secrets.reveal("redis-sentinel").map_err(|error| error.to_string())?;
    let mut refusals = Vec::new();
    for sentinel in &site.endpoints.sentinels {
        let address = &sentinel.address;
        let config = Config {
            server: ServerConfig::new_centralized(address.host.as_str(), address.port),
            password: Some(password.to_owned()),
            fail_fast: true,
            ..Config::default()
        };
        let asked = async {
            let client = Builder::from_config(config).build()?;
            let task = client.init().await?;
            let command = CustomCommand::new_static("SENTINEL", ClusterHash::FirstKey, false);
            let answer = client.custom::<String, _>(command, vec!["FAILOVER", MASTER_NAME]).await;
            task.abort();
            answer
        };
        match asked.await {
            Ok(_) => return Ok(()),
            Err(error) => refusals.push(format!("{}: {error}", sentinel.member)),
        }
    }
    Err(format!("no Sentinel began a failover: {}", refusals.join("; ")))
}
