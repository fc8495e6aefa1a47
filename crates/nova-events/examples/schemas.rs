//! Writes the JSON Schemas of all events into `schemas/`, unless one of them would break readers of what is there now:
//! `cargo run --release -p nova-events --example schemas`.

use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use nova_events::schema::{breaks, schemas};

fn main() -> io::Result<ExitCode> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let mut refused = false;
    for (name, now) in schemas() {
        let path = directory.join(format!("{name}.schema.json"));
        if let Ok(text) = fs::read_to_string(&path) {
            let broken = breaks(&serde_json::from_str(&text)?, &now);
            for reason in &broken {
                eprintln!("{name}: {reason}");
            }
            if !broken.is_empty() {
                refused = true;
                continue;
            }
        }
        fs::write(path, format!("{now:#}\n"))?;
    }
    if refused {
        eprintln!("not written: such a change is a new type of event, beside the old one");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
