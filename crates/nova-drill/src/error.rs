//! Why a drill did not come to an end.

/// Why a drill did not come to an end; what it broke was healed as far as that went.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// What was asked for does not exist, or cannot be done here.
    #[error("{0}")]
    Usage(String),
    /// A drill measures one fault; a platform that has others already is left alone.
    #[error(
        "the platform is not healthy, so nothing was broken: {0}; `nova status` shows it, `nova status --wait` waits"
    )]
    Unhealthy(String),
    /// Something that the drill needs did not work.
    #[error("{0}")]
    Failed(String),
    /// Some writers were heard of no more: the platform did not recover in time.
    #[error("{0}")]
    NotRecovered(String),
    /// Somebody asked it to end.
    #[error("interrupted; what was broken is healed")]
    Interrupted,
}
