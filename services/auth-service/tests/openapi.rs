//! The description: lists exactly what is served, and the answers are as it says.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Auth, CLIENT, CLIENT_SECRET, PASSWORD, Session};

async fn description(auth: &Auth) -> Value {
    let document = Answer::of(auth.service.client.get(auth.service.url("/openapi.json")))
        .await
        .expect(200)
        .body;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_served_routes_are_described() {
    let auth = Auth::start().await;
    let document = description(&auth).await;
    let described: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .unwrap()
                .keys()
                .map(move |method| format!("{method} {path}"))
        })
        .collect();
    let expected = [
        "delete /api/v1/auth/account",
        "delete /api/v1/auth/sessions",
        "delete /api/v1/auth/sessions/{id}",
        "get /.well-known/jwks.json",
        "get /.well-known/openid-configuration",
        "get /api/v1/auth/sessions",
        "get /api/v1/internal/accounts/{id}",
        "post /api/v1/auth/login",
        "post /api/v1/auth/logout",
        "post /api/v1/auth/password",
        "post /api/v1/auth/refresh",
        "post /api/v1/auth/register",
        "post /api/v1/auth/token",
    ];
    assert_eq!(described, expected.map(str::to_owned).into());
    for route in &described {
        let (described_method, path) = route.split_once(' ').unwrap();
        let url = auth
            .service
            .url(&path.replace("{id}", "00000000-0000-7000-8000-000000000000"));
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let route = format!("{} {path}", method.as_str().to_lowercase());
            let answer = Answer::of(auth.service.client.request(method, &url)).await;
            let missing = matches!(answer.code(), "method_not_allowed" | "not_found");
            assert_eq!(
                missing,
                !described.contains(&route),
                "{route} (described: {described_method})"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_are_as_described() {
    let auth = Auth::start().await;
    let document = description(&auth).await;
    let check = |method: &str, path: &str, answer: &Answer| {
        let response = &document["paths"][path][method]["responses"][answer.status.as_str()];
        assert!(
            response.is_object(),
            "{method} {path} {} is not described",
            answer.status
        );
        match response["content"]
            .as_object()
            .and_then(|content| content.iter().next())
        {
            None => assert!(answer.body.is_null(), "{method} {path} answers a body"),
            Some((kind, content)) => {
                assert!(
                    answer.header("content-type").starts_with(kind.as_str()),
                    "{method} {path}"
                );
                conform(&document, &content["schema"], &answer.body, &format!("{method} {path}"));
            }
        }
    };
    let credentials = json!({"email": "ada@example.com", "password": PASSWORD});
    check(
        "post",
        "/api/v1/auth/register",
        &auth.post("register", &credentials).await.expect(201),
    );
    check(
        "post",
        "/api/v1/auth/register",
        &auth.post("register", &credentials).await.expect(409),
    );
    check(
        "post",
        "/api/v1/auth/register",
        &auth.post("register", &json!({})).await.expect(422),
    );
    let login = auth.post("login", &credentials).await.expect(200);
    check("post", "/api/v1/auth/login", &login);
    check(
        "post",
        "/api/v1/auth/login",
        &auth.try_login("ada@example.com", "wrong").await.expect(401),
    );
    let session = Session::from(login);
    let refreshed = auth.refresh(&session.refresh).await.expect(200);
    check("post", "/api/v1/auth/refresh", &refreshed);
    check("post", "/api/v1/auth/refresh", &auth.refresh("x").await.expect(401));
    check(
        "get",
        "/api/v1/auth/sessions",
        &auth.get("sessions", &session.access).await.expect(200),
    );
    check(
        "get",
        "/api/v1/auth/sessions",
        &auth.get("sessions?cursor=x", &session.access).await.expect(400),
    );
    check(
        "get",
        "/api/v1/auth/sessions",
        &auth.get("sessions", "x").await.expect(401),
    );
    check(
        "get",
        "/.well-known/jwks.json",
        &auth.get("/.well-known/jwks.json", "").await.expect(200),
    );
    let discovery = "/.well-known/openid-configuration";
    check("get", discovery, &auth.get(discovery, "").await.expect(200));
    let request = auth.request(Method::POST, "password").bearer_auth(&session.access);
    let body = json!({"current_password": PASSWORD, "new_password": "another password"});
    check(
        "post",
        "/api/v1/auth/password",
        &Answer::of(request.json(&body)).await.expect(204),
    );
    check(
        "delete",
        "/api/v1/auth/sessions",
        &auth.delete("sessions", &session.access).await.expect(204),
    );
    let unknown = auth
        .delete("sessions/00000000-0000-7000-8000-000000000000", &session.access)
        .await
        .expect(404);
    check("delete", "/api/v1/auth/sessions/{id}", &unknown);
    let logout = auth
        .post("logout", &json!({"refresh_token": Session::from(refreshed).refresh}))
        .await
        .expect(204);
    check("post", "/api/v1/auth/logout", &logout);
    let token = || {
        let request = auth
            .request(Method::POST, "token")
            .body("grant_type=client_credentials&audience=auth-service&scope=accounts.read");
        request.header("content-type", "application/x-www-form-urlencoded")
    };
    let given = Answer::of(token().basic_auth(CLIENT, Some(CLIENT_SECRET)))
        .await
        .expect(200);
    check("post", "/api/v1/auth/token", &given);
    check("post", "/api/v1/auth/token", &Answer::of(token()).await.expect(401));
    let other = auth.session().await;
    let account = |id: &str| {
        let url = auth.service.url(&format!("/api/v1/internal/accounts/{id}"));
        let service = given.body["access_token"].as_str().unwrap();
        Answer::of(auth.service.client.get(url).bearer_auth(service))
    };
    let internal = "/api/v1/internal/accounts/{id}";
    check("get", internal, &account(&other.account).await.expect(200));
    check(
        "get",
        internal,
        &account("00000000-0000-7000-8000-000000000000").await.expect(404),
    );
    let request = || auth.request(Method::DELETE, "account").bearer_auth(&other.access);
    let delete = |password: &str| Answer::of(request().json(&json!({ "password": password })));
    check("delete", "/api/v1/auth/account", &delete("wrong").await.expect(401));
    check("delete", "/api/v1/auth/account", &delete(PASSWORD).await.expect(204));
}

/// The part of JSON Schema that the description uses.
fn conform(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap();
        return conform(document, target, value, place);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => panic!("{place}: the schema says no type: {schema}"),
    };
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(types.contains(&actual), "{place}: {value} is not {types:?}");
    if let (Some(items), Value::Array(values)) = (schema.get("items"), value) {
        values
            .iter()
            .for_each(|value| conform(document, items, value, &format!("{place}[]")));
    }
    if let (Some(properties), Value::Object(members)) = (schema["properties"].as_object(), value) {
        for (name, value) in members {
            let schema = properties
                .get(name)
                .unwrap_or_else(|| panic!("{place}.{name} is not described"));
            conform(document, schema, value, &format!("{place}.{name}"));
        }
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            assert!(members.contains_key(name), "{place}.{name} is missing");
        }
    }
}

#[test]
fn the_codes_are_documented() {
    nova_testkit::documented("auth-service", auth_service::error::CODES);
}
