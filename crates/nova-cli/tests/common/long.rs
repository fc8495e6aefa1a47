//! What is long by nature, all of it: `./test` keeps a short form of each, `./test --all` (`NOVA_TEST_ALL=1`) has its full length.

/// A part of a test that takes minutes at full length.
#[derive(Debug, Clone, Copy)]
#[allow(dead_code, reason = "each test program has some of them")]
pub(crate) enum Long {
    /// On one machine every member is killed in turn; in short, one of each component.
    EveryMemberIsKilled,
    /// A service that is called fails in seven ways; in short, in three.
    EveryFaultOfAService,
    /// The disk is full under each store; in short, under PostgreSQL.
    EveryStoresDiskIsFull,
    /// On a cluster every pod is deleted in turn; in short, one of each component.
    EveryPodIsDeleted,
    /// On a cluster every node is drained in turn; in short, one.
    EveryNodeIsDrained,
    /// On a cluster every node loses its power in turn; in short, one.
    EveryNodeLosesItsPower,
    /// On a cluster the autoscaler takes members away again, five minutes after the load; in short, nobody waits for that.
    LoadGoesAgain,
}

impl Long {
    /// Whether this run has all of it.
    pub(crate) fn at_length(self) -> bool {
        let all = std::env::var_os("NOVA_TEST_ALL").is_some_and(|value| value == "1");
        if !all {
            eprintln!("{self:?}: in short; ./test --all does it at length");
        }
        all
    }

    /// All, or the first ones.
    #[allow(dead_code, reason = "each test program has some of them")]
    pub(crate) fn of<T>(self, mut all: Vec<T>, in_short: usize) -> Vec<T> {
        if !self.at_length() {
            all.truncate(in_short);
        }
        all
    }
}
