//! `nova schema`: the JSON Schema of nova.toml, for editors, or the same as a page for people; and of reports, for programs that read them.

use crate::cli::SchemaOf;
use crate::exit::Exit;
use crate::output::Output;

pub(super) fn run(of: SchemaOf, table: bool) -> anyhow::Result<Exit> {
    if table {
        print!("{}", nova_platform::transition::settings_table());
        return Ok(Exit::Done);
    }
    Output::json(&match of {
        SchemaOf::Description => nova_platform::schema::json_schema(),
        SchemaOf::Status => nova_platform::status::json_schema(),
        SchemaOf::Drill => nova_drill::report::json_schema(),
    })?;
    Ok(Exit::Done)
}
