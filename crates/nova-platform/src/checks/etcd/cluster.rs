//! Whether all members are of one cluster, and it of the members that are described.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Etcd, Stage, Status, Verdict, number};
use crate::bounded::first_answer;

/// A member that is slower than that is not waited for: whether it is well is another check's, and `status` has 0.8 s for all.
const ANSWER: Duration = Duration::from_millis(300);

/// A member and what it says of itself, of those that answer.
pub(super) type Statuses = Vec<(String, Status)>;

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    members: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "ID", deserialize_with = "number")]
    id: u64,
    #[serde(default)]
    name: String,
    #[serde(default, rename = "peerURLs")]
    peers: Vec<String>,
    #[serde(default, rename = "isLearner")]
    is_learner: bool,
}

impl Etcd {
    pub(super) async fn statuses(&self) -> Statuses {
        let asked = join_all(self.members.iter().map(async |member| {
            let status = timeout(ANSWER, self.status(member)).await.ok()?.ok()?;
            Some((member.member.clone(), status))
        }));
        asked.await.into_iter().flatten().collect()
    }

    /// The cluster's list of members against the description.
    pub(super) async fn is_as_described(&self, stage: &Stage) -> Verdict {
        stage.enter("a member that lists the cluster");
        let list = first_answer(&self.members, Some(stage), async |member| {
            // The list alone would come from what that member remembers.
            let read = json!({ "key": "bm92YQ==", "count_only": true });
            let read: Result<Value, String> = self
                .http
                .post(&member.address, "/v3/kv/range", &read)
                .await
                .and_then(|a| a.json());
            read?;
            self.http
                .post(&member.address, "/v3/cluster/member/list", &json!({}))
                .await
                .and_then(|answer| answer.json::<List>())
        });
        let list = list
            .await
            .map_err(|refusals| format!("no member lists the cluster: {refusals}"))?;
        let described: Vec<(&str, &str)> = self
            .members
            .iter()
            .map(|member| (member.member.as_str(), member.address.host.as_str()))
            .collect();
        compare(&list, &described)
    }
}

/// Two clusters are two truths about who leads PostgreSQL.
pub(super) fn is_one(statuses: &Statuses) -> Verdict {
    let mut clusters: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for (member, status) in statuses {
        clusters.entry(status.header.cluster_id).or_default().push(member);
    }
    if clusters.len() < 2 {
        return Ok(());
    }
    let told: Vec<String> = clusters
        .iter()
        .map(|(id, members)| format!("{} in cluster {id:x}", members.join(", ")))
        .collect();
    Err(format!(
        "etcd is split: {}. PostgreSQL may have a leader in each. Find the one that holds the truth, then give up what each member of the \
         other has by `nova member replace`",
        told.join("; ")
    ))
}

/// What an alarm means, in words.
pub(super) fn alarm(statuses: &Statuses) -> Option<String> {
    let raised = statuses
        .iter()
        .flat_map(|(member, status)| status.errors.iter().map(move |error| (member, error)));
    let (member, alarm) = raised.into_iter().next()?;
    Some(if alarm.contains("NOSPACE") {
        format!(
            "etcd is full, says {member}: the alarm NOSPACE is raised and nothing can be written. Its leader makes room by itself within half \
             a minute; `nova logs` of it says so where that is not enough, and then a larger [etcd] quota_backend_size in nova.toml and \
             `nova deploy` help"
        )
    } else {
        format!("{member} raises an alarm: {alarm}")
    })
}

fn compare(list: &List, described: &[(&str, &str)]) -> Verdict {
    let mut wrong = Vec::new();
    let is = |listed: &Listed, (name, host): &(&str, &str)| {
        let at_its_address = || {
            listed
                .peers
                .iter()
                .any(|url| url.starts_with(&format!("http://{host}:")))
        };
        listed.name == *name || (listed.name.is_empty() && at_its_address())
    };
    for member in described {
        match list.members.iter().find(|listed| is(listed, member)) {
            Some(listed) if listed.is_learner => wrong.push(format!(
                "{} has no vote yet: it is copying what the others have",
                member.0
            )),
            Some(listed) if listed.name.is_empty() => {
                wrong.push(format!("{} was added and has not been up yet", member.0))
            }
            Some(_) => {}
            None => wrong.push(format!("{} has not joined the cluster yet", member.0)),
        }
    }
    for listed in &list.members {
        if !described.iter().any(|member| is(listed, member)) {
            wrong.push(if listed.name.is_empty() {
                format!(
                    "a member is to join at {} and has not been up yet",
                    listed.peers.join(", ")
                )
            } else {
                format!(
                    "{} is in the cluster and not in nova.toml; `etcdctl member remove {:x}` takes it out",
                    listed.name, listed.id
                )
            });
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("; "))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
mod tests {
    use super::{List, Status, alarm, compare, is_one};

    fn status(cluster: &str, errors: &str) -> Status {
        serde_json::from_str(&format!(
            r#"{{"header":{{"cluster_id":"{cluster}","member_id":"1","revision":"2"}},"leader":"1","errors":{errors}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn two_clusters_are_told_apart() {
        let one = vec![
            ("etcd-1".to_owned(), status("7", "[]")),
            ("etcd-2".to_owned(), status("7", "[]")),
        ];
        assert_eq!(is_one(&one), Ok(()));
        let two = [one, vec![("etcd-3".to_owned(), status("10", "[]"))]].concat();
        let error = is_one(&two).unwrap_err();
        assert!(
            error.starts_with("etcd is split: etcd-1, etcd-2 in cluster 7; etcd-3 in cluster a. "),
            "{error}"
        );
    }

    #[test]
    fn an_alarm_says_what_helps() {
        let full = vec![("etcd-1".to_owned(), status("7", r#"["memberID:1 alarm:NOSPACE "]"#))];
        assert!(alarm(&full).unwrap().contains("quota_backend_size"));
        assert_eq!(alarm(&vec![("etcd-1".to_owned(), status("7", "[]"))]), None);
    }

    #[test]
    fn the_list_is_compared_with_the_description() {
        let list: List = serde_json::from_str(
            r#"{"members":[{"ID":"1","name":"etcd-1","peerURLs":["http://127.77.0.1:2380"]},
                {"ID":"2","peerURLs":["http://127.77.0.2:2380"],"isLearner":true},
                {"ID":"175","name":"etcd-9","peerURLs":["http://127.77.0.9:2380"]}]}"#,
        )
        .unwrap();
        let described = [
            ("etcd-1", "127.77.0.1"),
            ("etcd-2", "127.77.0.2"),
            ("etcd-3", "127.77.0.3"),
        ];
        let error = compare(&list, &described).unwrap_err();
        assert_eq!(
            error,
            "etcd-2 has no vote yet: it is copying what the others have; etcd-3 has not joined the cluster yet; \
             etcd-9 is in the cluster and not in nova.toml; `etcdctl member remove af` takes it out"
        );
        let mut list = list;
        list.members.truncate(1);
        assert_eq!(compare(&list, &described[..1]), Ok(()));
    }
}
