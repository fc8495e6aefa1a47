//! `nova schema`: the JSON Schema of nova.toml, for editors, or the same as a page for people.

use crate::exit::Exit;
use crate::output::Output;

pub(super) fn run(table: bool) -> anyhow::Result<Exit> {
    if table {
        print!("{}", nova_platform::transition::settings_table());
    } else {
        Output::json(&nova_platform::schema::json_schema())?;
    }
    Ok(Exit::Done)
}
