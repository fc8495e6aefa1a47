//! Injects a fault, waits as long as it lasts, and undoes it.

use std::time::Duration;

pub(crate) use nova_platform::explained::explained;
use nova_platform::target::{Harm, Target};
use tokio::time::{Instant, sleep, sleep_until};

use crate::clients::Run;
use crate::fault::Fault;

/// Pause between two looks for processes that started while a node is cut off, or for room that became free on a full disk.
const LOOK_FOR_NEW: Duration = Duration::from_millis(200);

/// Who is hit, and how long.
#[derive(Debug, Clone)]
pub(crate) struct Blow {
    pub(crate) fault: Fault,
    pub(crate) component: String,
    pub(crate) members: Vec<String>,
    /// How long a member is frozen, a node away or cut off, a disk full.
    pub(crate) lasts: Duration,
}

/// Does it, and undoes what does not heal by itself. Between two members of [`Fault::Rolling`], `whole` is awaited of those that
/// were ended so far.
pub(crate) async fn inflict<T: Target>(
    target: &T,
    blow: &Blow,
    clients: &mut dyn Run,
    whole: impl AsyncFn(&[String]) -> Result<(), String>,
) -> Result<(), String> {
    let harm = async |harm: Harm| {
        target
            .harm(&blow.members, harm)
            .await
            .map_err(|error| explained(&error))
    };
    // What members do meanwhile would undo it: start processes, remove files.
    let keep_up = async |what: Harm| {
        harm(what).await?;
        let until = Instant::now() + blow.lasts;
        while Instant::now() < until {
            sleep_until(until.min(Instant::now() + LOOK_FOR_NEW)).await;
            harm(what).await?;
        }
        Ok::<(), String>(())
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
        Fault::DiskFull => {
            keep_up(Harm::Fill).await?;
            harm(Harm::Empty).await
        }
        Fault::Switchover => {
            let leader = blow.members.first().map_or("", String::as_str);
            clients.switch(&blow.component, leader).await
        }
        Fault::Rolling => {
            for (number, member) in blow.members.iter().enumerate() {
                if number > 0 {
                    whole(&blow.members[..number]).await?;
                }
                let one = std::slice::from_ref(member);
                target
                    .harm(one, Harm::Restart)
                    .await
                    .map_err(|error| explained(&error))?;
            }
            Ok(())
        }
        fault => {
            let Some(direction) = fault.cuts() else {
                return Err(format!("fault {fault} cannot be injected here"));
            };
            keep_up(Harm::Cut(direction)).await?;
            harm(Harm::Rejoin).await
        }
    }
}
