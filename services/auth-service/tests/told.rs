//! What is told of accounts.

use nova_testkit::{Postgres, Redis};
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Auth, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_told_of_when_it_comes_and_when_it_goes() {
    let database = Postgres::shared().await.database("auth").await;
    let told = database.told().await;
    let auth = Auth::start_unready(&database, Redis::unreachable_config(), |_| {}).await;
    auth.service.until("/health/startup", |status, _| status == 200).await;
    let email = auth.account().await;
    let session = auth.login(&email).await;
    let again = json!({"email": email, "password": "another one, and long"});
    auth.post("register", &again).await.problem(409, "account_exists");
    let events = told.events().await;
    let [(kind, body)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(kind, "nova.accounts.registered.v1");
    assert_eq!(
        (&body["account_id"], &body["email"]),
        (&json!(session.account), &json!(email))
    );

    let request = auth.request(Method::DELETE, "account").bearer_auth(&session.access);
    Answer::of(request.json(&json!({"password": PASSWORD})))
        .await
        .expect(204);
    let deleted = (
        "nova.accounts.deleted.v1".to_owned(),
        json!({"account_id": session.account}),
    );
    assert_eq!(told.events().await, [deleted]);
}
