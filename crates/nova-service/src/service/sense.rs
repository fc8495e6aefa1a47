//! What settings of different parts must be to each other: refused at start, in a sentence that names both.

use std::time::Duration;

use thiserror::Error;

use crate::config::{CallsError, ServerConfig};
use crate::{Client, Postgres, Redis};

/// Settings that make no sense together.
#[derive(Debug, Error)]
pub(super) enum Nonsense {
    /// A part may take as long as the request that needs it, or longer.
    #[error(
        "--{setting} ({value:?}) is not below --request-timeout ({request:?}): a request would be given up before {before}; \
         lower the one or raise the other"
    )]
    NotBelow {
        setting: &'static str,
        value: Duration,
        request: Duration,
        before: &'static str,
    },
    /// Calls to one service with two breakers, budgets and pools.
    #[error(
        "two clients call {0}; make one and clone it, so that they share connections, breaker and budget of retries"
    )]
    TwoClients(&'static str),
    /// Settings for calls that are never made.
    #[error(transparent)]
    Calls(#[from] CallsError),
}

/// Refuses what makes no sense, and warns of what is of no use.
pub(super) fn check(
    server: &ServerConfig,
    databases: &[Postgres],
    redis: &[Redis],
    clients: &[Client],
) -> Result<(), Nonsense> {
    for config in databases.iter().map(Postgres::config) {
        let free = "a connection is free";
        below("database-acquire-timeout", config.acquire_timeout, server, free)?;
        let ended = "PostgreSQL ends its statement";
        below("database-statement-timeout", config.statement_timeout, server, ended)?;
    }
    for redis in redis {
        let missed = "it can go on without Redis";
        below("redis-timeout", redis.timeout(), server, missed)?;
    }
    let names: Vec<_> = clients.iter().map(Client::dependency).collect();
    for (number, client) in clients.iter().enumerate() {
        client.config().only_for(&names)?;
        let earlier = clients.iter().take(number);
        if earlier
            .into_iter()
            .any(|other| other.dependency() == client.dependency() && !other.is_clone_of(client))
        {
            return Err(Nonsense::TwoClients(client.dependency()));
        }
    }
    for client in useless(server.request_timeout, clients) {
        tracing::warn!(
            dependency = client.dependency(),
            "--http-timeout ({:?}) is above --request-timeout ({:?}): a call that is made for a request never has as long",
            client.config().timeout,
            server.request_timeout,
        );
    }
    Ok(())
}

/// Clients whose calls may take longer than any request lasts.
fn useless(request: Duration, clients: &[Client]) -> impl Iterator<Item = &Client> {
    clients.iter().filter(move |client| client.config().timeout > request)
}

fn below(setting: &'static str, value: Duration, server: &ServerConfig, before: &'static str) -> Result<(), Nonsense> {
    let request = server.request_timeout;
    if value < request {
        return Ok(());
    }
    Err(Nonsense::NotBelow {
        setting,
        value,
        request,
        before,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::{Address, CallsConfig, PostgresConfig, RedisConfig, SecretFile};

    #[derive(Parser)]
    struct Server {
        #[command(flatten)]
        config: ServerConfig,
    }

    fn server(request_timeout: &str) -> ServerConfig {
        Server::parse_from(["service", "--listen=127.0.0.1:0", "--request-timeout", request_timeout]).config
    }

    fn address() -> Address {
        "127.0.0.1:1".parse().unwrap()
    }

    fn database(acquire: Duration, statement: Duration) -> Postgres {
        let text = "nobody".to_owned();
        Postgres::new(&PostgresConfig {
            primary: address(),
            replicas: address(),
            database: text.clone(),
            schema: text.clone(),
            user: text.clone(),
            password: SecretFile::from_text(&text),
            owner: text.clone(),
            owner_password: SecretFile::from_text(&text),
            pool: 1,
            acquire_timeout: acquire,
            statement_timeout: statement,
        })
    }

    fn redis(timeout: Duration) -> Redis {
        Redis::new(&RedisConfig {
            sentinels: vec![address()],
            master: "nova".to_owned(),
            password: None,
            sentinel_password: None,
            pool: 1,
            timeout,
        })
        .unwrap()
    }

    fn client(dependency: &'static str, config: &CallsConfig) -> Client {
        Client::new(dependency, "http://127.0.0.1:1", config).unwrap()
    }

    fn overriding(text: &str) -> CallsConfig {
        CallsConfig {
            overrides: vec![text.parse().unwrap()],
            ..CallsConfig::default()
        }
    }

    const ONE: Duration = Duration::from_secs(1);
    const TWO: Duration = Duration::from_secs(2);
    const THREE: Duration = Duration::from_secs(3);

    #[tokio::test]
    async fn the_defaults_make_sense() {
        let clients = [client("auth-service", &CallsConfig::default())];
        check(
            &server("3s"),
            &[database(ONE, TWO)],
            &[redis(Duration::from_millis(200))],
            &clients,
        )
        .unwrap();
        assert_eq!(useless(THREE, &clients).count(), 0);
    }

    #[tokio::test]
    async fn a_part_that_outlasts_the_request_is_refused_naming_both() {
        let refused = |databases: &[Postgres], stores: &[Redis], named: &str| {
            let error = check(&server("2s"), databases, stores, &[]).unwrap_err().to_string();
            assert!(
                error.contains(named) && error.contains("--request-timeout (2s)"),
                "{error}"
            );
        };
        refused(&[database(TWO, ONE)], &[], "--database-acquire-timeout (2s)");
        refused(&[database(ONE, THREE)], &[], "--database-statement-timeout (3s)");
        refused(&[], &[redis(THREE)], "--redis-timeout (3s)");
        check(&server("3s"), &[database(TWO, TWO)], &[redis(TWO)], &[]).unwrap();
    }

    #[tokio::test]
    async fn settings_for_calls_to_nobody_are_refused() {
        let config = overriding("serach-service.retry-max=1");
        let error = check(&server("3s"), &[], &[], &[client("search-service", &config)]).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("serach-service") && error.contains("it calls search-service"),
            "{error}"
        );

        let config = overriding("identity.retry-max=1");
        let both = [client("search-service", &config), client("identity", &config)];
        check(&server("3s"), &[], &[], &both).unwrap();
    }

    #[tokio::test]
    async fn one_service_has_one_client() {
        let config = CallsConfig::default();
        let one = client("auth-service", &config);
        check(&server("3s"), &[], &[], &[one.clone(), one.clone()]).unwrap();
        let error = check(&server("3s"), &[], &[], &[one, client("auth-service", &config)]).unwrap_err();
        assert!(error.to_string().contains("auth-service"), "{error}");
    }

    #[tokio::test]
    async fn calls_that_outlast_the_request_are_of_no_use_and_allowed() {
        let clients = [
            client("a", &CallsConfig::default()),
            client("b", &overriding("b.http-timeout=5s")),
        ];
        let named: Vec<_> = useless(THREE, &clients).map(Client::dependency).collect();
        assert_eq!(named, ["b"]);
    }
}
