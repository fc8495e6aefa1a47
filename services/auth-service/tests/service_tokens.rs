//! Tokens for services, and what services may ask with them.

use reqwest::{Method, RequestBuilder, header};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Answer, Auth, CLIENT, CLIENT_SECRET, eventually};

const FORM: &str = "application/x-www-form-urlencoded";
const GRANT: &str = "grant_type=client_credentials&audience=auth-service&scope=accounts.read";

fn form(auth: &Auth, body: &str) -> RequestBuilder {
    let request = auth.request(Method::POST, "token").header(header::CONTENT_TYPE, FORM);
    request.body(body.to_owned())
}

async fn token(auth: &Auth) -> String {
    let answer = Answer::of(form(auth, GRANT).basic_auth(CLIENT, Some(CLIENT_SECRET))).await;
    answer.expect(200).body["access_token"].as_str().unwrap().to_owned()
}

fn account_request(auth: &Auth, id: &str) -> RequestBuilder {
    let url = auth.service.url(&format!("/api/v1/internal/accounts/{id}"));
    auth.service.client.get(url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_gets_a_token_that_is_its_own_and_no_accounts() {
    let auth = Auth::start().await;
    let answer = Answer::of(form(&auth, GRANT).basic_auth(CLIENT, Some(CLIENT_SECRET)))
        .await
        .expect(200);
    assert_eq!(
        (answer.body["token_type"].as_str(), answer.body["expires_in"].as_u64()),
        (Some("Bearer"), Some(300))
    );
    assert_eq!(
        (answer.header("cache-control"), answer.header("pragma")),
        ("no-store", "no-cache")
    );
    let token = answer.body["access_token"].as_str().unwrap();
    let caller = auth.app.verifier.verify_service(token).await.unwrap();
    assert_eq!(&*caller.name, CLIENT);
    let now = nova_service::Timestamp::now().unix();
    assert!((now + 200..=now + 300).contains(&caller.expires_at.unix()));
    for _ in 0..2 {
        auth.get("sessions", token).await.problem(401, "invalid_token");
        assert!(auth.app.verifier.verify(token).await.is_err());
        auth.app.verifier.verify_service(token).await.unwrap();
    }
    // What is not asked for is ignored, and the scheme is written in any case.
    let more = form(&auth, &format!("{GRANT}&resource=x"));
    let basic = "bAsIc dXNlci1zZXJ2aWNlOmEgc2VjcmV0LCBmb3IgdGVzdHMgb25seQ==";
    Answer::of(more.header(header::AUTHORIZATION, basic)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_prove_it_gets_none() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    let wrong = [
        form(&auth, GRANT),
        form(&auth, GRANT).basic_auth(CLIENT, Some("wrong")),
        form(&auth, GRANT).basic_auth(CLIENT, None::<&str>),
        form(&auth, GRANT).basic_auth("", Some(CLIENT_SECRET)),
        form(&auth, GRANT).basic_auth("nobody", Some(CLIENT_SECRET)),
        form(&auth, GRANT).basic_auth("auth-service", Some(CLIENT_SECRET)),
        form(&auth, GRANT).basic_auth("' or 1=1 --", Some("\u{0}")),
        form(&auth, GRANT).basic_auth(CLIENT, Some("x".repeat(2000))),
        form(&auth, GRANT).bearer_auth(&session.access),
        form(&auth, GRANT).header(header::AUTHORIZATION, "Basic"),
        form(&auth, GRANT).header(header::AUTHORIZATION, "Basic !!!"),
        form(&auth, GRANT).header(header::AUTHORIZATION, "Basic /////w=="),
        form(&auth, GRANT).header(header::AUTHORIZATION, "Basic dXNlci1zZXJ2aWNl"),
        form(&auth, GRANT)
            .basic_auth(CLIENT, Some(CLIENT_SECRET))
            .header(header::AUTHORIZATION, "Basic eDp5"),
        form(
            &auth,
            &format!("{GRANT}&client_id={CLIENT}&client_secret={CLIENT_SECRET}"),
        ),
    ];
    let attempts = i64::try_from(wrong.len()).unwrap();
    for request in wrong {
        let answer = Answer::of(request).await;
        answer.problem(401, "invalid_client");
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"nova\"");
    }
    eventually("each one is in the audit", async || {
        let failed = "select coalesce(sum(attempts), 0)::bigint from audit
            where event = 'service_token' and outcome = 'failed' and address = '192.0.2.1'";
        auth.count(failed).await == attempts
    })
    .await;
    let on_known = "select count(*) from audit where event = 'service_token' and subject is not null";
    assert!(auth.count(on_known).await >= 1);
    token(&auth).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_for_a_token_is_refused() {
    let auth = Auth::start().await;
    let many = format!("{GRANT}{}", "&x=1".repeat(100));
    for (body, code) in [
        ("", "bad_request"),
        ("grant_type", "bad_request"),
        ("grant_type=", "bad_request"),
        (
            "grant_type=client_credentials&grant_type=client_credentials",
            "bad_request",
        ),
        (&format!("{GRANT}&scope=accounts.read"), "bad_request"),
        (&format!("{GRANT}&audience=user-service"), "bad_request"),
        ("grant_type=client_credentials", "invalid_scope"),
        ("grant_type=client_credentials&scope=accounts.read", "invalid_scope"),
        ("grant_type=client_credentials&audience=auth-service", "invalid_scope"),
        (
            "grant_type=client_credentials&audience=auth-service&scope=everything",
            "invalid_scope",
        ),
        (
            "grant_type=client_credentials&audience=user-service&scope=accounts.erase",
            "invalid_scope",
        ),
        ("\u{0}", "bad_request"),
        (&many, "bad_request"),
        ("grant_type=password&username=ada&password=x", "unsupported_grant_type"),
        ("grant_type=authorization_code", "unsupported_grant_type"),
        ("grant_type=%ff%00", "unsupported_grant_type"),
        ("grant_type=CLIENT_CREDENTIALS", "unsupported_grant_type"),
    ] {
        let answer = Answer::of(form(&auth, body).basic_auth(CLIENT, Some(CLIENT_SECRET))).await;
        answer.problem(400, code);
    }
    let json = auth
        .request(Method::POST, "token")
        .json(&json!({"grant_type": "client_credentials"}));
    Answer::of(json.basic_auth(CLIENT, Some(CLIENT_SECRET)))
        .await
        .problem(415, "unsupported_media_type");
    let huge = form(&auth, &"x".repeat(100_000)).basic_auth(CLIENT, Some(CLIENT_SECRET));
    Answer::of(huge).await.problem(413, "body_too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_sees_an_account_with_its_sessions() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    let (first, second) = (auth.login(&email).await, auth.login(&email).await);
    let token = token(&auth).await;
    let seen = Answer::of(account_request(&auth, &first.account).bearer_auth(&token))
        .await
        .expect(200);
    assert_eq!(
        (&seen.body["id"], &seen.body["email"]),
        (&json!(first.account), &json!(email))
    );
    let ids: Vec<_> = seen.body["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| &session["id"])
        .collect();
    assert_eq!(ids, [&json!(second.id), &json!(first.id)]);
    assert_eq!(seen.body["sessions"][0]["address"], "192.0.2.1");
    assert!(!seen.body.to_string().contains("hash"), "{seen:?}");

    for unknown in [&*Uuid::now_v7().to_string(), "x", "%00", "' or 1=1"] {
        Answer::of(account_request(&auth, unknown).bearer_auth(&token))
            .await
            .problem(404, "not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_does() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    let request = || account_request(&auth, &session.account);
    Answer::of(request()).await.problem(401, "unauthorized");
    Answer::of(request().basic_auth(CLIENT, Some(CLIENT_SECRET)))
        .await
        .problem(401, "unauthorized");
    Answer::of(request().bearer_auth(&session.access))
        .await
        .problem(401, "invalid_token");
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let claims = |exp: i64| {
        json!({"iss": crate::support::ISSUER, "aud": "auth-service", "scope": "accounts.read", "sub": "user-service",
               "sid": session.id, "iat": now, "exp": exp, "jti": Uuid::now_v7()})
    };
    let sign = |typ, exp| auth.ring.sign("first", typ, &claims(exp));
    for (key, value, status, code) in [
        ("aud", "user-service", 401, "invalid_token"),
        ("aud", crate::support::AUDIENCE, 401, "invalid_token"),
        ("scope", "accounts.erase", 403, "insufficient_scope"),
    ] {
        let mut other = claims(now + 60);
        other[key] = json!(value);
        let token = auth.ring.sign("first", "nova-service+jwt", &other);
        Answer::of(request().bearer_auth(token)).await.problem(status, code);
    }
    Answer::of(request().bearer_auth(sign("nova-service+jwt", now + 60)))
        .await
        .expect(200);
    for (typ, exp, code) in [
        ("at+jwt", now + 60, "invalid_token"),
        ("JWT", now + 60, "invalid_token"),
        ("nova-service+jwt", now - 600, "token_expired"),
    ] {
        Answer::of(request().bearer_auth(sign(typ, exp)))
            .await
            .problem(401, code);
    }
}
