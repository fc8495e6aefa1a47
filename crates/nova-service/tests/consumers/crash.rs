//! A member killed at every point of its life: a process of its own that dies there, or is frozen and comes back.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use nova_service::config::{Address, KafkaConfig, PostgresConfig, SecretFile};
use nova_service::consumer::{Consumer, Guard, Point};
use serde::{Deserialize, Serialize};

use super::support::{Bench, member, until};

/// What the child is told.
const TOLD: &str = "NOVA_TEST_CONSUMER";
const EVENTS: i64 = 30;

/// Everything that another process needs to be a member.
#[derive(Serialize, Deserialize)]
struct Told {
    name: String,
    topic: String,
    kafka: String,
    postgres: String,
    database: String,
    /// At which point it dies, at the how-manieth time; nowhere when empty.
    point: String,
    count: usize,
    frozen: bool,
    /// A line for each point that it reached.
    notes: PathBuf,
}

/// Not a test: the child process of those below. Without being told it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(told) = std::env::var(TOLD) else { return };
    let told: Told = serde_json::from_str(&told).unwrap();
    let kafka = KafkaConfig {
        brokers: vec![told.kafka.parse().unwrap()],
    };
    let primary: Address = told.postgres.parse().unwrap();
    let (user, owner) = ("shop_app".to_owned(), "shop_owner".to_owned());
    let database = PostgresConfig {
        replicas: primary.clone(),
        primary,
        database: told.database.clone(),
        schema: "shop".to_owned(),
        password: SecretFile::from_text(&user),
        user,
        owner_password: SecretFile::from_text(&owner),
        owner,
        pool: 5,
        acquire_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(8),
    };
    let (name, topic): (&'static str, &'static str) = (
        Box::leak(told.name.clone().into_boxed_str()),
        Box::leak(told.topic.clone().into_boxed_str()),
    );
    let reached = AtomicUsize::new(0);
    let hook = move |point: Point| {
        let point = format!("{point:?}");
        note(&told.notes, &point);
        if point == told.point && reached.fetch_add(1, Ordering::Relaxed) + 1 == told.count {
            if told.frozen {
                let id = std::process::id().to_string();
                Command::new("kill").args(["-STOP", &id]).status().unwrap();
            } else {
                std::process::abort();
            }
        }
        async {}.boxed()
    };
    // Without the chassis's guard, so that nothing but the transaction keeps an event from a second effect.
    let change = |consumer: Consumer| consumer.guard(Guard::Handler).at_each_step(hook);
    let _member = member(name, topic, &kafka, &database, change).await;
    std::future::pending::<()>().await;
}

fn note(notes: &Path, line: &str) {
    use std::io::Write;
    let mut file = std::fs::File::options().create(true).append(true).open(notes).unwrap();
    writeln!(file, "{line}").unwrap();
}

/// A member in a process of its own, which ends with this value.
struct Process {
    child: Child,
    notes: PathBuf,
    _directory: tempfile::TempDir,
}

