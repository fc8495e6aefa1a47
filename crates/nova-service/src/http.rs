//! What every route speaks: problems, extractors that answer with problems, pages, times.

mod caller;
mod client_address;
mod code;
mod extract;
mod idempotency_key;
mod page;
mod problem;
mod timestamp;

pub use caller::Caller;
pub(crate) use caller::bearer;
pub use client_address::ClientAddress;
pub(crate) use client_address::{TrustedProxies, network};
pub use code::{CODES, Code, codes, errors_markdown};
pub use extract::{Json, Path, Query};
pub use idempotency_key::IdempotencyKey;
pub use page::{List, Page};
pub use problem::{FieldError, Problem, ProblemBody};
pub use timestamp::Timestamp;
