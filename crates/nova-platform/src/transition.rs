//! What a change of the description means for a platform that runs: each setting declares a class beside its type, and no setting can
//! be without one.

mod changes;
mod class;
mod deployed;
mod refusal;
mod table;

pub use changes::{Change, Place, changes};
pub use class::{ATTRIBUTE, Class};
pub use deployed::Deployed;
pub use refusal::{Refusal, problems};
pub use table::settings_table;
