//! What a change of the description means for a platform that runs: each setting declares a class beside its type, and no setting can
//! be without one.

mod changes;
mod class;
mod deployed;
mod place;
mod problems;
mod refusal;
mod table;

pub use changes::{Change, changes};
pub use class::{ATTRIBUTE, Class};
pub use deployed::Deployed;
pub use place::Place;
pub use problems::problems;
pub use refusal::Refusal;
pub use table::settings_table;
