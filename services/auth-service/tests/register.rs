//! Making accounts.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Auth, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_and_can_log_in() {
    let auth = Auth::start().await;
    let answer = auth
        .post("register", &json!({"email": " Ada@Example.COM ", "password": PASSWORD}))
        .await
        .expect(201);
    assert_eq!(answer.body["email"], "ada@example.com");
    let login = auth.try_login("ADA@example.com", PASSWORD).await.expect(200);
    assert_eq!(login.body["account_id"], answer.body["id"]);
    assert_eq!(
        auth.count("select count(*) from accounts where password_hash like '$argon2id$%'")
            .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_neither_easy_to_guess_nor_the_address() {
    let auth = Auth::start().await;
    for password in [
        "password123",
        "iloveyou1",
        "liverpool1",
        "Ada.Lovelace@Example.com",
        "ada.lovelace",
        "qwertyuiop",
    ] {
        let body = json!({"email": "ada.lovelace@example.com", "password": password});
        let answer = auth.post("register", &body).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.field(), "password", "{password}");
    }
    for (email, chosen, typed) in [
        (
            "one@example.com",
            "p\u{e4}sswort lang genug",
            "pa\u{308}sswort lang genug",
        ),
        (
            "two@example.com",
            "pa\u{308}sswort lang genug",
            "p\u{e4}sswort lang genug",
        ),
    ] {
        let body = json!({"email": email, "password": chosen});
        auth.post("register", &body).await.expect(201);
        auth.try_login(email, chosen).await.expect(200);
        auth.try_login(email, typed).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_one_account() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    let again = auth
        .post(
            "register",
            &json!({"email": email.to_uppercase(), "password": "another password"}),
        )
        .await;
    again.problem(409, "account_exists");
    auth.login(&email).await;
    assert_eq!(auth.audit().await, ["register/ok", "register/conflict", "login/ok"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_registrations_make_one_account() {
    let auth = Auth::start().await;
    let body = json!({"email": "race@example.com", "password": PASSWORD});
    let answers = join_all((0..8).map(|_| auth.post("register", &body))).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 201).count(),
        1,
        "{answers:?}"
    );
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 201 || answer.code() == "account_exists"),
        "{answers:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_with_its_key_gets_the_first_answer() {
    let auth = Auth::start().await;
    let send = |key: &'static str, email: &'static str, password: &'static str| {
        let request = auth.request(Method::POST, "register").header("idempotency-key", key);
        Answer::of(request.json(&json!({"email": email, "password": password})))
    };
    let answers = join_all((0..5).map(|_| send("k1", "ada@example.com", PASSWORD))).await;
    for answer in &answers {
        assert_eq!((answer.status.as_u16(), &answer.body), (201, &answers[0].body));
    }
    let replayed = answers
        .iter()
        .filter(|answer| answer.header("idempotent-replayed") == "true")
        .count();
    assert_eq!(replayed, 4);
    assert_eq!(auth.count("select count(*) from accounts").await, 1);

    send("k1", "ada@example.com", "another password")
        .await
        .problem(422, "idempotency_key_reused");
    send("k1", "bob@example.com", PASSWORD)
        .await
        .problem(422, "idempotency_key_reused");
    send("k2", "ada@example.com", PASSWORD)
        .await
        .problem(409, "account_exists");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_an_account_is_refused_by_field() {
    let auth = Auth::start().await;
    let long = "x".repeat(129);
    let cases = [
        ("no address", PASSWORD, "email"),
        ("a@b", PASSWORD, "email"),
        ("a\0@example.com", PASSWORD, "email"),
        ("'; drop table accounts; --@example.com", PASSWORD, "email"),
        ("ada@example.com", "short", "password"),
        ("ada@example.com", "password1", "password"),
        ("ada@example.com", &long, "password"),
    ];
    for (email, password, field) in cases {
        let answer = auth
            .post("register", &json!({"email": email, "password": password}))
            .await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.field(), field, "{email:?} {password:?}");
        assert!(
            !answer.body.to_string().contains(password),
            "the answer repeats a password"
        );
    }
    assert_eq!(auth.count("select count(*) from accounts").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_may_hold_anything() {
    let auth = Auth::start().await;
    for (number, password) in ["長いパスワードだよ", "' or '1'='1", "with \0 and \u{7f}", "        "]
        .iter()
        .enumerate()
    {
        let body = json!({"email": format!("p{number}@example.com"), "password": password});
        let answer = auth.post("register", &body).await;
        if *password == "        " {
            answer.problem(422, "validation_failed");
            continue;
        }
        answer.expect(201);
        auth.post("login", &body).await.expect(200);
    }
}
