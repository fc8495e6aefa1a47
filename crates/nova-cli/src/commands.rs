//! The commands, one file each, and what they share: the described platform and its target.

mod cleanup;
mod deploy;
mod diff;
mod doctor;
mod drill;
mod logs;
mod render;
mod schema;
mod secrets;
mod status;
mod verify;

use std::path::Path;

use nova_drill::error::DrillError;
use nova_local::layout::Layout;
use nova_local::target::LocalTarget;
use nova_member::{Place, kafka_start, redis_start, sentinel_start};
use nova_platform::checks::Checks;
use nova_platform::load::{self, Platform};
use nova_platform::secrets::Secrets;
use nova_platform::spec::Spec;
use nova_platform::target::Target;

use crate::cli::{Cli, Command, MemberCommand};
use crate::exit::Exit;
use crate::output::{Output, YELLOW};

/// Carries out what was typed.
pub(crate) fn run(cli: Cli, output: Output) -> anyhow::Result<Exit> {
    // These two become what they start, or live as long as the platform: no description, no terminal.
    match &cli.command {
        Command::Supervise { state } => {
            nova_local::supervisor::run(state)?;
            return Ok(Exit::Done);
        }
        Command::Member { member } => {
            // These end only by becoming the program that they start.
            match member {
                MemberCommand::Redis(member) => redis_start::run(&Place::Directory(member.dir.clone()))?,
                MemberCommand::Sentinel(member) => sentinel_start::run(&Place::Directory(member.dir.clone()))?,
                MemberCommand::Kafka(member) => kafka_start::run(&Place::Directory(member.dir.clone()))?,
            };
        }
        Command::Schema => return schema::run(),
        _ => {}
    }
    let session = Session::open(cli.description().as_deref(), output)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let result = runtime.block_on(async {
        match &cli.command {
            Command::Deploy(args) => deploy::run(&session, args).await,
            Command::Status(args) => status::run(&session, args).await,
            Command::Verify(_) => verify::run(&session).await,
            Command::Doctor(args) => doctor::run(&session, args),
            Command::Logs(args) => logs::run(&session, args).await,
            Command::Cleanup(args) => cleanup::run(&session, args).await,
            Command::Drill(args) => drill::run(&session, args).await,
            Command::Diff(_) => diff::run(&session).await,
            Command::Render(args) => render::run(&session, args),
            Command::Secrets { action } => secrets::run(&session, action),
            Command::Schema | Command::Supervise { .. } | Command::Member { .. } => Ok(Exit::Done),
        }
    });
    // A store that does not answer must not keep the command from ending.
    runtime.shutdown_background();
    result
}

/// The exit code that fits an error.
pub(crate) fn exit_code(error: &anyhow::Error) -> Exit {
    if error.downcast_ref::<load::LoadError>().is_some() || error.downcast_ref::<WrongUsage>().is_some() {
        return Exit::Usage;
    }
    match error.downcast_ref::<DrillError>() {
        Some(DrillError::Usage(_)) => return Exit::Usage,
        Some(DrillError::Unhealthy(_)) => return Exit::Unhealthy,
        Some(DrillError::Interrupted) => return Exit::Interrupted,
        Some(DrillError::Failed(_) | DrillError::NotRecovered(_)) | None => {}
    }
    if error
        .chain()
        .any(|cause| cause.downcast_ref::<nova_local::doctor::Missing>().is_some())
    {
        return Exit::Prerequisites;
    }
    Exit::Failed
}

/// What was typed names something that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUsage(String);

/// One call of `nova`: the described platform, and how to print.
struct Session {
    platform: Platform,
    output: Output,
}

impl Session {
    fn open(description: Option<&Path>, output: Output) -> anyhow::Result<Self> {
        let here = Path::new("nova.toml");
        let platform = load::load(description.or_else(|| here.exists().then_some(here)))?;
        for warning in &platform.warnings {
            eprintln!("{} {warning}", output.paint(YELLOW, "warning:"));
        }
        Ok(Self { platform, output })
    }

    fn spec(&self) -> &Spec {
        &self.platform.spec
    }

    fn name(&self) -> &str {
        &self.platform.spec.platform.name
    }

    fn layout(&self) -> anyhow::Result<Layout> {
        Ok(Layout::of(self.name())?)
    }

    /// The target as the description wants it, with the programs that a deploy needs.
    fn target(&self) -> anyhow::Result<LocalTarget> {
        Ok(LocalTarget::with_tools(self.spec(), doctor::tools(self)?)?)
    }

    /// The target when something is deployed there, to be looked at or removed.
    fn deployed(&self) -> anyhow::Result<Option<LocalTarget>> {
        let target = LocalTarget::open(self.spec())?;
        Ok(target.is_deployed()?.then_some(target))
    }

    fn checks(&self, target: &LocalTarget) -> anyhow::Result<Checks> {
        let secrets = Secrets::load(&self.layout()?.secrets_file())?;
        Ok(Checks::new(self.spec(), &target.endpoints(), &secrets)?)
    }

    /// Components whose name or one of whose members' names is `of`; all for `None`.
    fn members_of(&self, of: Option<&str>) -> Result<Vec<String>, WrongUsage> {
        let components = nova_platform::topology::components(self.spec());
        let members = components.iter().flat_map(|component| &component.members);
        let chosen: Vec<String> = members
            .filter(|member| of.is_none_or(|of| member.name == of || member.component == of))
            .map(|member| member.name.clone())
            .collect();
        if chosen.is_empty() {
            let names: Vec<&str> = components.iter().map(|component| component.name.as_str()).collect();
            let of = of.unwrap_or_default();
            return Err(WrongUsage(format!(
                "unknown component or member {of:?}: there are {}, and their members such as {}-1",
                names.join(", "),
                names.first().copied().unwrap_or("etcd")
            )));
        }
        Ok(chosen)
    }
}
