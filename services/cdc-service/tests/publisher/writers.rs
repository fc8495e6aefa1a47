//! Writers that commit a row and its event in one transaction, or roll both back, and keep a ledger of what was acknowledged; and the
//! judge of what was published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nova_events::Version;
use nova_events::topics::probe::{ProbeEvent, Sent};
use nova_service::Teller;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio::time::sleep;

const TELLER: Teller = Teller::new("/test");

/// Tells probes in one transaction.
pub(crate) async fn tell(pool: &PgPool, probes: &[String]) {
    let mut transaction = pool.begin().await.unwrap();
    for probe in probes {
        let event = ProbeEvent::from(Sent { probe: probe.clone() });
        TELLER.emit(&mut transaction, &event).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

/// Writers at work.
pub(crate) struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Vec<String>>>,
}

impl Writers {
    pub(crate) fn start(pool: &PgPool, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..count)
            .map(|writer| tokio::spawn(write(pool.clone(), writer, stop.clone())))
            .collect();
        Self { stop, tasks }
    }

    /// Ends them; what was acknowledged.
    pub(crate) async fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut acknowledged = Vec::new();
        for task in self.tasks {
            acknowledged.extend(task.await.unwrap());
        }
        acknowledged
    }
}

async fn write(pool: PgPool, writer: usize, stop: Arc<AtomicBool>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut transaction = pool.begin().await.unwrap();
        let fate = number % 5 == 4;
        let mut told = Vec::new();
        // One event, or a few.
        for _ in 0..=number % 3 {
            let probe = format!("{writer}/{number:06}/{}", if fate { "undone" } else { "kept" });
            let event = ProbeEvent::from(Sent { probe: probe.clone() });
            TELLER.emit(&mut transaction, &event).await.unwrap();
            told.push(probe);
            number += 1;
        }
        sqlx::query("insert into written values ($1, $2)")
            .bind(i32::try_from(writer).unwrap())
            .bind(number)
            .execute(&mut *transaction)
            .await
            .unwrap();
        if fate {
            transaction.rollback().await.unwrap();
        } else {
            transaction.commit().await.unwrap();
            acknowledged.extend(told);
        }
        sleep(Duration::from_millis(2)).await;
    }
    acknowledged
}

/// Judges what was published: all that was acknowledged, once, in the order of each writer, and nothing that was undone.
pub(crate) fn judge(acknowledged: &[String], published: &[(Version, String)]) {
    let names: Vec<&str> = published.iter().map(|(_, probe)| probe.as_str()).collect();
    let undone: Vec<_> = names.iter().filter(|name| name.contains("undone")).collect();
    assert!(undone.is_empty(), "rolled back and published: {undone:?}");
    let mut seen = BTreeSet::new();
    let twice: Vec<_> = names.iter().filter(|name| !seen.insert(**name)).collect();
    assert!(twice.is_empty(), "published twice: {twice:?}");
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|name| !seen.contains(name.as_str()))
        .collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(
        published.is_sorted_by(|(one, _), (next, _)| one < next),
        "versions do not grow with what is read"
    );
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for name in names {
        let (writer, rest) = name.split_once('/').unwrap();
        if let Some(before) = last.insert(writer, rest) {
            assert!(before < rest, "writer {writer}: {rest} came after {before}");
        }
    }
}