impl Process {
    fn start(bench: &Bench<'_>, dies_at: Option<(Point, usize)>, frozen: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let notes = directory.path().join("notes");
        let config = bench.database.config();
        let told = Told {
            name: bench.name.to_owned(),
            topic: bench.topic.to_owned(),
            kafka: bench.kafka.config().bootstrap(),
            postgres: config.primary.to_string(),
            database: config.database,
            point: dies_at.map(|(point, _)| format!("{point:?}")).unwrap_or_default(),
            count: dies_at.map_or(0, |(_, count)| count),
            frozen,
            notes: notes.clone(),
        };
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--nocapture"])
            .env(TOLD, serde_json::to_string(&told).unwrap())
            // Where a core goes, if one is written.
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            notes,
            _directory: directory,
        }
    }

    async fn until_dead(&mut self, what: &str) {
        let child = std::sync::Mutex::new(&mut self.child);
        until(&format!("the member to die at {what}"), async || {
            child.lock().unwrap().try_wait().unwrap().is_some()
        })
        .await;
    }

    /// How often it reached a point.
    fn reached(&self, point: Point) -> usize {
        let notes = std::fs::read_to_string(&self.notes).unwrap_or_default();
        notes.lines().filter(|line| **line == *format!("{point:?}")).count()
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    async fn until_frozen(&self) {
        let stat = format!("/proc/{}/stat", self.child.id());
        until("the member to freeze", async || {
            let stat = std::fs::read_to_string(&stat).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        })
        .await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn write(bench: &Bench<'_>, numbers: std::ops::Range<i64>) {
    let events: Vec<_> = numbers
        .map(|number| {
            let partition = i32::try_from(number % 2).unwrap();
            bench.event(partition, &format!("key {partition}"), number)
        })
        .collect();
    bench.write(&events).await;
}

async fn assert_once(bench: &Bench<'_>, what: &str, count: i64) {
    for partition in 0..2 {
        let wanted: Vec<i64> = (0..count).filter(|number| number % 2 == partition).collect();
        assert_eq!(bench.of(&format!("key {partition}")).await, wanted, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_dies_anywhere_costs_no_event_and_repeats_none() {
    let points = [
        (Point::Assigned, 1),
        (Point::Fetched, 2),
        (Point::Handled, 2),
        (Point::Committing, 2),
        (Point::Committed, 2),
    ];
    join_all(points.map(async |dies_at| {
        let what = format!("{dies_at:?}");
        let bench = Bench::shared(2).await;
        write(&bench, 0..EVENTS).await;
        let mut first = Process::start(&bench, Some(dies_at), false);
        first.until_dead(&what).await;
        let before = bench.effects().await.len();
        assert!(
            before < usize::try_from(EVENTS).unwrap(),
            "{what} came too late to tell anything"
        );
        let second = Process::start(&bench, None, false);
        bench.until_effects(usize::try_from(EVENTS).unwrap()).await;
        assert_once(&bench, &what, EVENTS).await;
        drop(second);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_dies_while_partitions_move_costs_no_event_and_repeats_none() {
    let bench = Bench::shared(2).await;
    write(&bench, 0..EVENTS).await;
    let mut first = Process::start(&bench, Some((Point::Revoked, 1)), false);
    until("the first member to be at work", async || {
        first.reached(Point::Committed) > 0
    })
    .await;
    let second = Process::start(&bench, None, false);
    write(&bench, EVENTS..2 * EVENTS).await;
    first.until_dead("Revoked").await;
    bench.until_effects(usize::try_from(2 * EVENTS).unwrap()).await;
    assert_once(&bench, "Revoked", 2 * EVENTS).await;
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_member_that_comes_back_has_no_effect() {
    let bench = Bench::shared(2).await;
    write(&bench, 0..EVENTS).await;
    // With a batch in its hands, whose events are not applied.
    let first = Process::start(&bench, Some((Point::Fetched, 2)), true);
    first.until_frozen().await;
    let second = Process::start(&bench, None, false);
    bench.until_effects(usize::try_from(EVENTS).unwrap()).await;
    let (assigned, committed) = (first.reached(Point::Assigned), first.reached(Point::Committed));
    first.signal("-CONT");
    // It learns that it lost its partitions, by PostgreSQL or by Kafka, and is given some again.
    until("the frozen member to be given a partition", async || {
        first.reached(Point::Assigned) > assigned
    })
    .await;
    write(&bench, EVENTS..2 * EVENTS).await;
    bench.until_effects(usize::try_from(2 * EVENTS).unwrap()).await;
    assert_once(&bench, "frozen", 2 * EVENTS).await;
    until("the frozen member to be of use again", async || {
        first.reached(Point::Committed) > committed
    })
    .await;
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_dies_in_a_redrive_costs_no_event_and_repeats_none() {
    join_all([(Point::Redriving, 2), (Point::Redriven, 2)].map(async |dies_at| {
        let what = format!("{dies_at:?}");
        let bench = Bench::shared(2).await;
        for number in [0, 1] {
            bench.break_event(number, "permanent").await;
        }
        write(&bench, 0..EVENTS).await;
        let mut first = Process::start(&bench, Some(dies_at), false);
        until("all to be put aside", async || {
            bench.letters().await.len() == usize::try_from(EVENTS).unwrap()
        })
        .await;
        bench.mend().await;
        bench.ask_for_redrive().await;
        first.until_dead(&what).await;
        let before = bench.effects().await.len();
        assert!(
            (1..EVENTS).contains(&i64::try_from(before).unwrap()),
            "{what}: {before}"
        );
        let second = Process::start(&bench, None, false);
        bench.until_effects(usize::try_from(EVENTS).unwrap()).await;
        assert_once(&bench, &what, EVENTS).await;
        assert_eq!(bench.letters().await, []);
        drop(second);
    }))
    .await;
}
