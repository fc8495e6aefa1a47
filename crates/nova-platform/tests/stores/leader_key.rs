//! The leader key of a dead member, in a real etcd: it goes, and nobody else's ever does.

use std::time::Duration;

use nova_member::leader_key::{Holder, LeaderKey, Life, Released};
use nova_platform::endpoints::HostPort;

use crate::support::etcd::Etcd;
use crate::support::nowhere;

const LIMIT: Duration = Duration::from_secs(10);
const KEY: &str = "/service/nova/leader";
const MEMBER: &str = "/service/nova/members/postgres-1";

fn key_at(etcd: Vec<HostPort>) -> LeaderKey {
    LeaderKey {
        etcd,
        key: KEY.to_owned(),
        holder: "postgres-1".to_owned(),
    }
}

fn release(key: &LeaderKey) -> Result<Released, String> {
    key.release(Life::Last, LIMIT, || true)
}

#[tokio::test]
async fn the_key_of_the_dead_member_goes_and_that_of_another_stays() {
    let etcd = Etcd::start().await;
    let key = key_at(vec![etcd.address.clone()]);
    let session = etcd.session().await;
    etcd.put(KEY, "postgres-1", Some(&session)).await;
    etcd.put(MEMBER, "{}", Some(&session)).await;
    assert_eq!(release(&key), Ok(Released::Deleted));
    assert_eq!(etcd.get(KEY).await, None);
    assert!(etcd.get(MEMBER).await.is_some());
    assert_eq!(release(&key), Ok(Released::Absent));

    etcd.put(KEY, "postgres-2", Some(&session)).await;
    assert_eq!(release(&key), Ok(Released::Untouched("postgres-2".to_owned())));
    // Nobody's session could end, so it is not Patroni's.
    etcd.put(KEY, "postgres-1", None).await;
    assert!(matches!(release(&key), Ok(Released::Untouched(_))));
    assert_eq!(etcd.get(KEY).await.as_deref(), Some("postgres-1"));
}

#[tokio::test]
async fn a_session_that_takes_the_key_in_between_keeps_it() {
    let etcd = Etcd::start().await;
    let key = key_at(vec![etcd.address.clone()]);
    let (dead, next) = (etcd.session().await, etcd.session().await);
    for (holder, session) in [
        // Another member.
        ("postgres-2", &next),
        // The same name again: its next life.
        ("postgres-1", &next),
        // Whatever the dead one had sent before it died: looked at once more.
        ("postgres-1", &dead),
    ] {
        etcd.put(KEY, "postgres-1", Some(&dead)).await;
        let Ok(Holder::Own(seen)) = key.holder(&etcd.address) else {
            panic!("the key is not held");
        };
        etcd.put(KEY, holder, Some(session)).await;
        assert_eq!(key.delete(&etcd.address, &seen), Ok(false));
        assert_eq!(etcd.get(KEY).await.as_deref(), Some(holder));
    }
}

#[tokio::test]
async fn where_another_life_may_have_begun_only_the_session_of_the_dead_one_loses_it() {
    let etcd = Etcd::start().await;
    let key = key_at(vec![etcd.address.clone()]);
    let first = || key.release(Life::Tagged("first"), LIMIT, || true);
    let (dead, next) = (etcd.session().await, etcd.session().await);
    let about = |life: &str| format!(r#"{{"role":"primary","tags":{{"life":"{life}"}}}}"#);
    for (member, leads) in [
        // The next life has come, and leads.
        (Some(("second", &next)), &next),
        // It leads, and has not said yet where it is met.
        (Some(("first", &dead)), &next),
        // Nobody says by which session the dead one led.
        (Some(("", &dead)), &dead),
        (None, &dead),
    ] {
        if let Some((life, session)) = member {
            etcd.put(MEMBER, &about(life), Some(session)).await;
        } else {
            etcd.delete(MEMBER).await;
        }
        etcd.put(KEY, "postgres-1", Some(leads)).await;
        assert!(matches!(first(), Ok(Released::Untouched(_))), "{member:?}");
        assert!(etcd.get(KEY).await.is_some());
    }
    etcd.put(MEMBER, &about("first"), Some(&dead)).await;
    assert_eq!(first(), Ok(Released::Deleted));
    assert_eq!(etcd.get(KEY).await, None);
}

#[tokio::test]
async fn an_attempt_that_is_not_wanted_any_longer_asks_nobody() {
    let etcd = Etcd::start().await;
    let session = etcd.session().await;
    etcd.put(KEY, "postgres-1", Some(&session)).await;
    let key = key_at(vec![etcd.address.clone()]);
    assert!(key.release(Life::Last, LIMIT, || false).is_err());
    assert!(etcd.get(KEY).await.is_some());
}

#[tokio::test]
async fn members_of_etcd_that_are_dead_or_silent_are_passed_over() {
    let etcd = Etcd::start().await;
    let session = etcd.session().await;
    etcd.put(KEY, "postgres-1", Some(&session)).await;
    // Takes connections and never answers, like a frozen process.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = HostPort::new("127.0.0.1", listener.local_addr().unwrap().port());
    let key = key_at(vec![nowhere(), silent, etcd.address.clone()]);
    assert_eq!(release(&key), Ok(Released::Deleted));
    assert_eq!(etcd.get(KEY).await, None);
}

#[tokio::test]
async fn without_an_etcd_that_answers_the_refusal_is_told() {
    let address = nowhere();
    let key = key_at(vec![address.clone()]);
    let refusal = key.release(Life::Last, Duration::from_millis(300), || true);
    assert!(refusal.is_err_and(|error| error.contains(&address.to_string())));
}
