//! Processes of this machine: told apart for certain, watched, and ended without a survivor.

mod ending;
mod family;
mod identity;
mod memory;
mod ports;

pub use ending::{Ending, Survivors, end_all, end_member, end_strays, nothing_left, signal_all};
pub use family::{Family, MEMBER_DIRECTORY, MEMBER_NAME, Table};
pub use identity::{Handle, Identity, boot_id};
pub use memory::member_bytes;
pub use ports::{PortError, check_free, is_listening};
