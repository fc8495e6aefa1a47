//! Each way to break ends in an answer or an error in time, and is over when the fault is.

use std::time::Duration;

use axum::http::StatusCode;
use nova_service::CallError;
use nova_testkit::{Fault, FaultProxy};

use super::{Host, calls, client, ended};

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_ends_in_time_and_leaves_nothing_behind() {
    let host = Host::start().await;
    let proxy = FaultProxy::start(host.address).await;
    let client = client(
        proxy.address(),
        &calls(|config| config.timeout = Duration::from_millis(1500)),
    );
    for fault in [
        Fault::Hang,
        Fault::Slow(Duration::from_secs(30)),
        Fault::Reset,
        Fault::Errors { ratio_percent: 100 },
        Fault::Flap(Duration::from_millis(100)),
        Fault::BlackHole,
        Fault::HeadersOnly,
    ] {
        // With and without a connection from before the fault.
        for warm in [true, false] {
            proxy.set(Fault::None).await;
            if warm {
                assert_eq!(
                    ended(client.get("/")).await.unwrap().status,
                    StatusCode::OK,
                    "before {fault:?}"
                );
            }
            proxy.set(fault).await;
            let (read, write) = tokio::join!(ended(client.get("/")), ended(client.post("/")));
            for result in [read, write] {
                match fault {
                    Fault::Reset => assert!(matches!(result, Err(CallError::Transport { .. })), "{result:?}"),
                    Fault::Errors { .. } => assert_eq!(result.unwrap().status, StatusCode::INTERNAL_SERVER_ERROR),
                    // Whatever it meets.
                    Fault::Flap(_) => drop(result),
                    Fault::BlackHole => assert!(
                        matches!(
                            result,
                            Err(CallError::Transport { .. } | CallError::DeadlineExceeded { .. })
                        ),
                        "{result:?}"
                    ),
                    _ => assert!(
                        matches!(result, Err(CallError::DeadlineExceeded { sent: true, .. })),
                        "{fault:?}: {result:?}"
                    ),
                }
            }
        }
        proxy.set(Fault::None).await;
        assert_eq!(
            ended(client.get("/")).await.unwrap().status,
            StatusCode::OK,
            "after {fault:?}"
        );
        assert_eq!(
            ended(client.post("/")).await.unwrap().status,
            StatusCode::OK,
            "after {fault:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_all_answers_being_errors_is_no_error_for_what_can_be_repeated() {
    let host = Host::start().await;
    let proxy = FaultProxy::start(host.address).await;
    proxy.set(Fault::Errors { ratio_percent: 50 }).await;
    let client = client(proxy.address(), &calls(|_| {}));
    for _ in 0..20 {
        assert_eq!(ended(client.get("/")).await.unwrap().status, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_or_too_large_is_an_error() {
    let host = Host::start().await;
    let client = client(host.address, &calls(|config| config.timeout = Duration::from_secs(1)));
    let endless = ended(client.get("/endless")).await;
    assert!(
        matches!(endless, Err(CallError::DeadlineExceeded { sent: true, .. })),
        "{endless:?}"
    );
    let large = ended(client.get("/large")).await.unwrap_err();
    let source = std::error::Error::source(&large).unwrap().to_string();
    assert!(source.contains("larger than 1048576 bytes"), "{source}");
    assert_eq!(ended(client.get("/")).await.unwrap().status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_an_address_or_a_key_is_refused_before_anything_is_sent() {
    for wrong in [
        "https://127.0.0.1:1",
        "127.0.0.1:1",
        "/path",
        "",
        "http://",
        "ftp://host",
    ] {
        let error = nova_service::Client::new("host", wrong, &calls(|_| {})).unwrap_err();
        assert!(format!("{error:#}").contains("host"), "{wrong}: {error:#}");
    }
    let host = Host::start().await;
    let client = client(host.address, &calls(|_| {}));
    for invalid in [client.post("/").idempotency_key("two\nlines"), client.get("/a b")] {
        let result = ended(invalid).await;
        assert!(matches!(result, Err(CallError::Invalid { .. })), "{result:?}");
    }
    assert_eq!(host.hits(), 0);
}
