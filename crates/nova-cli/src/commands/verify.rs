//! `nova verify`: every check, the isolation matrix included.

use std::time::Duration;

use nova_platform::checks::Depth;

use super::{Session, status};
use crate::cli::Format;
use crate::exit::Exit;
use crate::output::{GREEN, Output, RED, table};

/// Time that each check may take.
const LIMIT: Duration = Duration::from_secs(15);

pub(super) async fn run(session: &Session) -> anyhow::Result<Exit> {
    let output = session.output;
    let Some(place) = session.deployed().await? else {
        return status::print_absent(session);
    };
    let looked = place.look(session, Depth::Full, LIMIT, false).await?;
    let found = looked.found.into_iter().map(|(results, _)| results);
    let results: Vec<_> = looked.components.iter().zip(found).collect();
    let ok = results.iter().flat_map(|(_, results)| results).all(|result| result.ok);
    if output.format == Format::Json {
        let components: Vec<_> = results
            .iter()
            .map(|(component, results)| serde_json::json!({"name": component.id, "checks": results}))
            .collect();
        Output::json(&serde_json::json!({"schema": "nova.verify/v1", "ok": ok, "components": components}))?;
    } else {
        let mut rows = Vec::new();
        for (component, results) in &results {
            for result in results {
                let (style, word) = if result.ok { (GREEN, "passed") } else { (RED, "failed") };
                let found = result.error.clone().unwrap_or_else(|| format!("{:.1} ms", result.ms));
                rows.push(vec![
                    output.paint(style, word),
                    component.id.to_string(),
                    result.name.clone(),
                    found,
                ]);
            }
        }
        print!("{}", table(&rows, 0));
    }
    Ok(if ok { Exit::Done } else { Exit::Unhealthy })
}
