//! Has a member that is about to be ended hand over what it leads ([`nova_member::hand_over`]).

use std::path::PathBuf;

use nova_member::Place;
use nova_member::hand_over::{self, Store};
use tokio::time::timeout;

use crate::supervisor::protocol::{HANDED_OVER, Launch};

/// Returns when another member leads, or when this one does not, or when nobody can take over.
pub(super) async fn before_end(launch: &Launch) {
    let member = &launch.member;
    let Some((store, directory)) = leads(launch) else {
        return;
    };
    let handed = tokio::task::spawn_blocking(move || hand_over::before_end(store, &Place::Directory(directory)));
    match timeout(HANDED_OVER, handed).await {
        // At the usual level: who leads changes because of it.
        Ok(Ok(Ok(Some(told)))) => tracing::warn!(member, "it is to end: {told}"),
        Ok(Ok(Ok(None))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(member, %error, "it is to end, and hands nothing over"),
        Ok(Err(error)) => tracing::warn!(member, %error, "it is to end, and hands nothing over"),
        Err(_) => tracing::warn!(member, "it is to end, and has handed nothing over in time"),
    }
}

/// What it may lead.
fn leads(launch: &Launch) -> Option<(Store, PathBuf)> {
    let of = |store, directory: &Option<PathBuf>| directory.clone().map(|directory| (store, directory));
    of(Store::Postgres, &launch.postgres)
        .or_else(|| of(Store::Redis, &launch.redis))
        .or_else(|| of(Store::Etcd, &launch.etcd))
}
