//! What is seen of calls from outside: readiness, metrics, and settings that are refused at start.

use std::time::Duration;

use nova_service::config::CallsConfig;
use nova_service::{Client, Listeners, Service, TokenVerifier};
use nova_testkit::{Fault, FaultProxy, TestIssuer, TestService, server_config};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Host, PATIENCE, calls, ended, until};

/// The value of the one line of `/metrics` that has this name and these labels.
async fn metric(service: &TestService, name: &str, labels: &[&str]) -> f64 {
    let text = service.operations("/metrics").await.text().await.unwrap();
    let mut lines = text
        .lines()
        .filter(|line| line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label)));
    let line = lines.next().unwrap_or_else(|| panic!("no {name} {labels:?} in {text}"));
    assert_eq!(lines.next(), None);
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

fn overriding(texts: &[&str], mut config: CallsConfig) -> CallsConfig {
    config.overrides = texts.iter().map(|text| text.parse().unwrap()).collect();
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_and_metrics_follow_the_breaker() {
    let host = Host::start().await;
    let proxy = FaultProxy::start(host.address).await;
    let config = calls(|config| {
        config.breaker_minimum_calls = 4;
        config.breaker_open = Duration::from_millis(500);
    });
    let config = overriding(&["observed-host.retry-max=1", "observed-host.http-pool-size=7"], config);
    let client = Client::new("observed-host", &proxy.url(), &config).unwrap();
    let service = TestService::start(Service::new("observer", "1", server_config()).client(&client)).await;
    let of = &["dependency=\"observed-host\""][..];
    let setting = async |name: &str| metric(&service, "nova_setting", &[of[0], &format!("name=\"{name}\"")]).await;

    assert!(ended(client.get("/")).await.is_ok());
    service
        .until("/health/ready", |_, text| text.contains("\"ready\""))
        .await;
    assert_eq!(
        (setting("retry_max").await, setting("http_pool_size").await),
        (1.0, 7.0)
    );
    assert_eq!(
        (setting("http_timeout").await, setting("http_idle_timeout").await),
        (2.0, 10.0)
    );
    assert_eq!(metric(&service, "nova_breaker_state", of).await, 0.0);
    assert_eq!(metric(&service, "http_client_pool_max", of).await, 7.0);

    // One in flight.
    let holding = tokio::spawn({
        let client = client.clone();
        async move { client.get("/hold").send().await }
    });
    until(|| host.hits() == 2).await;
    assert_eq!(metric(&service, "http_client_pool_usage", &[of[0], "used"]).await, 1.0);
    assert_eq!(
        metric(&service, "http_client_pool_usage", &[of[0], "waiting"]).await,
        0.0
    );
    host.go.add_permits(1);
    assert!(holding.await.unwrap().is_ok());

    proxy.set(Fault::Errors { ratio_percent: 100 }).await;
    let failing = async { while !matches!(client.get("/").send().await, Err(nova_service::CallError::Open { .. })) {} };
    timeout(PATIENCE, failing).await.expect("the breaker does not open");
    service
        .until("/health/ready", |status, text| {
            status == 200 && text.contains("\"observed-host\"")
        })
        .await;
    assert_eq!(metric(&service, "nova_part_up", &["part=\"observed-host\""]).await, 0.0);
    assert!(metric(&service, "nova_breaker_opened_total", of).await >= 1.0);
    assert!(metric(&service, "http_client_retries_total", of).await >= 1.0);
    assert!(metric(&service, "http_client_attempts_total", of).await >= 4.0);
    assert!(metric(&service, "http_client_rejected_total", &[of[0], "breaker_open"]).await >= 1.0);
    assert_eq!(
        metric(&service, "http_client_rejected_total", &[of[0], "bulkhead_full"]).await,
        0.0
    );

    proxy.set(Fault::None).await;
    let probing = async {
        loop {
            let _ = client.get("/").send().await;
            sleep(Duration::from_millis(20)).await;
        }
    };
    // One answered probe makes the member ready; the breaker closes after several.
    let recovered = async {
        service
            .until("/health/ready", |_, text| text.contains("\"ready\""))
            .await;
        while metric(&service, "nova_breaker_state", of).await > 0.0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = probing => {}
        closed = timeout(PATIENCE, recovered) => closed.expect("the breaker does not close"),
    }
    assert_eq!(metric(&service, "nova_part_up", &["part=\"observed-host\""]).await, 1.0);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_for_nobody_are_refused_at_start() {
    let issuer = TestIssuer::start().await;
    let config = overriding(
        &["identity.retry-max=1", "users.http-timeout=1900ms"],
        CallsConfig::default(),
    );
    let client = Client::new("users", "http://127.0.0.1:1", &config).unwrap();
    let verifier = TokenVerifier::remote(&issuer.config(), &config, "shop").unwrap();
    let service = || Service::new("caller", "1", server_config());

    let complete = TestService::start(service().client(&client).identity(&verifier)).await;
    // The fetching of keys is a call like others.
    let of = ["dependency=\"identity\"", "name=\"retry_max\""];
    assert_eq!(metric(&complete, "nova_setting", &of).await, 1.0);
    complete.stop().await;

    for (incomplete, named) in [
        (service().client(&client), "names identity"),
        (service().identity(&verifier), "names users"),
    ] {
        let bind = || TcpListener::bind(("127.0.0.1", 0));
        let (api, operations) = (bind().await.unwrap(), bind().await.unwrap());
        let listeners = Listeners { api, operations };
        let error = incomplete.serve(listeners, CancellationToken::new()).await.unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}
