//! The rollout's order, failures and ends, against a target that lives in memory.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Event, Failure, Outcome, Prober, Reason, rollout};
use crate::components::ComponentId;
use crate::endpoints::Endpoints;
use crate::probe::{Check, CheckKind, CheckResult, MemberRole};
use crate::target::{Action, Harm, LogQuery, MemberStatus, Plan, PlanStep, Removal, RunState, Target};
use crate::topology::Component;

#[derive(Debug, thiserror::Error)]
#[error("port 1 is taken")]
struct Taken;

/// What the fakes below do with a component.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Works,
    NeverPasses,
    Crashes,
    CannotStart,
    CannotRun,
    FailsOnceChanged,
    WorksOnceApplied,
    /// It serves, and its first member does not.
    LacksAMember,
    /// Its check fails, and says how long it was given.
    TakesItsTime,
}

struct Fake {
    fates: BTreeMap<&'static str, Fate>,
    rolls_itself: bool,
    members_wait: bool,
    stages: bool,
    /// How often staging is not done yet.
    refusals: Mutex<u32>,
    log: Mutex<Vec<String>>,
}

impl Fake {
    fn new(fates: &[(&'static str, Fate)]) -> Self {
        Self {
            fates: fates.iter().copied().collect(),
            rolls_itself: false,
            members_wait: false,
            stages: false,
            refusals: Mutex::default(),
            log: Mutex::default(),
        }
    }

    fn note(&self, line: String) {
        self.log.lock().unwrap().push(line);
    }

    fn applied(&self) -> Vec<String> {
        self.log
            .lock()
            .unwrap()
            .iter()
            .filter_map(|line| line.strip_prefix("apply ").map(str::to_owned))
            .collect()
    }
}

impl Target for Fake {
    type Error = Taken;

    fn endpoints(&self) -> Endpoints {
        unreachable!("the fake prober needs no address")
    }

    async fn plan(&self) -> Result<Plan, Taken> {
        Ok(Plan::default())
    }

    async fn apply(&self, component: &ComponentId) -> Result<(), Taken> {
        self.note(format!("apply {component}"));
        if self.fates[component.as_str()] == Fate::CannotStart {
            Err(Taken)
        } else {
            Ok(())
        }
    }

    async fn apply_member(&self, member: &str) -> Result<(), Taken> {
        self.note(format!("change {member}"));
        Ok(())
    }

    async fn prune(&self) -> Result<(), Taken> {
        Ok(())
    }

    async fn inspect(&self) -> Result<Vec<MemberStatus>, Taken> {
        let started = self.applied();
        let member = |(name, fate): (&&str, &Fate)| MemberStatus {
            name: format!("{name}-1"),
            component: (*name).into(),
            node: "node-1".to_owned(),
            state: if *fate == Fate::CannotRun {
                RunState::Failed
            } else {
                RunState::Running
            },
            pid: None,
            started_at_ms: None,
            restarts: if *fate == Fate::Crashes && started.contains(&(*name).to_owned()) {
                7
            } else {
                0
            },
            last_exit: match fate {
                Fate::Crashes => Some("exit status 1".to_owned()),
                Fate::CannotRun => Some("no such image".to_owned()),
                _ => None,
            },
            memory_bytes: None,
        };
        Ok(self.fates.iter().map(member).collect())
    }

    async fn logs(&self, member: &str, query: &LogQuery) -> Result<Vec<String>, Taken> {
        Ok(vec![format!(
            "{member} {}",
            if query.previous { "before" } else { "now" }
        )])
    }

    async fn events(&self, component: &ComponentId) -> Vec<String> {
        vec![format!("{component}: seen by the target")]
    }

    fn rolls_itself(&self) -> bool {
        self.rolls_itself
    }

    fn members_wait(&self) -> bool {
        self.members_wait
    }

    async fn harm(&self, _: &[String], _: Harm) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn heal(&self) -> Result<Vec<String>, Self::Error> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: bool) -> Result<Removal, Taken> {
        Ok(Removal::default())
    }
}

impl Prober for Fake {
    async fn stage(&self, component: &ComponentId, _: Duration) -> Result<Vec<String>, String> {
        let mut refusals = self.refusals.lock().unwrap();
        if *refusals > 0 {
            *refusals -= 1;
            return Err("not written yet".to_owned());
        }
        drop(refusals);
        if self.stages {
            self.note(format!("stage {component}"));
        }
        Ok(Vec::new())
    }

