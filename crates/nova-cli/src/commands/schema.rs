//! `nova schema`: the JSON Schema of nova.toml, for editors.

use crate::exit::Exit;
use crate::output::Output;

pub(super) fn run() -> anyhow::Result<Exit> {
    Output::json(&nova_platform::schema::json_schema())?;
    Ok(Exit::Done)
}
