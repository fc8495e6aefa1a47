//! etcd by its own request, from the leader to whoever has the latest of what it wrote. It would do so itself as it ends, but only when its
//! clients' connections are closed, for which it waits some seconds.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::HandOverError;
use crate::etcd_api::{At, Status};
use crate::etcd_start::Settings;
use crate::place::Place;

/// Time for the others to say how they are. One that is slower does not lead next.
const ANSWERS: Duration = Duration::from_secs(1);

pub(super) fn before_end(place: &Place) -> Result<Option<String>, HandOverError> {
    let settings = Settings::read(place)?;
    let own = settings.client(settings.own()?);
    // One that does not answer leads nobody.
    let Ok(status) = At(&own).status() else {
        return Ok(None);
    };
    if status.leader != status.member {
        return Ok(None);
    }
    let (answers, answer) = mpsc::channel();
    for other in settings.others() {
        let (answers, name, at) = (answers.clone(), other.member.clone(), settings.client(other));
        // It ends within its own limit, whether it is still heard or not.
        thread::spawn(move || answers.send((name, At(&at).status())));
    }
    drop(answers);
    let until = Instant::now() + ANSWERS;
    let mut heard = Vec::new();
    while let Ok((name, said)) = answer.recv_timeout(until.saturating_duration_since(Instant::now())) {
        heard.extend(said.ok().map(|said| (name, said)));
    }
    let (name, next) = successor(&status, heard).ok_or(HandOverError::NoSuccessor)?;
    match At(&own).hand_over(next) {
        Ok(()) => Ok(Some(format!(
            "{} leads etcd no more: {name} does",
            settings.start.member
        ))),
        Err(why) => Err(HandOverError::Refused { at: own, why }),
    }
}

/// Of those who follow this leader and have a vote, the one that has the most.
fn successor(leader: &Status, heard: Vec<(String, Status)>) -> Option<(String, u64)> {
    heard
        .into_iter()
        .filter(|(_, said)| said.leader == leader.member && said.cluster == leader.cluster && !said.is_learner)
        .max_by_key(|(_, said)| said.revision)
        .map(|(name, said)| (name, said.member))
}

#[cfg(test)]
mod tests {
    use super::{Status, successor};

    fn status(member: u64, revision: u64) -> Status {
        Status {
            member,
            cluster: 7,
            leader: 1,
            is_learner: false,
            revision,
            errors: Vec::new(),
            size: 0,
        }
    }

    #[test]
    fn whoever_follows_and_has_the_most_leads_next() {
        let said = |name: &str, status: Status| (name.to_owned(), status);
        let heard = vec![said("etcd-2", status(2, 40)), said("etcd-3", status(3, 41))];
        assert_eq!(successor(&status(1, 41), heard), Some(("etcd-3".to_owned(), 3)));
        let unfit = vec![
            said(
                "learns",
                Status {
                    is_learner: true,
                    ..status(2, 41)
                },
            ),
            said(
                "follows-nobody",
                Status {
                    leader: 0,
                    ..status(3, 41)
                },
            ),
            said(
                "of-another-cluster",
                Status {
                    cluster: 8,
                    ..status(4, 41)
                },
            ),
        ];
        assert_eq!(successor(&status(1, 41), unfit), None);
    }
}
