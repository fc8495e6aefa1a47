//! Everything that can go wrong before the first member is touched: state, secrets, programs, ports, supervisor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nova_platform::secrets::Secrets;
use nova_platform::target::RunState;
use secrecy::ExposeSecret;

use super::binaries::Binaries;
use super::{LocalError, LocalTarget, Prepared, Supplies, Tools};
use crate::layout::{Layout, Owner, create, write_atomic};
use crate::members::{Site, plans};
use crate::plan::MemberPlan;
use crate::process::{Family, PortError, Table, check_free};
use crate::supervisor::{MemberReport, Program, ensure_running};

impl LocalTarget {
    /// Makes state, secrets and copies of our programs, brings the supervisor up, and checks that every member that does
    /// not run yet can have its ports. Starts no member. [`nova_platform::target::Target::apply`] does it when nobody did.
    ///
    /// # Errors
    /// When something of this cannot be had; no member was touched then.
    pub async fn prepare(&self) -> Result<(), LocalError> {
        self.prepared().await.map(|_| ())
    }

    /// Lays changed secrets out for the members that read them from files, and notice a change by themselves.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn publish_secrets(&self, secrets: &Secrets) -> Result<(), LocalError> {
        write_secret_files(&self.layout, secrets, &self.owner()?)
    }

    pub(super) async fn prepared(&self) -> Result<&Prepared, LocalError> {
        self.prepared.get_or_try_init(|| self.make_ready()).await
    }

    async fn make_ready(&self) -> Result<Prepared, LocalError> {
        let owner = self.owner()?;
        create(&self.layout, &owner)?;
        // A drill that was killed may have left it, and nothing could be written beside it.
        self.empty()?;
        let (members, supervisor, helper) = match &self.supplies {
            Supplies::None => return Err(LocalError::NoTools),
            Supplies::Plans {
                members, supervisor, ..
            } => (members.clone(), supervisor.clone(), PathBuf::new()),
            Supplies::Tools(tools) => {
                let secrets = self.secrets()?;
                write_secret_files(&self.layout, &secrets, &owner)?;
                let copies = copy_programs(&self.layout, tools, &owner)?;
                let members = self.plan_members(tools, &secrets, &copies)?;
                (members, Program::nova(copies.nova.clone(), &self.layout), copies.nova)
            }
        };
        let report = ensure_running(&self.layout, &owner, &supervisor).await?;
        // A drill that was killed may have left it, and no member would come up beside it.
        self.connect_leftovers().await?;
        let running = running(&report.members);
        for plan in &members {
            self.check_ports(plan, running.get(plan.name.as_str()).copied(), &owner)?;
        }
        Ok(Prepared { members, owner, helper })
    }

    /// Secrets are generated before the first member has a directory: when they are gone and directories are there, new ones
    /// would open nothing.
    fn secrets(&self) -> Result<Secrets, LocalError> {
        let (file, data) = (self.layout.secrets_file(), self.layout.members());
        let has_data = || std::fs::read_dir(&data).is_ok_and(|mut members| members.next().is_some());
        if !file.exists() && has_data() {
            return Err(LocalError::SecretsLost { file, data });
        }
        Ok(Secrets::open_or_generate(&file, &self.spec)?)
    }

    /// Plans without touching anything: what is not there yet is made up, and differs from whatever runs.
    pub(super) fn rehearse(&self) -> Result<(Vec<MemberPlan>, PathBuf), LocalError> {
        match &self.supplies {
            Supplies::None => Err(LocalError::NoTools),
            Supplies::Plans { members, .. } => Ok((members.clone(), PathBuf::new())),
            Supplies::Tools(tools) => {
                let path = self.layout.secrets_file();
                let mut secrets = if path.exists() {
                    Secrets::load(&path)?
                } else {
                    Secrets::generate(&self.spec)?
                };
                secrets.complete(&self.spec)?;
                let copies = name_programs(&self.layout, tools)?;
                let members = self.plan_members(tools, &secrets, &copies)?;
                Ok((members, copies.nova))
            }
        }
    }

    fn plan_members(&self, tools: &Tools, secrets: &Secrets, copies: &Copies) -> Result<Vec<MemberPlan>, LocalError> {
        let site = Site {
            spec: &self.spec,
            secrets,
            state: self.layout.directory(),
            programs: &tools.programs,
            nova: &copies.nova,
            services: &copies.services,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        };
        Ok(plans(&site)?)
    }

    /// A port that the member itself has, or a program that it left, is its own.
    pub(super) fn check_ports(
        &self,
        plan: &MemberPlan,
        running: Option<&MemberReport>,
        owner: &Owner,
    ) -> Result<(), LocalError> {
        let has = |port: &&nova_platform::endpoints::HostPort| {
            !running.is_some_and(|report| report.launch.addresses().any(|address| address == **port))
        };
        for port in plan.ports.iter().filter(has) {
            let Err(reason) = check_free(port) else {
                continue;
            };
            if let PortError::Taken { holder, .. } = &reason {
                let family = Family::new(&self.layout, &plan.name, &plan.children, None);
                let own = Table::read(owner.uid).of(&family);
                if !holder.processes.is_empty() && holder.processes.iter().all(|process| own.contains(process)) {
                    continue;
                }
            }
            return Err(LocalError::Port {
                member: plan.name.clone(),
                reason: Box::new(reason),
            });
        }
        Ok(())
    }
}

/// The members that run, by name.
pub(super) fn running(members: &[MemberReport]) -> BTreeMap<&str, &MemberReport> {
    let runs = members.iter().filter(|member| member.state == RunState::Running);
    runs.map(|member| (member.launch.member.as_str(), member)).collect()
}

/// Where the copies of our own programs are.
struct Copies {
    nova: PathBuf,
    services: BTreeMap<String, PathBuf>,
}

fn copy_programs(layout: &Layout, tools: &Tools, owner: &Owner) -> Result<Copies, LocalError> {
    let mut binaries = Binaries::of(layout);
    let copies = collect(tools, |path| binaries.copy(path, owner))?;
    binaries.save(owner);
    Ok(copies)
}

fn name_programs(layout: &Layout, tools: &Tools) -> Result<Copies, LocalError> {
    let mut binaries = Binaries::of(layout);
    collect(tools, |path| binaries.path(path))
}

fn collect(tools: &Tools, mut place: impl FnMut(&Path) -> std::io::Result<PathBuf>) -> Result<Copies, LocalError> {
    let mut one = |path: &Path| {
        place(path).map_err(|source| LocalError::Binary {
            what: path.display().to_string(),
            source,
        })
    };
    let nova = one(&tools.nova)?;
    let mut services = BTreeMap::new();
    for (name, path) in &tools.services {
        services.insert(name.clone(), one(path)?);
    }
    Ok(Copies { nova, services })
}

fn write_secret_files(layout: &Layout, secrets: &Secrets, owner: &Owner) -> Result<(), LocalError> {
    for (name, secret) in secrets.files() {
        write_atomic(
            &layout.secrets().join(name),
            secret.expose_secret().as_bytes(),
            0o600,
            owner,
        )?;
    }
    Ok(())
}