    async fn prepare(&self, _: &ComponentId, _: Duration) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    async fn check(&self, component: &ComponentId, limit: Duration) -> Vec<CheckResult> {
        let failed = |check: Check, error: String| CheckResult::of(check, Duration::ZERO, Err(error));
        let saw = |prefix| self.log.lock().unwrap().iter().any(|line| line.starts_with(prefix));
        let ok = match self.fates[component.as_str()] {
            Fate::Works => true,
            Fate::FailsOnceChanged => !saw("change"),
            Fate::WorksOnceApplied => saw("apply"),
            Fate::LacksAMember => {
                let works = CheckResult::of(CheckKind::WriteRead, Duration::ZERO, Ok(()));
                return vec![
                    works,
                    failed(
                        CheckKind::ReplicaRead.of_member(&format!("{component}-1")),
                        "refused".to_owned(),
                    ),
                ];
            }
            Fate::TakesItsTime => {
                tokio::time::sleep(limit).await;
                return vec![failed(
                    CheckKind::WriteRead.into(),
                    format!("nothing within {} ms", limit.as_millis()),
                )];
            }
            Fate::NeverPasses | Fate::Crashes | Fate::CannotStart | Fate::CannotRun => false,
        };
        self.note(format!("check {component}"));
        let verdict = ok.then_some(()).ok_or_else(|| "refused".to_owned());
        vec![CheckResult::of(CheckKind::WriteRead, Duration::ZERO, verdict)]
    }

