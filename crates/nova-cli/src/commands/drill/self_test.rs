//! `nova drill self-test`: proves that the judge sees what is planted, and what a real platform loses.

use nova_drill::self_test;

use super::{Session, control};
use crate::cli::{Format, SelfTest};
use crate::exit::Exit;
use crate::output::{GREEN, Output, RED};

pub(super) async fn run(session: &Session, args: &SelfTest) -> anyhow::Result<Exit> {
    let planted = self_test::run(args.seed);
    let seen = planted.iter().all(|planted| planted.found);
    let output = session.output;
    let text = output.format == Format::Text;
    if text {
        for planted in &planted {
            let id = planted.id.map_or_else(String::new, |id| format!(" (id {id})"));
            println!("{} planted: {}{id}", verdict(output, planted.found), planted.what);
        }
    }
    // A judge that misses what is planted would prove nothing on a platform.
    let control = if seen && !args.planted_only {
        let Some(proof) = control::run(session, args.seed, args.kills).await? else {
            return Ok(Exit::Interrupted);
        };
        if text {
            println!("{} negative control: {}", verdict(output, proof.found), proof.told());
        }
        Some(proof)
    } else {
        None
    };
    let passed = seen && control.as_ref().is_none_or(|proof| proof.found);
    if !text {
        Output::json(&serde_json::json!({
            "schema": "nova.drill-self-test/v1", "seed": args.seed, "passed": passed, "planted": planted, "control": control,
        }))?;
    }
    Ok(if passed { Exit::Done } else { Exit::Failed })
}

fn verdict(output: Output, found: bool) -> String {
    let (style, word) = if found { (GREEN, "ok") } else { (RED, "missed") };
    output.paint(style, &format!("{word:8}"))
}
