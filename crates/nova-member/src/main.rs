//! `nova-member`: becomes a member's program.

fn main() {}
