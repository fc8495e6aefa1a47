//! What a Redis server was told while it ran, and what it must be told before it is started with other settings: Redis begins with the
//! file that its settings name, so that file must be whole before they change.

use std::collections::BTreeMap;
use std::time::Duration;

use fred::types::Value;
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::Redis;
use super::node::Node;
use crate::spec::RedisSpec;

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A snapshot that is no older holds for a restart that follows.
const RECENT: u64 = 60;
/// What was written last before the append-only file was switched off is told from a later snapshot by the second.
const A_SECOND: Duration = Duration::from_millis(1100);

/// The settings that follow from the description alone.
fn described(spec: &RedisSpec) -> [(&'static str, String); 3] {
    let appendonly = if spec.appendonly { "yes" } else { "no" };
    [
        ("appendonly", appendonly.to_owned()),
        ("min-replicas-to-write", spec.min_replicas_to_write.to_string()),
        (
            "min-replicas-max-lag",
            spec.min_replicas_max_lag.as_secs().max(1).to_string(),
        ),
    ]
}

impl Redis {
    /// Before servers are started with the description's settings: each one that runs has the file that it will then begin with. Says
    /// what was done; an error means "not yet".
    pub(in crate::checks) async fn stage(&self, limit: Duration) -> Result<Vec<String>, String> {
        let until = Instant::now() + limit;
        let one = async |node: &Node| match running(node, "appendonly").await? {
            Some(on) if on == "no" && self.spec.appendonly => switch_on(node, until).await.map(Some),
            Some(on) if on == "yes" && !self.spec.appendonly => {
                save(node, RECENT, until).await?;
                Ok(Some(format!("{node} wrote a snapshot")))
            }
            _ => Ok(None),
        };
        gathered(join_all(self.servers.iter().map(one)).await)
    }

    /// Every server that runs has the description's settings, whoever changed them. Says what was changed.
    pub(in crate::checks) async fn ensure(&self, limit: Duration) -> Result<Vec<String>, String> {
        let until = Instant::now() + limit;
        let one = async |node: &Node| {
            let mut changes = Vec::new();
            for (setting, wanted) in described(&self.spec) {
                let Some(found) = running(node, setting).await? else {
                    return Ok(None);
                };
                if found == wanted {
                    continue;
                }
                if (setting, wanted.as_str()) == ("appendonly", "yes") {
                    changes.push(switch_on(node, until).await?);
                    continue;
                }
                node.ask(&["CONFIG", "SET", setting, &wanted]).await?;
                if setting == "appendonly" {
                    sleep(A_SECOND).await;
                    save(node, 0, until).await?;
                }
                changes.push(format!("changed {setting} of {node} from {found} to {wanted}"));
            }
            Ok((!changes.is_empty()).then(|| changes.join("; ")))
        };
        gathered(join_all(self.servers.iter().map(one)).await)
    }
}

/// One that was not done counts more than those that were.
fn gathered(results: Vec<Result<Option<String>, String>>) -> Result<Vec<String>, String> {
    let (done, open): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    let open: Vec<String> = open.into_iter().filter_map(Result::err).collect();
    if open.is_empty() {
        Ok(done.into_iter().filter_map(Result::ok).flatten().collect())
    } else {
        Err(open.join("; "))
    }
}

/// A setting as the server has it; `None` when there is no server, which reads it when it starts.
async fn running(node: &Node, setting: &str) -> Result<Option<String>, String> {
    match node.ask(&["CONFIG", "GET", setting]).await {
        Ok(Value::Array(pair)) => Ok(pair.get(1).and_then(Value::as_string)),
        Ok(Value::Map(map)) => Ok(map.inner().into_values().next().and_then(|value| value.as_string())),
        Ok(other) => Err(format!("{node} says of {setting} what is not understood: {other:?}")),
        Err(error) if error.contains("LOADING") => Err(error),
        Err(_) => Ok(None),
    }
}

/// Has a running server write its append-only file, and waits until that has everything.
async fn switch_on(node: &Node, until: Instant) -> Result<String, String> {
    node.ask(&["CONFIG", "SET", "appendonly", "yes"]).await?;
    loop {
        let why_not = match appended(&persistence(node).await?) {
            Ok(()) => return Ok(format!("{node} wrote its append-only file")),
            Err(why_not) => why_not,
        };
        wait(until, || {
            format!("{node} has not written its append-only file: {why_not}")
        })
        .await?;
    }
}

/// Has a running server write a snapshot unless it has one that is not older than this many seconds, and waits until it is whole.
async fn save(node: &Node, age: u64, until: Instant) -> Result<(), String> {
    let since = server_time(node).await?.saturating_sub(age);
    let mut asked = false;
    loop {
        let state = persistence(node).await?;
        let number = |name: &str| state.get(name).and_then(|value| value.parse::<u64>().ok()).unwrap_or(0);
        let status = state.get("rdb_last_bgsave_status").map_or("unknown", String::as_str);
        let is_busy = number("rdb_bgsave_in_progress") != 0;
        if !is_busy && status == "ok" && number("rdb_last_save_time") >= since {
            return Ok(());
        }
        if !is_busy && !asked {
            node.ask(&["BGSAVE", "SCHEDULE"]).await?;
            asked = true;
        }
        wait(until, || {
            format!("{node} has not written its snapshot: the last one is {status}")
        })
        .await?;
    }
}

async fn wait(until: Instant, why_not: impl FnOnce() -> String) -> Result<(), String> {
    if Instant::now() + LOOK_EVERY >= until {
        return Err(why_not());
    }
    sleep(LOOK_EVERY).await;
    Ok(())
}

/// `INFO persistence`, by name.
async fn persistence(node: &Node) -> Result<BTreeMap<String, String>, String> {
    let said = node
        .ask(&["INFO", "persistence"])
        .await?
        .as_string()
        .unwrap_or_default();
    let pairs = said.lines().filter_map(|line| line.trim_end().split_once(':'));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

async fn server_time(node: &Node) -> Result<u64, String> {
    let answer = node.ask(&["TIME"]).await?;
    let Value::Array(parts) = &answer else {
        return Err(format!("{node} says of its time what is not understood: {answer:?}"));
    };
    parts
        .first()
        .and_then(Value::as_string)
        .and_then(|seconds| seconds.parse().ok())
        .ok_or_else(|| format!("{node} says of its time what is not understood: {answer:?}"))
}

/// Whether the append-only file has everything: it is on as soon as it is asked for, and whole when it was rewritten.
fn appended(state: &BTreeMap<String, String>) -> Result<(), String> {
    let wanted = [
        ("aof_enabled", "1"),
        ("aof_rewrite_in_progress", "0"),
        ("aof_rewrite_scheduled", "0"),
        ("aof_last_bgrewrite_status", "ok"),
        ("aof_last_write_status", "ok"),
    ];
    for (name, wanted) in wanted {
        let found = state.get(name).map_or("nothing", String::as_str);
        if found != wanted {
            return Err(format!("{name} is {found}"));
        }
    }
    let base = state.get("aof_base_size").and_then(|size| size.parse::<u64>().ok());
    if base.is_none_or(|size| size == 0) {
        return Err("it has no base yet".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::appended;

    fn state(changed: (&str, &str)) -> BTreeMap<String, String> {
        let mut state: BTreeMap<String, String> = [
            ("aof_enabled", "1"),
            ("aof_rewrite_in_progress", "0"),
            ("aof_rewrite_scheduled", "0"),
            ("aof_last_bgrewrite_status", "ok"),
            ("aof_last_write_status", "ok"),
            ("aof_base_size", "89"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        state.insert(changed.0.to_owned(), changed.1.to_owned());
        state
    }

    #[test]
    fn a_file_that_is_on_is_not_yet_one_that_has_everything() {
        assert_eq!(appended(&state(("aof_enabled", "1"))), Ok(()));
        for (name, value) in [
            ("aof_enabled", "0"),
            ("aof_rewrite_in_progress", "1"),
            ("aof_rewrite_scheduled", "1"),
            ("aof_last_bgrewrite_status", "err"),
            ("aof_last_write_status", "err"),
            ("aof_base_size", "0"),
        ] {
            assert!(appended(&state((name, value))).is_err(), "{name} {value}");
        }
        assert!(appended(&BTreeMap::new()).is_err());
    }
}
