//! Where a platform that changes runs.

/// Where the platform runs; a setting of another place changes nothing there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Processes on one machine.
    Local,
    /// A cluster.
    Kubernetes,
}
