//! Several things that are looked at on one platform: the failure of one does not hide the others.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What was looked at so far.
#[derive(Default)]
pub(crate) struct Scenarios {
    failed: Vec<String>,
}

impl Scenarios {
    /// Looks at one thing; the panic of what fails is printed, and told by `judge`.
    pub(crate) fn run(&mut self, name: &str, scenario: impl FnOnce()) {
        let begin = std::time::Instant::now();
        let result = catch_unwind(AssertUnwindSafe(scenario));
        let seconds = begin.elapsed().as_secs_f64();
        eprintln!("{name}: {seconds:.1} s{}", if result.is_ok() { "" } else { ", FAILED" });
        if result.is_err() {
            self.failed.push(name.to_owned());
        }
    }

    /// Fails when anything failed.
    #[track_caller]
    pub(crate) fn judge(self) {
        assert!(
            self.failed.is_empty(),
            "failed, each by its panic above: {}",
            self.failed.join("; ")
        );
    }
}
