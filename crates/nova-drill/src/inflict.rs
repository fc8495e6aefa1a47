//! Injects a fault, waits as long as it lasts, and undoes it.

use std::time::Duration;

use nova_platform::target::{Harm, Target};
use tokio::time::{Instant, sleep, sleep_until};

use crate::aim::Aim;
use crate::clients::Run;
use crate::error::DrillError;
use crate::fault::Fault;

/// Pause between two looks for processes that started while a node is cut off, or for room that became free on a full disk.
const LOOK_FOR_NEW: Duration = Duration::from_millis(200);

/// Who is hit, and how long.
#[derive(Debug, Clone)]
pub(crate) struct Blow {
    pub(crate) fault: Fault,
    pub(crate) component: Aim,
    pub(crate) members: Vec<String>,
    /// How long a member is frozen, a node away, drained or cut off, a disk full.
    pub(crate) lasts: Duration,
}

/// Does it, and undoes what does not heal by itself. Between two members of [`Fault::Rolling`], `whole` is awaited of those that
/// were ended so far.
pub(crate) async fn inflict<T: Target>(
    target: &T,
    blow: &Blow,
    clients: &mut dyn Run,
    whole: impl AsyncFn(&[String]) -> Result<(), DrillError>,
) -> Result<(), DrillError> {
    let harm = async |harm: Harm| {
        let harmed = target.harm(&blow.members, harm).await;
        harmed.map_err(|error| DrillError::Target(Box::new(error)))
    };
    // What members do meanwhile would undo it: start processes, remove files.
    let keep_up = async |what: Harm| {
        harm(what).await?;
        let until = Instant::now() + blow.lasts;
        while Instant::now() < until {
            sleep_until(until.min(Instant::now() + LOOK_FOR_NEW)).await;
            harm(what).await?;
        }
        Ok::<(), DrillError>(())
    };
    match blow.fault {
        Fault::Kill | Fault::Cold => harm(Harm::Kill).await,
        Fault::Crash => harm(Harm::Crash).await,
        Fault::Stop => {
            harm(Harm::Freeze).await?;
            sleep(blow.lasts).await;
            harm(Harm::Thaw).await
        }
        Fault::Node => {
            harm(Harm::TakeDown).await?;
            sleep(blow.lasts).await;
            harm(Harm::BringUp).await
        }
        Fault::Drain => {
            harm(Harm::Drain).await?;
            sleep(blow.lasts).await;
            harm(Harm::BringUp).await
        }
        Fault::DiskFull => {
            keep_up(Harm::Fill).await?;
            harm(Harm::Empty).await
        }
        Fault::Switchover => {
            let leader = blow.members.first().map_or("", String::as_str);
            match &blow.component {
                Aim::Component(id) => Ok(clients.switch(id, leader).await?),
                Aim::Node | Aim::All => Err(DrillError::NotInjected(blow.fault)),
            }
        }
        Fault::Rolling => {
            for (number, member) in blow.members.iter().enumerate() {
                if number > 0 {
                    whole(&blow.members[..number]).await?;
                }
                let one = std::slice::from_ref(member);
                let restarted = target.harm(one, Harm::Restart).await;
                restarted.map_err(|error| DrillError::Target(Box::new(error)))?;
            }
            Ok(())
        }
        fault @ (Fault::Partition | Fault::PartitionIn | Fault::PartitionOut | Fault::Watch) => {
            let Some(direction) = fault.cuts() else {
                return Err(DrillError::NotInjected(fault));
            };
            keep_up(Harm::Cut(direction)).await?;
            harm(Harm::Rejoin).await
        }
    }
}
