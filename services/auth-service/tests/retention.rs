//! Expired rows are removed, and no others.

use crate::support::Auth;

#[tokio::test(flavor = "multi_thread")]
async fn expired_sessions_go() {
    let auth = Auth::start().await;
    let (old, new) = (auth.session().await, auth.session().await);
    sqlx::query("update sessions set expires_at = now() - interval '1 second' where id = $1::text::uuid")
        .bind(&old.id)
        .execute(&auth.database())
        .await
        .unwrap();
    auth.app.clean_once().await.unwrap();
    assert_eq!(auth.count("select count(*) from sessions").await, 1);
    auth.refresh(&new.refresh).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_audit_rows_go_in_batches() {
    let auth = Auth::start().await;
    auth.execute(
        "insert into audit (event, outcome, at)
        select 'login', 'ok', now() - interval '91 days' from generate_series(1, 2500)",
    )
    .await;
    auth.execute("insert into audit (event, outcome, at) values ('login', 'failed', now() - interval '89 days')")
        .await;
    auth.account().await;
    auth.app.clean_once().await.unwrap();
    assert_eq!(auth.audit().await, ["login/failed", "register/ok"]);
}
