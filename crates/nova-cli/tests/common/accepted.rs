//! Which reports of `nova drill` an end-to-end test accepts, on every target.

use serde_json::Value;

use crate::call::Call;

/// The report of a drill that did everything it was to do. A busy machine may exceed a budget of time, and nothing else may fail:
/// no write, and no user's request.
#[track_caller]
pub(crate) fn accepted(call: &Call) -> Value {
    let report = call.json();
    if let Some(why) = refusal(&report, call.code) {
        panic!("{why}: {report:#}\n{}", call.stderr);
    }
    report
}

/// Why a report with this exit code is not accepted.
fn refusal(report: &Value, code: i32) -> Option<String> {
    if !report["error"].is_null() {
        return Some(format!("it broke off: {}", report["error"]));
    }
    let Some(drills) = report["drills"].as_array().filter(|drills| !drills.is_empty()) else {
        return Some("nothing was drilled".to_owned());
    };
    let mut failures = Vec::new();
    for drill in drills {
        match drill["failures"].as_array() {
            Some(told) => failures.extend(told),
            None => return Some("a drill does not tell its failures".to_owned()),
        }
    }
    let wrong = failures.iter().find(|failure| failure["kind"] != "over_budget");
    if let Some(failure) = wrong {
        return Some(format!("more failed than a budget of time: {failure}"));
    }
    let (result, wanted) = if failures.is_empty() {
        ("passed", 0)
    } else {
        ("failed", 1)
    };
    let contradicts = report["result"] != result || code != wanted;
    contradicts.then(|| format!("{} and exit code {code} do not fit its failures", report["result"]))
}

mod tests {
    use nova_drill::fault::Fault;
    use nova_drill::record::{Budget, Entry, Header, Outcome, RunReport, StoreReport};
    use nova_drill::report::{CampaignReport, DrillReport};
    use nova_drill::store::Store;
    use serde_json::Value;

    use super::refusal;

    const FAULT_AT: u64 = 10_000;

    /// One run of a service's kill, as the report tells it: a client that asked every 100 ms, and of whose requests these failed.
    fn report(failed: &[u64], budget_ms: u64) -> Value {
        let entry = |id: u64| Entry {
            run: 1,
            store: Store::Requests,
            id,
            writer: 0,
            begun: FAULT_AT + id * 100 - 500,
            ended: FAULT_AT + id * 100 - 490,
            outcome: if failed.contains(&id) {
                Outcome::Failed
            } else {
                Outcome::Acknowledged
            },
        };
        let entries: Vec<Entry> = (0..10).map(entry).collect();
        let entries: Vec<&Entry> = entries.iter().collect();
        let store = StoreReport::of(Store::Requests, &entries, None, FAULT_AT);
        let run = RunReport::of(1, vec!["auth-service-1".to_owned()], Some(900), vec![store]);
        let budget = Budget {
            store: Store::Requests,
            ms: budget_ms,
        };
        let drill = DrillReport::of(&"auth-service".into(), Fault::Kill, vec![run], &[budget]);
        let report = CampaignReport::of(&Header::new("nova", "local", 7, None), "x", vec![drill]);
        serde_json::to_value(report).unwrap()
    }

    #[test]
    fn a_drill_in_which_a_users_request_failed_is_refused() {
        let report = report(&[6], 5000);
        let why = refusal(&report, 1).unwrap_or_default();
        assert!(why.contains("requests_failed") && why.contains("1 failed"), "{why}");
    }

    #[test]
    fn time_alone_is_forgiven_and_only_where_the_exit_code_says_so_too() {
        let (fine, slow) = (report(&[], 5000), report(&[], 50));
        assert_eq!(slow["drills"][0]["failures"][0]["kind"], "over_budget", "{slow:#}");
        assert_eq!((refusal(&fine, 0), refusal(&slow, 1)), (None, None));
        assert!(refusal(&fine, 1).is_some() && refusal(&slow, 0).is_some());
    }

    #[test]
    fn a_drill_that_broke_off_is_refused_however_its_runs_went() {
        let mut report = report(&[], 5000);
        report["error"] = serde_json::json!({"kind": "not_recovered", "message": "run 2 did not"});
        assert!(refusal(&report, 1).is_some_and(|why| why.contains("run 2 did not")));
    }
}
