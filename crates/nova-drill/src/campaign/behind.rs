//! The blow of a negative control: a leader is lost while nobody else has what it acknowledged last.

use nova_platform::rollout::Prober;
use nova_platform::target::{Harm, Target};

use super::Campaign;
use crate::clients::Run;
use crate::error::DrillError;
use crate::inflict::Blow;

impl<T: Target, P: Prober> Campaign<'_, T, P> {
    /// Freezes the leader's replicas for a while, so that they are behind, takes the leader down, and lets another one lead before it
    /// returns. Killed and restarted at once, the leader could win the election with everything that it has. The replicas' servers
    /// end as well: what still lies in their sockets would reach them. Where commits wait for a replica, nothing is lost.
    pub(super) async fn strike_while_behind(
        &self,
        blow: &Blow,
        behind: std::time::Duration,
        clients: &mut dyn Run,
    ) -> Result<(), DrillError> {
        let members = self.inspect().await?;
        let replicas: Vec<String> = members
            .into_iter()
            .filter(|member| blow.component.is(&member.component) && !blow.members.contains(&member.name))
            .map(|member| member.name)
            .collect();
        let harm = async |members: &[String], harm: Harm| {
            let harmed = self.target.harm(members, harm).await;
            harmed.map_err(|error| DrillError::Target(Box::new(error)))
        };
        harm(&replicas, Harm::Freeze).await?;
        tokio::time::sleep(behind).await;
        harm(&blow.members, Harm::TakeDown).await?;
        harm(&replicas, Harm::Crash).await?;
        harm(&replicas, Harm::Thaw).await?;
        clients.again().await?;
        harm(&blow.members, Harm::BringUp).await
    }
}