    async fn roles(&self, component: &ComponentId, _: Duration) -> Vec<MemberRole> {
        let member = |(number, role): (u8, &str)| MemberRole {
            member: format!("{component}-{number}"),
            role: Some(role.to_owned()),
            lag_bytes: None,
        };
        [(1, "leader"), (2, "replica"), (3, "replica")]
            .into_iter()
            .map(member)
            .collect()
    }
}

/// All three members of a component differ from what is wanted.
fn all_change(component: &str) -> Plan {
    let step = |number| PlanStep {
        member: format!("{component}-{number}"),
        component: component.into(),
        action: Action::Change,
        reason: None,
    };
    Plan {
        steps: (1..=3).map(step).collect(),
    }
}

fn component(name: &str, needs: &[&str]) -> Component {
    let needs = needs.iter().map(|need| (*need).into()).collect();
    Component {
        id: name.into(),
        needs,
        members: Vec::new(),
    }
}

async fn run(fake: &Fake, components: &[Component], cancel: CancellationToken) -> Result<Outcome, Box<Failure>> {
    run_plan(fake, components, &Plan::default(), cancel).await
}

async fn run_plan(
    fake: &Fake,
    components: &[Component],
    plan: &Plan,
    cancel: CancellationToken,
) -> Result<Outcome, Box<Failure>> {
    let (events, _) = mpsc::unbounded_channel::<Event>();
    rollout(fake, fake, components, plan, events, cancel, Duration::from_secs(30)).await
}

#[tokio::test(start_paused = true)]
async fn a_component_starts_when_what_it_needs_has_passed() {
    let fake = Fake::new(&[
        ("etcd", Fate::Works),
        ("postgres", Fate::Works),
        ("service", Fate::Works),
    ]);
    let components = [
        component("service", &["postgres"]),
        component("postgres", &["etcd"]),
        component("etcd", &[]),
    ];
    let outcome = run(&fake, &components, CancellationToken::new()).await.unwrap();
    assert_eq!(outcome.timings.len(), 3);
    let log = fake.log.lock().unwrap().clone();
    assert_eq!(
        log,
        [
            "apply etcd",
            "check etcd",
            "apply postgres",
            "check postgres",
            "apply service",
            "check service"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_fails_fast_with_logs_and_names_what_was_skipped() {
    let fake = Fake::new(&[("etcd", Fate::Crashes), ("postgres", Fate::Works)]);
    let components = [component("etcd", &[]), component("postgres", &["etcd"])];
    let failure = run(&fake, &components, CancellationToken::new()).await.unwrap_err();
    assert_eq!(failure.member.as_deref(), Some("etcd-1"));
    assert_eq!(
        failure.reason,
        Reason::CrashLoop {
            restarts: 7,
            last_exit: "exit status 1".to_owned()
        }
    );
    assert_eq!(failure.skipped, [ComponentId::Postgres]);
    assert_eq!(failure.logs.len(), 2);
    assert_eq!(fake.applied(), ["etcd"]);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_never_ran_is_not_told_as_one_that_keeps_ending() {
    let fake = Fake::new(&[("etcd", Fate::CannotRun)]);
    let failure = run(&fake, &[component("etcd", &[])], CancellationToken::new())
        .await
        .unwrap_err();
    assert_eq!(failure.reason, Reason::CannotStart("no such image".to_owned()));
    assert_eq!(failure.to_string(), "etcd-1: it cannot start: no such image");
    assert_eq!(
        failure.events,
        [
            "etcd-1: failed, 0 restarts, last end: no such image",
            "etcd: seen by the target"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_target_that_rolls_itself_is_asked_once() {
    let fake = Fake {
        rolls_itself: true,
        ..Fake::new(&[("postgres", Fate::Works)])
    };
    let plan = all_change("postgres");
    run_plan(&fake, &[component("postgres", &[])], &plan, CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(*fake.log.lock().unwrap(), ["apply postgres", "check postgres"]);
}

/// A service on a store, on a target whose new members wait for each other.
async fn with_waiting_members(plan: &Plan) -> Vec<String> {
    let fake = Fake {
        members_wait: true,
        ..Fake::new(&[("redis", Fate::Works), ("service", Fate::Works)])
    };
    let components = [component("service", &["redis"]), component("redis", &[])];
    run_plan(&fake, &components, plan, CancellationToken::new())
        .await
        .unwrap();
    fake.log.into_inner().unwrap()
}

#[tokio::test(start_paused = true)]
async fn new_members_that_wait_are_started_ahead_and_proved_in_order() {
    let log = with_waiting_members(&Plan::default()).await;
    assert_eq!(log, ["apply service", "apply redis", "check redis", "check service"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_there_already_changes_in_the_order_of_the_graph() {
    let mut plan = all_change("service");
    plan.steps.truncate(1);
    let log = with_waiting_members(&plan).await;
    assert_eq!(log, ["apply redis", "check redis", "apply service", "check service"]);
}

#[test]
fn ends_ahead_of_what_was_needed_are_forgiven_but_not_forgotten() {
    let restarts = |list: &[(&str, u32)]| list.iter().map(|(name, of)| ((*name).to_owned(), *of)).collect();
    let applied = restarts(&[("steady", 4), ("once", 4), ("often", 4)]);
    let now = restarts(&[("steady", 4), ("once", 5), ("often", 9)]);
    // Three restarts are a loop: three more of the first, two of the second, one of the last.
    let expected = restarts(&[("steady", 4), ("once", 4), ("often", 7)]);
    assert_eq!(super::forgiven(&applied, now), expected);
}

#[tokio::test(start_paused = true)]
async fn what_the_target_cannot_start_is_the_reason() {
    let fake = Fake::new(&[("etcd", Fate::CannotStart), ("redis", Fate::NeverPasses)]);
    let components = [component("etcd", &[]), component("redis", &[])];
    let failure = run(&fake, &components, CancellationToken::new()).await.unwrap_err();
    assert_eq!(
        (failure.component.as_str(), failure.reason),
        ("etcd", Reason::Target("port 1 is taken".to_owned()))
    );
    assert!(!failure.interrupted);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_pass_in_time_names_the_failing_check() {
    let fake = Fake::new(&[("etcd", Fate::NeverPasses)]);
    let failure = run(&fake, &[component("etcd", &[])], CancellationToken::new())
        .await
        .unwrap_err();
    assert_eq!(failure.reason, Reason::TimedOut(Duration::from_secs(30)));
    let (component, check) = &failure.failing[0];
    assert_eq!((component.as_str(), check.error.as_deref()), ("etcd", Some("refused")));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_rollout_starts_nothing_new() {
    let fake = Fake::new(&[("etcd", Fate::NeverPasses), ("postgres", Fate::Works)]);
    let components = [component("etcd", &[]), component("postgres", &["etcd"])];
    let cancel = CancellationToken::new();
    let user = cancel.clone();
    let (failure, ()) = tokio::join!(run(&fake, &components, cancel), async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        user.cancel();
    });
    let failure = failure.unwrap_err();
    assert!(failure.interrupted);
    assert_eq!(failure.skipped, [ComponentId::Postgres]);
    assert_eq!(fake.applied(), ["etcd"]);
}

#[tokio::test(start_paused = true)]
async fn members_of_what_serves_change_one_after_another_the_leader_last() {
    let fake = Fake::new(&[("postgres", Fate::Works)]);
    let components = [component("postgres", &[])];
    let plan = all_change("postgres");
    run_plan(&fake, &components, &plan, CancellationToken::new())
        .await
        .unwrap();
    let log = fake.log.lock().unwrap().clone();
    assert_eq!(
        log,
        [
            "check postgres",
            "change postgres-2",
            "check postgres",
            "change postgres-3",
            "check postgres",
            "change postgres-1",
            "check postgres",
            "apply postgres",
            "check postgres"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_next_member_waits_until_the_one_before_has_proved_itself() {
    let fake = Fake::new(&[("postgres", Fate::FailsOnceChanged)]);
    let components = [component("postgres", &[])];
    let plan = all_change("postgres");
    let failure = run_plan(&fake, &components, &plan, CancellationToken::new())
        .await
        .unwrap_err();
    assert_eq!(failure.reason, Reason::TimedOut(Duration::from_secs(30)));
    let log = fake.log.lock().unwrap().clone();
    let changed: Vec<&String> = log.iter().filter(|line| line.starts_with("change")).collect();
    assert_eq!(changed, ["change postgres-2"]);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_serve_changes_at_once() {
    let fake = Fake::new(&[("postgres", Fate::WorksOnceApplied)]);
    let components = [component("postgres", &[])];
    let plan = all_change("postgres");
    run_plan(&fake, &components, &plan, CancellationToken::new())
        .await
        .unwrap();
    let log = fake.log.lock().unwrap().clone();
    assert_eq!(log, ["check postgres", "apply postgres", "check postgres"]);
}

#[tokio::test(start_paused = true)]
async fn a_component_without_one_member_does_not_hold_up_what_needs_it() {
    let fake = Fake::new(&[("postgres", Fate::LacksAMember), ("service", Fate::Works)]);
    let components = [component("postgres", &[]), component("service", &["postgres"])];
    let outcome = run(&fake, &components, CancellationToken::new()).await.unwrap();
    assert_eq!(fake.applied(), ["postgres", "service"]);
    let [degraded] = &outcome.degraded[..] else {
        panic!("{:?}", outcome.degraded);
    };
    assert_eq!(
        (degraded.component.as_str(), degraded.member.as_deref()),
        ("postgres", Some("postgres-1"))
    );
    assert_eq!(degraded.failing[0].name, "replica-read postgres-1");
    assert_eq!(degraded.logs[1].lines, ["postgres-1 now"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_breaks_a_member_is_no_mere_degradation() {
    let fake = Fake {
        rolls_itself: true,
        ..Fake::new(&[("postgres", Fate::LacksAMember), ("service", Fate::Works)])
    };
    let components = [component("postgres", &[]), component("service", &["postgres"])];
    let plan = all_change("postgres");
    let failure = run_plan(&fake, &components, &plan, CancellationToken::new())
        .await
        .unwrap_err();
    assert_eq!(failure.reason, Reason::TimedOut(Duration::from_secs(30)));
    assert_eq!(fake.applied(), ["postgres"]);
    assert_eq!(failure.logs[0].member, "postgres-1", "whom the failing check is about");
}

#[tokio::test(start_paused = true)]
async fn what_failed_before_a_change_may_fail_after_it() {
    let fake = Fake::new(&[("postgres", Fate::LacksAMember), ("service", Fate::Works)]);
    let components = [component("postgres", &[]), component("service", &["postgres"])];
    let plan = all_change("postgres");
    let outcome = run_plan(&fake, &components, &plan, CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(outcome.degraded.len(), 1);
    assert_eq!(fake.applied(), ["postgres", "service"]);
}

#[tokio::test(start_paused = true)]
async fn a_check_is_told_as_it_failed_in_a_whole_round() {
    let fake = Fake::new(&[("etcd", Fate::TakesItsTime)]);
    let failure = run(&fake, &[component("etcd", &[])], CancellationToken::new())
        .await
        .unwrap_err();
    let [(_, check)] = &failure.failing[..] else {
        panic!("{:?}", failure.failing);
    };
    assert_eq!(check.error.as_deref(), Some("nothing within 5000 ms"));
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_component_changes_before_it_is_staged() {
    let fake = Fake {
        stages: true,
        refusals: Mutex::new(3),
        ..Fake::new(&[("redis", Fate::Works), ("etcd", Fate::Works)])
    };
    let components = [component("redis", &[]), component("etcd", &[])];
    run_plan(&fake, &components, &all_change("redis"), CancellationToken::new())
        .await
        .unwrap();
    let log = fake.log.lock().unwrap().clone();
    let of_redis: Vec<&str> = log
        .iter()
        .map(String::as_str)
        .filter(|line| line.contains("redis") && !line.starts_with("check"))
        .collect();
    assert_eq!(of_redis[..2], ["stage redis", "change redis-2"]);
    assert!(!log.contains(&"stage etcd".to_owned()), "nothing of it changes");
}
