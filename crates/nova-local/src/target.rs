//! This machine as a place where a platform runs.

mod addresses;
mod apply;
mod binaries;
mod cut;
mod error;
mod fill;
mod harm;
mod inspect;
mod log;
mod note;
mod order;
mod parts;
mod plan;
mod prepare;
mod remove;
mod replace;
mod strays;

use std::collections::BTreeMap;
use std::path::PathBuf;

use nova_platform::components::ComponentId;
use nova_platform::endpoints::Endpoints;
use nova_platform::spec::Spec;
use nova_platform::target::{Harm, LogQuery, MemberStatus, Plan, Removal, Target};
use tokio::sync::OnceCell;

use crate::doctor::Programs;
use crate::layout::{Layout, Owner, create, examine};
use crate::partition;
use crate::plan::MemberPlan;
use crate::supervisor::{Client, LockFile, Program};

pub use error::{LocalError, MemberFailure};
pub use log::LogFollower;

/// What a deploy brings along.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Where the data tier's programs are.
    pub programs: Programs,
    /// The `nova` command itself, which supervises and helps members to start.
    pub nova: PathBuf,
    /// The services' binaries, by service name.
    pub services: BTreeMap<String, PathBuf>,
}

/// A platform on this machine.
#[derive(Debug)]
pub struct LocalTarget {
    spec: Spec,
    layout: Layout,
    client: Client,
    supplies: Supplies,
    prepared: OnceCell<Prepared>,
}

/// Where members' plans come from.
#[derive(Debug)]
enum Supplies {
    /// Nowhere: what was deployed is only looked at or removed.
    None,
    /// From the description.
    Tools(Tools),
    /// They are given.
    Plans {
        members: Vec<MemberPlan>,
        supervisor: Program,
        owner: Owner,
    },
}

/// What [`Target::apply`] works with, once it is certain that it can.
#[derive(Debug)]
struct Prepared {
    members: Vec<MemberPlan>,
    owner: Owner,
    /// Copies of `nova`; members that only start through it need no restart for a new one.
    helper: PathBuf,
}

impl LocalTarget {
    /// The platform of this description, whether it was deployed or not. Good for everything but changing it.
    ///
    /// # Errors
    /// When there is no place for state.
    pub fn open(spec: &Spec) -> Result<Self, LocalError> {
        Ok(Self::new(spec, Layout::of(&spec.platform.name)?, Supplies::None))
    }

    /// The platform of this description, to be deployed with these programs.
    ///
    /// # Errors
    /// When there is no place for state.
    pub fn with_tools(spec: &Spec, tools: Tools) -> Result<Self, LocalError> {
        Ok(Self::new(
            spec,
            Layout::of(&spec.platform.name)?,
            Supplies::Tools(tools),
        ))
    }

    /// A platform of exactly these members in a directory of choice.
    #[must_use]
    pub fn with_plans(
        spec: &Spec,
        layout: Layout,
        owner: Owner,
        supervisor: Program,
        members: Vec<MemberPlan>,
    ) -> Self {
        let supplies = Supplies::Plans {
            members,
            supervisor,
            owner,
        };
        Self::new(spec, layout, supplies)
    }

    fn new(spec: &Spec, layout: Layout, supplies: Supplies) -> Self {
        Self {
            spec: spec.clone(),
            client: Client::new(&layout),
            layout,
            supplies,
            prepared: OnceCell::new(),
        }
    }

    /// The platform's paths.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whose the state and the members' processes are.
    ///
    /// # Errors
    /// When root runs this and the system user does not exist.
    pub fn owner(&self) -> Result<Owner, LocalError> {
        match &self.supplies {
            Supplies::Plans { owner, .. } => Ok(owner.clone()),
            Supplies::None | Supplies::Tools(_) => Ok(Owner::of_members(&self.spec.local.user)?),
        }
    }

    /// Whether something was deployed and not removed since.
    ///
    /// # Errors
    /// When the state directory is not one that this nova and this user can use.
    pub fn is_deployed(&self) -> Result<bool, LocalError> {
        Ok(self.has_state()? && self.layout.members_file().exists())
    }

    /// Whether there is a state directory: something is deployed, or data of it was kept.
    ///
    /// # Errors
    /// As [`LocalTarget::is_deployed`].
    pub fn has_state(&self) -> Result<bool, LocalError> {
        self.has_not_lost_its_state()?;
        // Before the first deploy the system user need not exist.
        if !self.layout.directory().exists() {
            return Ok(false);
        }
        Ok(examine(&self.layout, &self.owner()?)?)
    }

    /// Keeps other commands from changing the platform until the lock is dropped. Makes the state directory.
    ///
    /// # Errors
    /// When another command is at work: which one. [`LocalError::StateLost`] when the platform runs without its directory.
    pub fn lock(&self, what: &str) -> Result<LockFile, LocalError> {
        self.has_not_lost_its_state()?;
        create(&self.layout, &self.owner()?)?;
        Ok(LockFile::take(&self.layout.command_lock(), what)?)
    }

    /// As [`LocalTarget::lock`], for a platform that is there already.
    ///
    /// # Errors
    /// [`LocalError::NotDeployed`], and as [`LocalTarget::lock`].
    pub fn lock_existing(&self, what: &str) -> Result<LockFile, LocalError> {
        if !self.has_state()? {
            return Err(self.not_deployed());
        }
        Ok(LockFile::take(&self.layout.command_lock(), what)?)
    }

    fn not_deployed(&self) -> LocalError {
        LocalError::NotDeployed(self.layout.platform())
    }
}

impl Target for LocalTarget {
    type Error = LocalError;

    fn endpoints(&self) -> Endpoints {
        addresses::endpoints(&self.spec)
    }

    async fn plan(&self) -> Result<Plan, LocalError> {
        self.make_plan().await
    }

    async fn apply(&self, component: &ComponentId) -> Result<(), LocalError> {
        self.apply_component(component).await
    }

    async fn apply_member(&self, member: &str) -> Result<(), LocalError> {
        self.apply_one(member).await
    }

    async fn prune(&self) -> Result<(), LocalError> {
        self.forget_unwanted().await
    }

    async fn inspect(&self) -> Result<Vec<MemberStatus>, LocalError> {
        self.inspect_members(false).await
    }

    async fn logs(&self, member: &str, query: &LogQuery) -> Result<Vec<String>, LocalError> {
        self.read_log(member, query)
    }

    async fn refuses(&self, harm: Harm, members: &[String]) -> Option<String> {
        match harm {
            Harm::Fill => self.fill_refusal(members),
            Harm::Cut(_) => partition::refusal(&self.layout.platform()),
            _ => None,
        }
    }

    async fn harm(&self, members: &[String], harm: Harm) -> Result<(), LocalError> {
        self.harm_members(members, harm).await
    }

    async fn heal(&self) -> Result<Vec<String>, LocalError> {
        self.heal_members().await
    }

    async fn remove(&self, data: bool) -> Result<Removal, LocalError> {
        self.remove_platform(data).await
    }
}
