//! Wrong bodies and wrong tokens, on every route: always a clear problem, never a 5xx.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::support::{AUDIENCE, Answer, Auth, ISSUER, Ring, Session, tampered};

const WITH_BODY: [&str; 5] = ["register", "login", "refresh", "logout", "password"];

async fn send(auth: &Auth, session: &Session, path: &str, body: Vec<u8>) -> Answer {
    let request = auth.request(Method::POST, path).bearer_auth(&session.access);
    Answer::of(request.header("content-type", "application/json").body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bodies_are_refused_on_every_route() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    for path in WITH_BODY {
        for (body, status, code) in [
            (&b"{"[..], 400, "invalid_json"),
            (b"", 400, "invalid_json"),
            (b"\xff\xfe{\"email\":\"\xc3\x28\"}", 400, "invalid_json"),
            (
                b"{\"email\":\"\xc3\x28@example.com\",\"password\":\"\xff\"}",
                400,
                "invalid_json",
            ),
            (b"[]", 422, "validation_failed"),
            (b"null", 422, "validation_failed"),
            (b"{}", 422, "validation_failed"),
            (
                b"{\"email\":1,\"password\":2,\"refresh_token\":3}",
                422,
                "validation_failed",
            ),
            (b"{\"admin\":true}", 422, "validation_failed"),
        ] {
            let answer = send(&auth, &session, path, body.to_vec()).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code()),
                (status, code),
                "{path} {body:?}: {answer:?}"
            );
        }
        let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
        send(&auth, &session, path, deep.into_bytes())
            .await
            .problem(422, "validation_failed");
        let huge = json!({"email": "a".repeat(100_000)}).to_string();
        send(&auth, &session, path, huge.into_bytes())
            .await
            .problem(413, "body_too_large");
        let form = auth
            .request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded");
        Answer::of(form.bearer_auth(&session.access).body("email=a"))
            .await
            .problem(415, "unsupported_media_type");
    }
    auth.refresh(&session.refresh).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nasty_texts_are_just_texts() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    let nasty = [
        "' or '1'='1",
        "\"; drop table accounts; --",
        "\0",
        "\u{202e}",
        "%s%n",
        "${jndi:x}",
        &"𐍈".repeat(120),
        "",
    ];
    for text in nasty {
        auth.try_login(&email, text).await.problem(401, "invalid_credentials");
        auth.try_login(text, text).await.problem(422, "validation_failed");
        auth.refresh(text).await.problem(401, "invalid_refresh_token");
        auth.post("logout", &json!({"refresh_token": text})).await.expect(204);
    }
    auth.try_login(&email, &"x".repeat(513))
        .await
        .problem(422, "validation_failed");
    let request = auth
        .request(Method::POST, "login")
        .header("user-agent", [0xff, 0xfe, b'x'].as_slice());
    let request = request
        .header("idempotency-key", "ignored here")
        .json(&json!({"email": email, "password": "?????????"}));
    Answer::of(request).await.problem(401, "invalid_credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tokens_are_refused_on_every_route_that_needs_one() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": Uuid::now_v7(), "sid": session.id, "iat": now, "exp": now + 900,
        "jti": Uuid::now_v7()});
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        auth.ring.sign("first", "at+jwt", &claims)
    };
    let unsigned = {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!(
            "{}.{}.",
            encode(&json!({"alg": "none", "typ": "at+jwt", "kid": "first"})),
            encode(&claims)
        )
    };
    let cases = [
        ("garbage".to_owned(), "invalid_token"),
        ("a.b.c".to_owned(), "invalid_token"),
        ("x".repeat(5000), "invalid_token"),
        (session.refresh.clone(), "invalid_token"),
        (tampered(&session.access, 0), "invalid_token"),
        (tampered(&session.access, 1), "invalid_token"),
        (tampered(&session.access, 2), "invalid_token"),
        (unsigned, "invalid_token"),
        (with("exp", json!(now - 60)), "token_expired"),
        (with("exp", json!("soon")), "invalid_token"),
        (with("iss", json!("http://evil.example")), "invalid_token"),
        (with("aud", json!("someone else")), "invalid_token"),
        (with("sid", json!(Uuid::now_v7())), "invalid_token"),
        (with("sub", json!("root")), "invalid_token"),
        (auth.ring.sign("first", "JWT", &claims), "invalid_token"),
        (
            Ring::new(&[("first", 0)]).sign("first", "at+jwt", &claims),
            "invalid_token",
        ),
        (
            Ring::new(&[("unknown", 0)]).sign("unknown", "at+jwt", &claims),
            "invalid_token",
        ),
    ];
    let routes = [
        (Method::GET, "sessions".to_owned()),
        (Method::DELETE, "sessions".to_owned()),
        (Method::DELETE, format!("sessions/{}", session.id)),
        (Method::POST, "password".to_owned()),
    ];
    let body = json!({"current_password": "whatever it is", "new_password": "whatever it is"});
    for (method, path) in &routes {
        let request = || auth.request(method.clone(), path).json(&body);
        Answer::of(request()).await.problem(401, "unauthorized");
        Answer::of(request().header("authorization", "Basic eA=="))
            .await
            .problem(401, "unauthorized");
        for (token, code) in &cases {
            let answer = Answer::of(request().bearer_auth(token)).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code()),
                (401, *code),
                "{method} {path} {token}: {answer:?}"
            );
        }
    }
    auth.refresh(&session.refresh).await.expect(200);
}
