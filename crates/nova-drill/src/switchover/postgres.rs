//! A planned change of PostgreSQL's leader, by Patroni's REST API.

use nova_platform::patroni_settings::REST_USER;
use reqwest::Client;
use serde_json::json;

use super::SwitchoverError;
use crate::doors::{Site, secret};

/// Asks for it. The answer comes when it is done.
///
/// No successor is named: to the others Patroni would then grant two seconds before they look for the new leader, and for so long it may
/// have no standby that confirms a commit.
pub(super) async fn switch(leader: &str, site: &Site<'_>) -> Result<(), SwitchoverError> {
    let members = site.endpoints.postgres();
    let member = members.iter().find(|member| member.member == leader);
    let patroni = &member
        .ok_or_else(|| SwitchoverError::NoMember {
            leader: leader.to_owned(),
            store: "PostgreSQL",
        })?
        .patroni;
    let password = secret(site, "patroni-rest")?;

    let failed = |error| SwitchoverError::Patroni {
        leader: leader.to_owned(),
        error,
    };
    let client = Client::builder().no_proxy().build().map_err(failed)?;
    let request = client.post(format!("http://{patroni}/switchover"));
    let asked = request
        .basic_auth(REST_USER, Some(password))
        .json(&json!({ "leader": leader }))
        .send();
    let answer = asked.await.map_err(failed)?;
    let status = answer.status();
    let said = answer.text().await.unwrap_or_default();
    if status.is_success() {
        Ok(())
    } else {
        Err(SwitchoverError::PatroniRefused {
            leader: leader.to_owned(),
            status,
            said,
        })
    }
}
