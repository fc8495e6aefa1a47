//! The commands, one file each, and what they share: the described platform and its target.

mod agent;
mod cleanup;
mod clients;
mod deploy;
mod diff;
mod doctor;
mod drill;
mod events;
mod images;
mod logs;
mod member;
mod place;
mod render;
mod schema;
mod secrets;
mod settings;
mod shell;
mod status;
mod verify;
mod whereabouts;

use std::path::{Path, PathBuf};

use nova_drill::error::DrillError;
use nova_kubernetes::target::KubernetesError;
use nova_local::layout::Layout;
use nova_local::target::LocalTarget;
use nova_member::{Place, etcd_start, kafka_start, redis_start, sentinel_start};
use nova_platform::checks::Checks;
use nova_platform::load::{self, Platform};
use nova_platform::secrets::Secrets;
use nova_platform::spec::{ProfileChoice, Spec};
use nova_platform::target::Target;

use crate::cli::{Cli, Command, MemberCommand, ProfileArg, TargetKind};
use crate::exit::Exit;
use crate::output::{Output, YELLOW};

/// Carries out what was typed.
pub(crate) fn run(cli: Cli, output: Output) -> anyhow::Result<Exit> {
    // These become what they start, or live as long as the platform: no description, no terminal.
    match &cli.command {
        Command::Supervise { state } => {
            nova_local::supervisor::run(state)?;
            return Ok(Exit::Done);
        }
        Command::Agent { listen, secrets, probe } => return agent::run(*listen, secrets, *probe),
        Command::Clients { secrets } => return clients::run(secrets),
        Command::EventsDesk { secrets } => return events::desk(secrets),
        // These end only by becoming the program that they start.
        Command::Member { member } => match member {
            MemberCommand::Redis(member) => {
                redis_start::run(&Place::Directory(member.dir.clone()))?;
            }
            MemberCommand::Sentinel(member) => {
                sentinel_start::run(&Place::Directory(member.dir.clone()))?;
            }
            MemberCommand::Kafka(member) => {
                kafka_start::run(&Place::Directory(member.dir.clone()))?;
            }
            MemberCommand::Etcd(member) => {
                etcd_start::run(&Place::Directory(member.dir.clone()))?;
            }
            MemberCommand::Replace(_) | MemberCommand::Recover(_) => {}
        },
        Command::Schema { of, table } => return schema::run(*of, *table),
        Command::Completion { shell } => return shell::completion(*shell),
        Command::Man { of } => return shell::man(of.as_deref()),
        _ => {}
    }
    let session = Session::open(&cli, output)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let result = runtime.block_on(async {
        match &cli.command {
            Command::Deploy(args) => deploy::run(&session, args).await,
            Command::Status(args) => status::run(&session, args).await,
            Command::Verify(_) => verify::run(&session).await,
            Command::Doctor(args) => doctor::run(&session, args).await,
            Command::Logs(args) => logs::run(&session, args).await,
            Command::Cleanup(args) => cleanup::run(&session, args).await,
            Command::Drill(args) => drill::run(&session, args).await,
            Command::Diff(_) => diff::run(&session).await,
            Command::Images { action } => images::run(&session, action).await,
            Command::Render(args) => render::run(&session, args),
            Command::Events { action } => events::run(&session, action).await,
            Command::Secrets { action } => secrets::run(&session, action).await,
            Command::Member {
                member: MemberCommand::Replace(member),
            } => member::replace(&session, &member.name).await,
            Command::Member {
                member: MemberCommand::Recover(member),
            } => member::recover(&session, &member.name).await,
            Command::Schema { .. }
            | Command::Completion { .. }
            | Command::Man { .. }
            | Command::Agent { .. }
            | Command::Clients { .. }
            | Command::EventsDesk { .. }
            | Command::Supervise { .. }
            | Command::Member { .. } => Ok(Exit::Done),
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
        // What the target itself could not do may still say more.
        Some(_) | None => {}
    }
    if error
        .chain()
        .any(|cause| cause.downcast_ref::<nova_local::doctor::Missing>().is_some())
    {
        return Exit::Prerequisites;
    }
    if is_clusters_fault(error) || images::is_prerequisite(error) {
        return Exit::Prerequisites;
    }
    Exit::Failed
}

/// Whether a cluster lacks what was needed, or is not there at all.
fn is_clusters_fault(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let away = matches!(
            cause.downcast_ref(),
            Some(
                KubernetesError::Kubeconfig(_)
                    | KubernetesError::Context { .. }
                    | KubernetesError::Silent { .. }
                    | KubernetesError::Forbidden { .. }
            )
        );
        away || cause
            .downcast_ref::<nova_kubernetes::target::preflight::Lacking>()
            .is_some()
    })
}

/// What was typed names something that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUsage(String);

/// One call of `nova`: the described platform, where it runs, and how to print.
struct Session {
    platform: Platform,
    kind: TargetKind,
    output: Output,
    /// Where the description was read from.
    source: Option<PathBuf>,
}

impl Session {
    fn open(cli: &Cli, output: Output) -> anyhow::Result<Self> {
        let here = Path::new("nova.toml");
        let description = cli.description();
        let source = description.or_else(|| here.exists().then(|| here.to_owned()));
        let mut platform = load::load(source.as_deref())?;
        for warning in &platform.warnings {
            eprintln!("{} {warning}", output.paint(YELLOW, "warning:"));
        }
        if let Some(profile) = cli.profile() {
            platform.spec.kubernetes.profile = match profile {
                ProfileArg::Auto => ProfileChoice::Auto,
                ProfileArg::Production => ProfileChoice::Production,
                ProfileArg::Small => ProfileChoice::Small,
            };
        }
        let name = &platform.spec.platform.name;
        let kind = cli.global.target.unwrap_or_else(|| whereabouts::remembered(name));
        Ok(Self {
            platform,
            kind,
            output,
            source,
        })
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

    /// The local target when something is deployed there, to be looked at or removed.
    fn deployed_here(&self) -> anyhow::Result<Option<LocalTarget>> {
        let target = LocalTarget::open(self.spec())?;
        Ok(target.is_deployed()?.then_some(target))
    }

    fn checks(&self, target: &LocalTarget) -> anyhow::Result<Checks> {
        let secrets = Secrets::load(&self.layout()?.secrets_file())?;
        Ok(Checks::new(self.spec(), &target.endpoints(), &secrets)?)
    }
}
