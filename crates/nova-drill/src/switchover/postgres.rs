//! A planned change of PostgreSQL's leader, by Patroni's REST API.

use std::time::Duration;

use futures::future::join_all;
use nova_platform::endpoints::{HostPort, PostgresEndpoint};
use nova_platform::patroni_settings::REST_USER;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::doors::Site;

/// Pause between two questions who leads. Each is some milliseconds' work of a Patroni that is about to be elected.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Time in which a Patroni that came too late for the leader key has read etcd anew.
const READS_ANEW: Duration = Duration::from_millis(100);

/// Asks for it, and sees to it that every standby follows the new leader at once.
///
/// No successor is named: to the others Patroni would then grant two seconds before they look for the new leader, and for so long it may
/// have no standby that confirms a commit.
pub(super) async fn switch(leader: &str, site: &Site<'_>) -> Result<(), String> {
    let (old, others): (Vec<_>, Vec<_>) = site
        .endpoints
        .postgres
        .iter()
        .partition(|member| member.member == leader);
    let [old] = old.as_slice() else {
        return Err(format!("{leader} is no PostgreSQL member"));
    };
    let password = site.secrets.reveal("patroni-rest").map_err(|error| error.to_string())?;
    let failed = |error: reqwest::Error| format!("Patroni of {leader}: {error}");
    let rest = Rest {
        client: Client::builder().no_proxy().build().map_err(failed)?,
        password,
    };
    let asked = rest.ask_to_switch(leader, &old.patroni);
    tokio::pin!(asked);
    let answer = tokio::select! {
        answer = &mut asked => answer,
        () = rest.wake_those_that_do_not_follow(&others) => asked.await,
    };
    let (status, said) = answer.map_err(failed)?;
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("Patroni of {leader} refused the switchover ({status}): {said}"))
    }
}

/// Patroni's REST API, of any member.
struct Rest<'a> {
    client: Client,
    password: &'a str,
}

impl Rest<'_> {
    /// The answer comes when it is done.
    async fn ask_to_switch(
        &self,
        leader: &str,
        patroni: &HostPort,
    ) -> Result<(reqwest::StatusCode, String), reqwest::Error> {
        let request = self.client.post(format!("http://{patroni}/switchover"));
        let answer = request
            .basic_auth(REST_USER, Some(self.password))
            .json(&json!({ "leader": leader }))
            .send()
            .await?;
        Ok((answer.status(), answer.text().await.unwrap_or_default()))
    }

    /// A Patroni that came too late for the leader key reads etcd anew, and may learn of the new leader in a way that does not wake it:
    /// it would look again a second later. A change of its settings that changes nothing wakes it, and all others, so it is made only
    /// where a standby does not follow yet. Nothing depends on it.
    async fn wake_those_that_do_not_follow(&self, members: &[&PostgresEndpoint]) {
        loop {
            let who = join_all(members.iter().map(|member| self.leads(&member.patroni))).await;
            if who.contains(&true) {
                let others = || members.iter().zip(&who).filter(|(_, leads)| !**leads);
                for _ in 0..2 {
                    sleep(READS_ANEW).await;
                    join_all(others().map(|(member, _)| self.wake_unless_it_follows(&member.patroni))).await;
                }
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn leads(&self, patroni: &HostPort) -> bool {
        let asked = self.client.head(format!("http://{patroni}/leader")).send();
        asked.await.is_ok_and(|answer| answer.status().is_success())
    }

    async fn wake_unless_it_follows(&self, patroni: &HostPort) -> Option<()> {
        let asked = self.client.get(format!("http://{patroni}/patroni")).send();
        let member: Value = asked.await.ok()?.json().await.ok()?;
        if member["replication_state"] == "streaming" {
            return Some(());
        }
        self.wake(patroni).await
    }

    async fn wake(&self, patroni: &HostPort) -> Option<()> {
        let config = format!("http://{patroni}/config");
        let settings: Value = self.client.get(&config).send().await.ok()?.json().await.ok()?;
        let same = json!({ "loop_wait": settings.get("loop_wait")? });
        let request = self.client.patch(&config).basic_auth(REST_USER, Some(self.password));
        request.json(&same).send().await.ok().map(drop)
    }
}
