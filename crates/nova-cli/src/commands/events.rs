//! `nova events`: asks the desk for events, here or inside the cluster, and prints its answer.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use nova_kubernetes::target::KubernetesTarget;
use nova_platform::desk::{Answer, Desk, Request};
use nova_platform::endpoints::Endpoints;
use nova_platform::secrets::Secrets;
use nova_platform::spec::Spec;
use nova_platform::target::Target;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::place::Place;
use super::{Session, status};
use crate::cli::{Dlq, Events, Format};
use crate::exit::Exit;
use crate::output::{Output, events_text};

/// Time that an answer may take.
const LIMIT: Duration = Duration::from_secs(60);
/// And the end of whoever gave it.
const LAST: Duration = Duration::from_secs(5);

/// What the desk inside a cluster is told.
#[derive(Serialize, Deserialize)]
struct Assignment {
    spec: Spec,
    endpoints: Endpoints,
    request: Request,
}

pub(super) async fn run(session: &Session, action: &Events) -> anyhow::Result<Exit> {
    let request = request(action);
    let Some(place) = session.deployed().await? else {
        return status::print_absent(session);
    };
    let answering = async {
        match &place {
            Place::Local(target, _) => {
                let secrets = Secrets::load(&session.layout()?.secrets_file())?;
                let desk = Desk::new(session.spec(), &target.endpoints(), &secrets)?;
                Ok(desk.answer(&request).await)
            }
            Place::Kubernetes(target) => in_cluster(target, request.clone()).await,
        }
    };
    let answer: anyhow::Result<Answer> = timeout(LIMIT, answering)
        .await
        .with_context(|| format!("no answer within {} s", LIMIT.as_secs()))?;
    match answer? {
        Answer::Refused { why } => bail!(why),
        answer if session.output.format == Format::Json => {
            let mut json = serde_json::to_value(&answer)?;
            json["schema"] = "nova.events/v1".into();
            Output::json(&json)?;
        }
        answer => print!("{}", events_text(session.output, &request, &answer)),
    }
    Ok(Exit::Done)
}

fn request(action: &Events) -> Request {
    match action {
        Events::Topics => Request::Topics,
        Events::Lag => Request::Lag,
        Events::Tail { topic, count } => Request::Tail {
            topic: topic.clone(),
            count: *count,
        },
        Events::Reset { consumer, topic } => Request::Reset {
            consumer: consumer.clone(),
            topic: topic.clone(),
            again: false,
        },
        Events::Replay { consumer, topic } => Request::Reset {
            consumer: consumer.clone(),
            topic: topic.clone(),
            again: true,
        },
        Events::Dlq { action } => match action {
            Dlq::List { consumer } => Request::Letters {
                consumer: consumer.clone(),
            },
            Dlq::Show { consumer, id } => Request::Letter {
                consumer: consumer.clone(),
                id: *id,
            },
            // Without a number it is all of them, which the flag has said.
            Dlq::Redrive { consumer, ids, all: _ } => Request::Redrive {
                consumer: consumer.clone(),
                ids: ids.clone(),
            },
            Dlq::Drop { consumer, ids, all: _ } => Request::Drop {
                consumer: consumer.clone(),
                ids: ids.clone(),
            },
        },
    }
}

/// Asks a program beside the stores.
async fn in_cluster(target: &KubernetesTarget, request: Request) -> anyhow::Result<Answer> {
    // The addresses are those of the pods that are there now.
    target.inspect().await?;
    let assignment = Assignment {
        spec: target.spec().clone(),
        endpoints: target.endpoints(),
        request,
    };
    let mut program = target.agents().start(&["events-desk"], None).await?;
    program.say(&serde_json::to_string(&assignment)?).await?;
    let answer = program.hear().await?;
    program.end(LAST).await?;
    let answer = answer.ok_or_else(|| anyhow!("the desk for events ended without an answer"))?;
    serde_json::from_str(&answer).context("the desk for events answered something else")
}

/// `nova events-desk`: the assignment is a line of standard input, the answer a line of standard output.
pub(super) fn desk(secrets: &Path) -> anyhow::Result<Exit> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let assignment: Assignment = serde_json::from_str(&line).context("the request on standard input is not one")?;
    let secrets = Secrets::from_directory(secrets)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        let desk = Desk::new(&assignment.spec, &assignment.endpoints, &secrets)?;
        Ok::<_, anyhow::Error>(desk.answer(&assignment.request).await)
    });
    // A store that does not answer must not keep it from ending.
    runtime.shutdown_background();
    println!("{}", serde_json::to_string(&answer?)?);
    Ok(Exit::Done)
}
