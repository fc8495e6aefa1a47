//! Hashes passwords: on as many threads as there are cores, with a bounded queue in front, off the async runtime.
//!
//! argon2id is expensive on purpose (19 MiB and some 20 ms of a core). Unbounded, a burst of logins would take all memory
//! and every core; so at most one hash a core runs at a time, a bounded number waits, nobody waits longer than the deadline,
//! and whoever finds the queue full is told at once when to come back.

mod argon2id;
mod queue;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::domain::Password;

pub use argon2id::Cost;
use argon2id::{Argon2id, Memory};
use queue::{Popped, Queue};

/// How the hasher is built.
#[derive(Debug, Clone)]
pub struct HasherConfig {
    /// What one hash costs.
    pub cost: Cost,
    /// How many run at a time.
    pub threads: usize,
    /// How many may wait.
    pub queue: usize,
    /// How long one may wait before it is given up.
    pub deadline: Duration,
    /// After how long without work a thread gives its 19 MiB back.
    pub idle: Duration,
}

/// What a comparison found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The right password, hashed as it should be.
    Match,
    /// The right password, but the hash was made with other costs than today's: store a new one.
    MatchOutdated,
    /// The wrong password, or no such account.
    Mismatch,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many are waiting.
    #[error("too many password checks are waiting")]
    Busy,
    /// The stored hash cannot be read, or the hash function refused its input.
    #[error("could not compute the password hash")]
    Hash(#[source] argon2::password_hash::Error),
    /// The hasher is being shut down.
    #[error("the password hasher has stopped")]
    Stopped,
}

/// The hashing threads. Dropping the last clone ends them.
#[derive(Clone)]
pub struct Hasher(Arc<Inner>);

struct Inner {
    queue: Arc<Queue<Job>>,
    completed: Arc<AtomicU64>,
    deadline: Duration,
}

struct Job {
    work: Work,
    give_up_at: Instant,
    reply: oneshot::Sender<Result<Done, HashError>>,
}

enum Work {
    Hash(Password),
    Verify(Password, Option<String>),
}

enum Done {
    Hashed(String),
    Verified(Verdict),
}

impl Hasher {
    /// Starts the threads.
    pub fn start(config: &HasherConfig) -> anyhow::Result<Self> {
        let algorithm = Arc::new(Argon2id::new(config.cost)?);
        let queue = Arc::new(Queue::new(config.queue));
        let completed = Arc::new(AtomicU64::new(0));
        let inner = Inner {
            queue: queue.clone(),
            completed: completed.clone(),
            deadline: config.deadline,
        };
        let hasher = Self(Arc::new(inner));
        for number in 1..=config.threads {
            let (queue, algorithm, completed, idle) =
                (queue.clone(), algorithm.clone(), completed.clone(), config.idle);
            std::thread::Builder::new()
                .name(format!("hash-{number}"))
                .stack_size(256 * 1024)
                .spawn(move || work(&queue, &algorithm, &completed, idle))?;
        }
        Ok(hasher)
    }

    /// The PHC string to store for a new password.
    pub async fn hash(&self, password: Password) -> Result<String, HashError> {
        match self.submit(Work::Hash(password)).await? {
            Done::Hashed(hash) => Ok(hash),
            Done::Verified(_) => Err(HashError::Stopped),
        }
    }

    /// Compares a password with a stored hash. Without one (no such account) it costs the same and never matches.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<Verdict, HashError> {
        match self.submit(Work::Verify(password, stored)).await? {
            Done::Verified(verdict) => Ok(verdict),
            Done::Hashed(_) => Err(HashError::Stopped),
        }
    }

    /// How often the hash function has run.
    pub fn completed(&self) -> u64 {
        self.0.completed.load(Ordering::Relaxed)
    }

    async fn submit(&self, work: Work) -> Result<Done, HashError> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            work,
            give_up_at: Instant::now() + self.0.deadline,
            reply,
        };
        if self.0.queue.push(job).is_err() {
            metrics::counter!("nova_auth_password_hashes_refused_total").increment(1);
            return Err(HashError::Busy);
        }
        answer.await.map_err(|_| HashError::Stopped)?
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn work(queue: &Queue<Job>, algorithm: &Argon2id, completed: &AtomicU64, idle: Duration) {
    let mut memory = Memory::default();
    loop {
        let wait = if memory.is_held() { Some(idle) } else { None };
        match queue.pop(wait) {
            Popped::Item(job) if job.reply.is_closed() => {}
            Popped::Item(job) if job.give_up_at < Instant::now() => {
                let _ = job.reply.send(Err(HashError::Busy));
            }
            Popped::Item(job) => {
                let started = Instant::now();
                let result = run(job.work, algorithm, &mut memory);
                completed.fetch_add(1, Ordering::Relaxed);
                metrics::histogram!("nova_auth_password_hash_duration_seconds").record(started.elapsed());
                let _ = job.reply.send(result.map_err(HashError::Hash));
            }
            Popped::Nothing => memory.release(),
            Popped::Closed => return,
        }
    }
}

fn run(work: Work, algorithm: &Argon2id, memory: &mut Memory) -> Result<Done, argon2::password_hash::Error> {
    match work {
        Work::Hash(password) => algorithm.hash(&password, memory).map(Done::Hashed),
        Work::Verify(password, stored) => algorithm
            .verify(&password, stored.as_deref(), memory)
            .map(Done::Verified),
    }
}

#[cfg(test)]
mod tests;
