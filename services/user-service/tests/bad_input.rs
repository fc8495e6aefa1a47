//! What clients send by mistake or by malice: always a clear problem, nothing half-done.

use reqwest::{Method, header};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Answer, World};

const LISTS: [&str; 7] = [
    "/feed",
    "/blocks",
    "/follow-requests",
    "/users/me/followers",
    "/users/me/following",
    "/users/me/posts",
    "/users/ada/followers",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_request_needs_a_valid_token() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let other = World::start().await;
    let expired = world.issuer.token_with(ada.id, |claims| claims.exp = claims.iat - 60);
    let elsewhere = world
        .issuer
        .token_with(ada.id, |claims| claims.iss = "https://elsewhere.example".to_owned());
    let forged = other.issuer.token(ada.id);
    let routes = [
        (Method::GET, "/users/me"),
        (Method::PATCH, "/users/me"),
        (Method::GET, "/feed"),
        (Method::POST, "/posts"),
        (Method::PUT, "/users/ada/follow"),
        (Method::DELETE, "/users/ada/block"),
    ];
    for (method, path) in routes {
        let request = || world.request(method.clone(), path).json(&json!({ "text": "x" }));
        Answer::of(request()).await.problem(401, "unauthorized");
        Answer::of(request().header(header::AUTHORIZATION, "Basic eDp5"))
            .await
            .problem(401, "unauthorized");
        Answer::of(request().bearer_auth(&expired))
            .await
            .problem(401, "token_expired");
        for wrong in [
            &elsewhere,
            &forged,
            "",
            "a.b.c",
            "'; drop table profiles; --",
            &"x".repeat(8_000),
        ] {
            let answer = Answer::of(request().bearer_auth(wrong)).await;
            assert_eq!(answer.status, 401, "{answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_checks_limit_and_cursor() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let post = world.publish(&ada, "x").await;
    let of_post = ["likes", "comments"].map(|list| format!("/posts/{post}/{list}"));
    for list in LISTS.iter().copied().chain(of_post.iter().map(String::as_str)) {
        for limit in ["0", "101", "-1", "x", "1e9", "99999999999999999999"] {
            let answer = world.get(&ada, &format!("{list}?limit={limit}")).await;
            answer.problem(400, "invalid_parameter");
        }
        for cursor in [
            "x",
            "%00",
            "%ff%fe",
            "bnVsbA",
            "MQ",
            "%27%20or%201%3D1",
            &"A".repeat(2_000),
        ] {
            let answer = world.get(&ada, &format!("{list}?cursor={cursor}")).await;
            assert_eq!(answer.status, 400, "{list} {cursor} {answer:?}");
        }
        world
            .get(&ada, &format!("{list}?cursor=x"))
            .await
            .problem(400, "invalid_cursor");
        world.get(&ada, &format!("{list}?limit=100")).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_must_be_json_utf_8_and_small() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let post = world.publish(&ada, "x").await;
    let routes = [
        (Method::POST, "/posts".to_owned(), "text"),
        (Method::PATCH, "/users/me".to_owned(), "bio"),
        (Method::POST, format!("/posts/{post}/comments"), "text"),
    ];
    for (method, path, field) in routes {
        let send = |kind: &str, body: Vec<u8>| {
            let request = world.request(method.clone(), &path).bearer_auth(&ada.token);
            Answer::of(request.header(header::CONTENT_TYPE, kind.to_owned()).body(body))
        };
        let json = "application/json";
        let unfinished = [format!("{{\"{field}\":}}"), format!("{{\"{field}\": \"\\ud800\"}}")];
        for wrong in ["", "{", "text", "\u{feff}{}"]
            .into_iter()
            .chain(unfinished.iter().map(String::as_str))
        {
            send(json, wrong.into()).await.problem(400, "invalid_json");
        }
        let not_utf_8 = [b"{\"", field.as_bytes(), b"\": \"\xff\xfe\"}"].concat();
        send(json, not_utf_8).await.problem(400, "invalid_json");
        let plain = format!("{{\"{field}\": \"x\"}}");
        send("text/plain", plain.into())
            .await
            .problem(415, "unsupported_media_type");
        let big = format!("{{\"{field}\": \"{}\"}}", "x".repeat(70_000));
        send(json, big.into()).await.problem(413, "body_too_large");
    }
    assert_eq!(world.counts(&ada).await, [0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let unknown = Uuid::now_v7();
    for id in [
        &unknown.to_string(),
        "0",
        "%27%3Bdrop%20table%20posts--",
        "%ff",
        "..%2f..%2fetc",
    ] {
        for path in ["", "/likes", "/comments"] {
            world
                .get(&ada, &format!("/posts/{id}{path}"))
                .await
                .problem(404, "not_found");
        }
        world
            .put(&ada, &format!("/posts/{id}/like"))
            .await
            .problem(404, "not_found");
        world
            .delete(&ada, &format!("/posts/{id}/like"))
            .await
            .problem(404, "not_found");
        world
            .delete(&ada, &format!("/comments/{id}"))
            .await
            .problem(404, "not_found");
        world
            .put(&ada, &format!("/users/{id}/block"))
            .await
            .problem(404, "not_found");
        world
            .delete(&ada, &format!("/users/{id}/block"))
            .await
            .problem(404, "not_found");
        world
            .put(&ada, &format!("/follow-requests/{id}"))
            .await
            .problem(404, "not_found");
    }
    world
        .put(&ada, "/users/me/block")
        .await
        .problem(422, "cannot_target_self");
    world.get(&ada, "/nothing").await.problem(404, "not_found");
    world.put(&ada, "/feed").await.problem(405, "method_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_shows_nothing_is_no_text() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let comments = format!("/posts/{}/comments", world.publish(&ada, "discuss").await);
    let name = |text: &str| json!({ "display_name": text });
    let bio = |text: &str| json!({ "bio": text });
    for invisible in [
        "\u{200b}",
        "\u{202e}",
        "\u{2066}\u{2069}",
        " \u{200d}\u{fe0f} ",
        "\u{feff}",
        "\u{ad}",
        "\u{3164}",
        "\u{115f}",
        "\u{2800}",
        "\u{e0041}",
        "\u{3000}\u{180e}",
    ] {
        let text = json!({ "text": invisible });
        for path in ["/posts", comments.as_str()] {
            let answer = world.post(&ada, path, &text).await;
            assert_eq!(answer.status, 422, "{invisible:?} {path}");
            assert_eq!(answer.field(), "text");
        }
        for (field, patch) in [("display_name", name(invisible)), ("bio", bio(invisible))] {
            let answer = world.patch(&ada, "/users/me", &patch).await;
            assert_eq!(answer.status, 422, "{invisible:?} {field}");
            assert_eq!(answer.field(), field);
        }
    }
    // Whatever shows something is welcome, with what it needs to be shown, and a profile may be emptied.
    for visible in [
        "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "\u{200f}\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
        ".",
    ] {
        world
            .post(&ada, "/posts", &json!({ "text": visible }))
            .await
            .expect(201);
        world.patch(&ada, "/users/me", &name(visible)).await.expect(200);
    }
    for empty in [name(""), bio("")] {
        world.patch(&ada, "/users/me", &empty).await.expect(200);
    }
    // A name stands in the middle of other text: it must not turn that around, nor break its line.
    for wrong in ["ada\u{202e}", "\u{2067}ada", "two\u{2028}lines"] {
        let answer = world.patch(&ada, "/users/me", &name(wrong)).await;
        answer.problem(422, "validation_failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_speaks_for_the_platform_is_nobodys() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    for reserved in [
        "admin",
        "Support",
        "_root_",
        "ad_min",
        "moderator",
        "nova",
        "security",
        "help",
    ] {
        let answer = world.patch(&ada, "/users/me", &json!({ "username": reserved })).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.field(), "username", "{reserved}");
    }
    for free in ["administer", "supporter", "nova_fan"] {
        world
            .patch(&ada, "/users/me", &json!({ "username": free }))
            .await
            .expect(200);
    }
}
