//! What every service can be told: flags with environment names, checked when the process starts.
//!
//! This is the only module of the chassis that reads the environment (through clap). A value that makes no sense is
//! refused by the parser, so the process ends with exit code 2 and a sentence naming the flag.

mod calls;
mod credentials;
mod database;
mod identity;
mod kafka;
mod network;
mod origin;
mod redis;
mod server;
mod value;

pub use calls::{CallsConfig, CallsError, Override};
pub use credentials::CredentialsConfig;
pub use database::PostgresConfig;
pub use identity::IdentityConfig;
pub use kafka::KafkaConfig;
pub use network::Network;
pub use origin::Origin;
pub use redis::RedisConfig;
pub use server::{LogFormat, ServerConfig};
pub use value::{Address, SecretFile, duration, port_address, url};

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use clap::error::ErrorKind;
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Config {
        #[command(flatten)]
        server: ServerConfig,
        #[command(flatten)]
        postgres: PostgresConfig,
        #[command(flatten)]
        redis: RedisConfig,
        #[command(flatten)]
        identity: IdentityConfig,
        #[command(flatten)]
        credentials: CredentialsConfig,
        #[command(flatten)]
        calls: CallsConfig,
    }

    fn parse(changes: &[&str]) -> Result<Config, clap::Error> {
        let mut secret = tempfile::NamedTempFile::new().unwrap();
        writeln!(secret, "secret").unwrap();
        let file = secret.path().to_str().unwrap();
        let mut arguments = vec!["service", "--listen=127.0.0.1:8080"];
        arguments.extend([
            "--database-primary=127.0.0.1:1",
            "--database-replicas=127.0.0.1:2",
            "--database-name=nova_core",
        ]);
        arguments.extend([
            "--database-schema=users",
            "--database-user=users_app",
            "--database-owner=users_owner",
        ]);
        arguments.extend(["--database-password-file", file, "--database-owner-password-file", file]);
        arguments.extend(["--redis-sentinels=127.0.0.1:3,127.0.0.1:4"]);
        arguments.extend([
            "--identity-issuer=http://nova",
            "--identity-jwks-url=http://127.0.0.1/jwks",
        ]);
        arguments.extend(["--client-secret-file", file]);
        // A flag given twice is an error of its own, so a change replaces the flag.
        for change in changes {
            let name = change.split('=').next().unwrap();
            arguments.retain(|argument| argument.split('=').next() != Some(name));
            arguments.push(change);
        }
        Config::try_parse_from(arguments)
    }

    #[test]
    fn every_setting_has_an_environment_name_and_a_description() {
        for argument in Config::command().get_arguments() {
            let name = argument.get_id();
            let environment = argument
                .get_env()
                .unwrap_or_else(|| panic!("{name} has no environment name"));
            assert!(environment.to_str().unwrap().starts_with("NOVA_"), "{name}");
            assert!(argument.get_help().is_some(), "{name} has no description");
        }
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.server.operations_address().to_string(), "127.0.0.1:9080");
        assert_eq!(config.server.drain_timeout, Duration::from_secs(25));
        assert_eq!(config.redis.sentinels.len(), 2);
        assert_eq!(config.redis.timeout, Duration::from_millis(200));
        assert_eq!(config.identity.audience, "nova");
        assert_eq!(config.calls, CallsConfig::default());
    }

    #[test]
    fn nonsense_is_refused_with_exit_code_2_naming_the_flag() {
        for wrong in [
            "--database-pool=0",
            "--database-pool=-1",
            "--database-pool=many",
            "--redis-pool=0",
            "--request-timeout=-1s",
            "--request-timeout=0s",
            "--request-timeout=5",
            "--drain-timeout=2days",
            "--max-body-bytes=0",
            "--max-in-flight=0",
            "--max-unfinished-per-client=0",
            "--max-connections-per-client=0",
            "--trusted-proxies=10.0.0.0/33",
            "--trusted-peers=host",
            "--cors-origins=*",
            "--cors-origins=https://nova.example/app",
            "--listen=8080",
            "--listen=127.0.0.1:99999",
            "--log-filter=a=b=c",
            "--log-format=xml",
            "--otlp-endpoint=collector",
            "--database-primary=localhost",
            "--database-schema=users; drop table users",
            "--database-password-file=/nonexistent",
            "--redis-sentinels=,",
            "--identity-jwks-url=https://nova",
            "--auth-service-url=auth",
            "--client-secret-file=/nonexistent",
            "--http-timeout=0s",
            "--http-pool-size=0",
            "--retry-max=11",
            "--retry-budget=0",
            "--breaker-failure-ratio=1.1",
            "--breaker-failure-ratio=NaN",
            "--calls=auth-service.speed=9",
        ] {
            let error = parse(&[wrong]).expect_err(wrong);
            let flag = wrong.split('=').next().unwrap();
            assert_eq!(error.exit_code(), 2, "{wrong}");
            assert!(error.to_string().contains(flag), "{wrong}: {error}");
        }
        assert_eq!(parse(&["--unknown=1"]).unwrap_err().kind(), ErrorKind::UnknownArgument);
    }
}
