//! `/openapi.json`: the description of the API, generated from the routes.

mod common;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;
use serde_json::Value;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, OpenApi};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::http::{Code, ProblemBody};

/// The name under which routes refer to the access token: `security(("access_token" = []))`.
const ACCESS_TOKEN: &str = "access_token";
/// Likewise, to the token of a service: routes that only other services use.
const SERVICE_TOKEN: &str = "service_token";

/// Completes the description and serves it beside the routes; it is also returned, for whoever holds the routes to it.
pub(super) fn finish(name: &str, version: &str, routes: OpenApiRouter, codes: &[&Code]) -> (Router, Value) {
    let (router, mut api) = routes.split_for_parts();
    describe(&mut api, name, version, codes);
    // Serialising what utoipa built cannot fail.
    let mut document = serde_json::to_value(&api).unwrap_or_default();
    common::complete(&mut document);
    let json = Bytes::from(document.to_string());
    let router = router.route(
        "/openapi.json",
        get(move || async move { ([(header::CONTENT_TYPE, "application/json")], json) }),
    );
    (router, document)
}

fn describe(api: &mut OpenApi, name: &str, version: &str, codes: &[&Code]) {
    let mut text = "Errors are `application/problem+json`; their stable codes are listed in docs/errors.md.".to_owned();
    if !codes.is_empty() {
        let codes: Vec<_> = codes.iter().map(|code| format!("`{}`", code.code)).collect();
        text.push_str(&format!(" Codes of this service: {}.", codes.join(", ")));
    }
    api.info = InfoBuilder::new()
        .title(name)
        .version(version)
        .description(Some(text))
        .build();
    let components = api.components.get_or_insert_with(Components::new);
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .build();
    components.add_security_scheme(ACCESS_TOKEN, SecurityScheme::Http(scheme.clone()));
    components.add_security_scheme(SERVICE_TOKEN, SecurityScheme::Http(scheme));
    let mut schemas = vec![(ProblemBody::name().into_owned(), ProblemBody::schema())];
    ProblemBody::schemas(&mut schemas);
    components.schemas.extend(schemas);
}
