//! A planned change of PostgreSQL's leader, as a leader does it that is told to end.

use nova_member::Address;
use nova_member::hand_over::postgres::{LIMIT, Patronis};
use nova_platform::endpoints::PostgresEndpoint;

use super::{SwitchoverError, done};
use crate::doors::{Site, secret};

/// Asks for it. The answer comes when another one leads.
pub(super) async fn switch(leader: &str, site: &Site<'_>) -> Result<(), SwitchoverError> {
    let patroni = |member: &PostgresEndpoint| Address {
        member: member.member.clone(),
        host: member.patroni.host.clone(),
        port: member.patroni.port,
    };
    let (leads, others): (Vec<Address>, Vec<Address>) = site
        .endpoints
        .postgres()
        .iter()
        .map(patroni)
        .partition(|member| member.member == leader);
    let Some(leads) = leads.into_iter().next() else {
        return Err(SwitchoverError::NoMember {
            leader: leader.to_owned(),
            store: "PostgreSQL",
        });
    };
    let patronis = Patronis {
        leader: leads,
        others,
        password: secret(site, "patroni-rest")?,
    };
    done(leader, move || patronis.switch(LIMIT).map(drop)).await
}
