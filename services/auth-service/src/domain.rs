//! What an account is made of, without any I/O.

pub mod email;
pub mod password;
pub mod refresh_token;

pub use email::Email;
pub use password::Password;
pub use refresh_token::RefreshToken;
