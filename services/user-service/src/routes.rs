//! What clients see: everything under `/api/v1`; what other services see: `/api/v1/internal/…`.

mod blocks;
mod comments;
mod feed;
mod follow_requests;
mod follows;
mod internal;
mod likes;
mod posts;
mod profiles;

use std::pin::Pin;

use axum::http::StatusCode;
use nova_service::{Problem, codes};
use sqlx::PgConnection;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::app::App;
use crate::domain::{UserRef, shows_nothing};
use crate::errors::{self, CANNOT_TARGET_SELF};
use crate::limits;
use crate::store;

/// All routes of the service.
pub(crate) fn router(app: App) -> OpenApiRouter {
    let mut router = OpenApiRouter::new()
        .routes(routes!(profiles::get_me, profiles::patch_me))
        .routes(routes!(profiles::get_user))
        .routes(routes!(follows::follow, follows::unfollow))
        .routes(routes!(follows::list_followers))
        .routes(routes!(follows::list_following))
        .routes(routes!(follow_requests::list_follow_requests))
        .routes(routes!(follow_requests::accept, follow_requests::reject))
        .routes(routes!(blocks::block, blocks::unblock))
        .routes(routes!(blocks::list_blocks))
        .routes(routes!(posts::create_post))
        .routes(routes!(posts::get_post, posts::delete_post))
        .routes(routes!(posts::list_user_posts))
        .routes(routes!(likes::like, likes::unlike))
        .routes(routes!(likes::list_likes))
        .routes(routes!(comments::list_comments, comments::create_comment))
        .routes(routes!(comments::delete_comment))
        .routes(routes!(feed::get_feed))
        .routes(routes!(internal::delete_account))
        .with_state(app);
    limits::describe(router.get_openapi_mut());
    router
}

/// The account that a path names; whether the viewer may know of it is asked where it is used.
async fn target(connection: &mut PgConnection, viewer: Uuid, user: &UserRef) -> Result<Uuid, Problem> {
    store::profiles::resolve(connection, viewer, user)
        .await?
        .ok_or_else(errors::no_such_user)
}

/// Likewise, for what one cannot do to oneself.
async fn other(connection: &mut PgConnection, viewer: Uuid, user: &UserRef) -> Result<Uuid, Problem> {
    let target = target(connection, viewer, user).await?;
    if target == viewer {
        return Err(Problem::new(&CANNOT_TARGET_SELF));
    }
    Ok(target)
}

/// Changes how the viewer and another account stand to each other, in one transaction.
async fn change<T, F>(app: &App, viewer: Uuid, user: UserRef, work: F) -> Result<T, Problem>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut PgConnection, Uuid) -> Work<'t, T> + Send + 'static,
{
    let changing = app.postgres.write(|connection| {
        Box::pin(async move {
            let target = other(connection, viewer, &user).await?;
            Ok::<_, Problem>(work(connection, target).await?)
        })
    });
    changing.await
}

/// What is done in such a transaction.
type Work<'t, T> = Pin<Box<dyn Future<Output = store::Result<T>> + Send + 't>>;

/// The answer to a change, which nobody can make of an account that is not there.
fn changed(found: bool) -> Result<StatusCode, Problem> {
    if found {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(errors::no_such_user())
    }
}

/// Likewise, of an account whose posts and lists the viewer may see.
async fn open_target(connection: &mut PgConnection, viewer: Uuid, user: &UserRef) -> Result<Uuid, Problem> {
    let target = target(connection, viewer, user).await?;
    if store::profiles::is_open(connection, viewer, target).await? {
        Ok(target)
    } else {
        Err(errors::no_such_user())
    }
}

/// Refuses a text of which a reader sees nothing.
fn not_blank(field: &str, text: &str) -> Result<(), Problem> {
    if shows_nothing(text) {
        return Err(Problem::new(&codes::VALIDATION_FAILED).field(field, "must show something"));
    }
    Ok(())
}
