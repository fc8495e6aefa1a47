//! auth-service.
fn main() {}
