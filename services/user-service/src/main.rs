//! user-service.
fn main() {}
