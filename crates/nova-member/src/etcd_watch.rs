//! Sees to a running etcd member what it cannot see to itself: its vote when it has caught up, the address that the others meet it at,
//! an alarm for space. It is done by whoever keeps the member, for as long as that is kept, so that nothing is left half done by a kill.

use std::time::{Duration, Instant};

use crate::address::HostPort;
use crate::error::StartError;
use crate::etcd_api::{At, Status};
use crate::etcd_space;
use crate::etcd_start::{Kept, Settings};
use crate::files::write;
use crate::place::Place;

/// Until all is as it should be.
const SOON: Duration = Duration::from_millis(250);
/// From then on.
const LATER: Duration = Duration::from_secs(2);
/// At least between two attempts to make room.
const ROOM_EVERY: Duration = Duration::from_secs(30);

/// What is remembered between two looks at one member.
#[derive(Debug, Default)]
pub struct Watch {
    /// The member and cluster that were found to be as they should be.
    settled: Option<(u64, u64)>,
    made_room: Option<Instant>,
    said: String,
}

/// When to look again, and what to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Pause before the next look.
    pub pause: Duration,
    /// What was done, or why it cannot be done yet; only what was not told before.
    pub told: Option<String>,
}

impl Watch {
    /// Looks at the member of this place, and does what is to be done. Takes some seconds at most, a minute when it makes room.
    pub fn look(&mut self, place: &Place) -> Look {
        let (pause, told) = match self.see_to(place) {
            Ok((pause, told)) => (pause, told),
            Err(error) => (LATER, Some(error.to_string())),
        };
        let told = told.filter(|told| *told != self.said);
        if let Some(told) = &told {
            self.said.clone_from(told);
        }
        Look { pause, told }
    }

    fn see_to(&mut self, place: &Place) -> Result<(Duration, Option<String>), StartError> {
        let settings = Settings::read(place)?;
        let own = settings.client(settings.own()?);
        let Ok(status) = At(&own).status() else {
            self.settled = None;
            return Ok((SOON, None));
        };
        if status.is_learner {
            self.settled = None;
            return Ok((SOON, Some(promote(&settings, &status))));
        }
        // One that was killed and started again between two looks is as it was, but for what it keeps.
        if self.settled != Some((status.member, status.cluster)) || Kept(place).is_starting() {
            return Ok(match settle(&settings, &own, &status, place)? {
                Ok(told) => {
                    self.settled = Some((status.member, status.cluster));
                    (LATER, told)
                }
                Err(why_not) => (SOON, Some(why_not)),
            });
        }
        let is_full = status.errors.iter().any(|error| error.contains(etcd_space::ALARM));
        let may_try = self.made_room.is_none_or(|last| last.elapsed() >= ROOM_EVERY);
        if is_full && status.leader == status.member && may_try {
            self.made_room = Some(Instant::now());
            let told = etcd_space::make_room(&settings, &own).unwrap_or_else(|why_not| why_not);
            return Ok((LATER, Some(told)));
        }
        Ok((LATER, None))
    }
}

/// One without a vote cannot be asked for one.
fn promote(settings: &Settings, status: &Status) -> String {
    let name = &settings.start.member;
    let mut why_not = "nobody else answers".to_owned();
    for other in settings.others() {
        match At(&settings.client(other)).promote(status.member) {
            Ok(()) => return format!("{name} has caught up, and has a vote from now on"),
            Err(error) => why_not = error,
        }
    }
    format!("{name} has no vote yet: {why_not}")
}

/// It serves: what is to be known of that later is written down, and the others are told where it is now.
fn settle(
    settings: &Settings,
    own: &HostPort,
    status: &Status,
    place: &Place,
) -> Result<Result<Option<String>, String>, StartError> {
    let cluster = format!("{:x}", status.cluster);
    let at = At(own);
    let listed = match at.cluster() {
        Ok(listed) => listed,
        Err(why_not) => return Ok(Err(format!("{} serves nobody yet: {why_not}", settings.start.member))),
    };
    Kept(place).serves(&cluster)?;
    if let Some(mark) = &settings.start.mark
        && !mark.exists()
    {
        write(mark, &cluster)?;
    }
    let url = settings.peer_url(settings.own()?);
    let is_met_elsewhere = listed
        .members
        .iter()
        .any(|member| member.id == status.member && member.peers != [url.as_str()]);
    if !is_met_elsewhere {
        return Ok(Ok(None));
    }
    Ok(match at.update(status.member, &url) {
        Ok(()) => Ok(Some(format!(
            "the others meet {} at {url} from now on",
            settings.start.member
        ))),
        Err(why_not) => Err(format!(
            "the others are not told yet that {} is at {url}: {why_not}",
            settings.start.member
        )),
    })
}
