//! The description: lists exactly what is served, and the answers are as it says.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Says, World, conform};

async fn description(world: &World) -> Value {
    let request = world.service.client.get(world.service.url("/openapi.json"));
    let document = Answer::of(request).await.expect(200).body;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_served_routes_are_described() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let document = description(&world).await;
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
        "delete /api/v1/comments/{id}",
        "delete /api/v1/follow-requests/{user}",
        "delete /api/v1/internal/accounts/{id}",
        "delete /api/v1/posts/{id}",
        "delete /api/v1/posts/{id}/like",
        "delete /api/v1/users/{user}/block",
        "delete /api/v1/users/{user}/follow",
        "get /api/v1/blocks",
        "get /api/v1/feed",
        "get /api/v1/follow-requests",
        "get /api/v1/posts/{id}",
        "get /api/v1/posts/{id}/comments",
        "get /api/v1/posts/{id}/likes",
        "get /api/v1/users/me",
        "get /api/v1/users/{user}",
        "get /api/v1/users/{user}/followers",
        "get /api/v1/users/{user}/following",
        "get /api/v1/users/{user}/posts",
        "patch /api/v1/users/me",
        "post /api/v1/posts",
        "post /api/v1/posts/{id}/comments",
        "put /api/v1/follow-requests/{user}",
        "put /api/v1/posts/{id}/like",
        "put /api/v1/users/{user}/block",
        "put /api/v1/users/{user}/follow",
    ];
    assert_eq!(described, expected.map(str::to_owned).into());
    let paths: BTreeSet<&str> = described.iter().map(|route| route.split_once(' ').unwrap().1).collect();
    for path in paths {
        let nobody = Uuid::now_v7().to_string();
        let url = world
            .service
            .url(&path.replace("{id}", &nobody).replace("{user}", &nobody));
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let route = format!("{} {path}", method.as_str().to_lowercase());
            let answer = Answer::of(world.service.client.request(method, &url).bearer_auth(&ada.token)).await;
            let served = answer.text("/code") != "method_not_allowed";
            assert_eq!(served, described.contains(&route), "{route}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_are_as_described() {
    let world = World::start().await;
    let document = description(&world).await;
    let check = |method: &str, path: &str, answer: &Answer| {
        let path = format!("/api/v1{path}");
        let place = format!("{method} {path} {}", answer.status.as_u16());
        let response = &document["paths"][&path][method]["responses"][answer.status.as_str()];
        assert!(response.is_object(), "{place} is not described");
        match response["content"]
            .as_object()
            .and_then(|content| content.iter().next())
        {
            None => assert!(answer.body.is_null(), "{place} answers a body"),
            Some((kind, content)) => {
                assert!(answer.header("content-type").starts_with(kind.as_str()), "{place}");
                conform(&document, &content["schema"], &answer.body, &place);
            }
        }
    };
    let [ada, bob, cleo] = world.users(["ada", "bob", "cleo"]).await;
    let stranger = world.stranger();
    check("get", "/users/me", &world.get(&stranger, "/users/me").await.expect(200));
    world.auth.says(Says::Body(500, String::new()));
    check("get", "/users/me", &world.get(&stranger, "/users/me").await.expect(200));
    world.auth.says(Says::Session(stranger.id));
    check("get", "/users/me", &world.get(&stranger, "/users/me").await.expect(200));
    check("get", "/users/{user}", &world.get(&ada, "/users/bob").await.expect(200));
    check(
        "get",
        "/users/{user}",
        &world.get(&ada, "/users/nobody").await.expect(404),
    );
    check(
        "patch",
        "/users/me",
        &world
            .patch(&ada, "/users/me", &json!({ "private": true, "bio": "x" }))
            .await
            .expect(200),
    );
    check(
        "patch",
        "/users/me",
        &world
            .patch(&ada, "/users/me", &json!({ "username": "bob" }))
            .await
            .expect(409),
    );
    check(
        "patch",
        "/users/me",
        &world
            .patch(&ada, "/users/me", &json!({ "username": "-" }))
            .await
            .expect(422),
    );
    for user in [&bob, &cleo] {
        check(
            "put",
            "/users/{user}/follow",
            &world.put(user, "/users/ada/follow").await.expect(200),
        );
    }
    check(
        "put",
        "/users/{user}/follow",
        &world.put(&ada, "/users/bob/follow").await.expect(200),
    );
    check(
        "put",
        "/users/{user}/follow",
        &world.put(&ada, "/users/me/follow").await.expect(422),
    );
    check(
        "get",
        "/follow-requests",
        &world.get(&ada, "/follow-requests").await.expect(200),
    );
    check(
        "put",
        "/follow-requests/{user}",
        &world.put(&ada, "/follow-requests/bob").await.expect(204),
    );
    check(
        "put",
        "/follow-requests/{user}",
        &world.put(&ada, "/follow-requests/nobody").await.expect(404),
    );
    check(
        "delete",
        "/follow-requests/{user}",
        &world.delete(&ada, "/follow-requests/cleo").await.expect(204),
    );
    check(
        "get",
        "/users/{user}/followers",
        &world.get(&ada, "/users/me/followers").await.expect(200),
    );
    check(
        "get",
        "/users/{user}/following",
        &world.get(&ada, "/users/me/following").await.expect(200),
    );
    check(
        "get",
        "/users/{user}/following",
        &world.get(&cleo, "/users/ada/following").await.expect(404),
    );

    let written = world.post(&bob, "/posts", &json!({ "text": "hi" })).await.expect(201);
    check("post", "/posts", &written);
    check(
        "post",
        "/posts",
        &world.post(&bob, "/posts", &json!({ "text": "" })).await.expect(422),
    );
    let post = format!("/posts/{}", written.id());
    check("get", "/posts/{id}", &world.get(&ada, &post).await.expect(200));
    check("delete", "/posts/{id}", &world.delete(&ada, &post).await.expect(403));
    check(
        "put",
        "/posts/{id}/like",
        &world.put(&ada, &format!("{post}/like")).await.expect(204),
    );
    check(
        "get",
        "/posts/{id}/likes",
        &world.get(&ada, &format!("{post}/likes")).await.expect(200),
    );
    let comments = format!("{post}/comments");
    let comment = world.post(&ada, &comments, &json!({ "text": "ho" })).await.expect(201);
    check("post", "/posts/{id}/comments", &comment);
    check(
        "get",
        "/posts/{id}/comments",
        &world.get(&ada, &comments).await.expect(200),
    );
    check(
        "get",
        "/posts/{id}/comments",
        &world.get(&ada, &format!("{comments}?cursor=x")).await.expect(400),
    );
    let comment = format!("/comments/{}", comment.id());
    check(
        "delete",
        "/comments/{id}",
        &world.delete(&cleo, &comment).await.expect(403),
    );
    check(
        "delete",
        "/comments/{id}",
        &world.delete(&ada, &comment).await.expect(204),
    );
    check("get", "/feed", &world.get(&ada, "/feed").await.expect(200));
    check("get", "/feed", &world.get(&ada, "/feed?limit=0").await.expect(400));
    check(
        "get",
        "/feed",
        &Answer::of(world.request(Method::GET, "/feed")).await.expect(401),
    );
    check(
        "get",
        "/users/{user}/posts",
        &world.get(&ada, "/users/bob/posts").await.expect(200),
    );
    check(
        "delete",
        "/posts/{id}/like",
        &world.delete(&ada, &format!("{post}/like")).await.expect(204),
    );
    check("delete", "/posts/{id}", &world.delete(&bob, &post).await.expect(204));
    check(
        "delete",
        "/users/{user}/follow",
        &world.delete(&bob, "/users/ada/follow").await.expect(204),
    );
    check(
        "put",
        "/users/{user}/block",
        &world.put(&ada, "/users/bob/block").await.expect(204),
    );
    check("get", "/blocks", &world.get(&ada, "/blocks").await.expect(200));
    check(
        "delete",
        "/users/{user}/block",
        &world.delete(&ada, "/users/bob/block").await.expect(204),
    );
    let internal = "/internal/accounts/{id}";
    let stranger = world.delete(&ada, &format!("/internal/accounts/{}", bob.id)).await;
    check("delete", internal, &stranger.expect(401));
    check("delete", internal, &world.delete_account(bob.id).await.expect(204));
}

/// Sends what the description allows, and what it does not, as someone who is logged in:
/// `SCHEMATHESIS=/path/to/schemathesis cargo test --release -p user-service --test main -- --ignored schemathesis --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs schemathesis 4.32 (PyPI), named by $SCHEMATHESIS"]
async fn schemathesis_finds_nothing() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let program = std::env::var("SCHEMATHESIS").unwrap_or_else(|_| "schemathesis".to_owned());
    let status = tokio::process::Command::new(program)
        // It leaves a cache where it runs.
        .current_dir(std::env::temp_dir())
        .args([
            "--config-file",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemathesis.toml"),
        ])
        .args(["run", &world.service.url("/openapi.json")])
        .args(["--url", &world.service.url("")])
        .args(["--header", &format!("Authorization: Bearer {}", ada.token)])
        // Its token is a service's.
        .args(["--exclude-path-regex", "/internal/"])
        .args(["--max-examples", "40", "--seed", "1"])
        .status()
        .await
        .unwrap();
    assert!(status.success());
}

#[test]
fn the_codes_are_documented() {
    nova_testkit::documented("user-service", user_service::CODES);
}
