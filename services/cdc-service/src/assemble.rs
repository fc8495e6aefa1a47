//! What is published together: whole transactions of the log in their order, as many as came within a moment, or a part of one that is
//! too large. What was published before is passed over here, by its place in the log.

use nova_events::{Partial, Position, REJECTED, Version, Written, topic};

/// How much is published together.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Records.
    pub events: usize,
    /// Bytes of their keys and bodies.
    pub bytes: usize,
}

/// One record for Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it goes.
    pub topic: &'static str,
    /// What it tells of; none for what was no event.
    pub key: Option<String>,
    /// Its envelope and version.
    pub headers: Vec<(&'static str, String)>,
    /// Its data.
    pub body: Vec<u8>,
}

/// What is published by one transaction of Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// In the order of the log.
    pub records: Vec<Record>,
    /// What will have been published then.
    pub position: Position,
    /// Transactions that end in it.
    pub transactions: u64,
    /// When the first of them was committed, in microseconds since 2000.
    pub oldest: Option<i64>,
}

#[derive(Debug)]
struct Open {
    commit_lsn: u64,
    time: i64,
    /// The number of its next event.
    ordinal: u32,
    /// The first that was not published.
    from: u32,
    /// It was published as a whole.
    known: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Assembler {
    limits: Limits,
    /// What was handed out, and what is complete beyond that.
    position: Position,
    open: Option<Open>,
    records: Vec<Record>,
    bytes: usize,
    transactions: u64,
    oldest: Option<i64>,
}

impl Assembler {
    /// Goes on after `position`.
    #[must_use]
    pub fn new(position: Position, limits: Limits) -> Self {
        Self {
            limits,
            position,
            open: None,
            records: Vec::new(),
            bytes: 0,
            transactions: 0,
            oldest: None,
        }
    }

    /// A transaction begins whose commit record begins at `commit_lsn`.
    pub fn begin(&mut self, commit_lsn: u64, time: i64) {
        let partial = self.position.partial.filter(|partial| partial.commit_lsn == commit_lsn);
        self.open = Some(Open {
            commit_lsn,
            time,
            ordinal: 0,
            from: partial.map_or(0, |partial| partial.next),
            known: commit_lsn < self.position.lsn,
        });
    }

    /// An event of the open transaction. `Err` says why it is none; it is kept, where such things are kept.
    ///
    /// # Errors
    /// When it cannot be read, or names no topic.
    pub fn event(&mut self, content: &[u8]) -> Result<(), String> {
        let Some(open) = &mut self.open else {
            return Err("it came outside a transaction".to_owned());
        };
        let ordinal = open.ordinal;
        open.ordinal = ordinal.saturating_add(1);
        if open.known || ordinal < open.from {
            return Ok(());
        }
        self.oldest.get_or_insert(open.time);
        let version = Version {
            epoch: self.position.epoch,
            lsn: open.commit_lsn,
            ordinal,
        };
        let (record, trouble) = match read(content, &version) {
            Ok(record) => (record, Ok(())),
            Err(reason) => (rejected(content, &version, &reason), Err(reason)),
        };
        self.bytes += record.body.len() + record.key.as_ref().map_or(0, String::len);
        self.records.push(record);
        trouble
    }

    /// The open transaction ends; whatever comes next was committed at or after `end_lsn`.
    pub fn commit(&mut self, end_lsn: u64) {
        let Some(open) = self.open.take().filter(|open| !open.known) else {
            return;
        };
        if open.ordinal > open.from {
            self.transactions += 1;
        }
        self.reach(end_lsn);
    }

    /// Nothing that is still to come was committed before `lsn`.
    pub fn idle(&mut self, lsn: u64) {
        if self.open.is_none() && lsn > self.position.lsn {
            self.reach(lsn);
        }
    }

    fn reach(&mut self, lsn: u64) {
        self.position.lsn = self.position.lsn.max(lsn);
        self.position.partial = self
            .position
            .partial
            .filter(|partial| partial.commit_lsn >= self.position.lsn);
    }

    /// Whether there is as much as is published together.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.records.len() >= self.limits.events || self.bytes >= self.limits.bytes
    }

    /// Whether there is nothing to publish.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether a transaction has begun and not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Up to where everything is complete.
    #[must_use]
    pub fn complete(&self) -> u64 {
        self.position.lsn
    }

    /// What there is, to be published next.
    #[must_use]
    pub fn take(&mut self) -> Batch {
        if let Some(open) = &self.open
            && !open.known
            && open.ordinal > open.from
        {
            self.position.partial = Some(Partial {
                commit_lsn: open.commit_lsn,
                next: open.ordinal,
            });
        }
        self.bytes = 0;
        Batch {
            records: std::mem::take(&mut self.records),
            position: self.position.clone(),
            transactions: std::mem::take(&mut self.transactions),
            oldest: self.oldest.take(),
        }
    }
}

fn read(content: &[u8], version: &Version) -> Result<Record, String> {
    let written = Written::decode(content).map_err(|error| error.to_string())?;
    let topic = topic(&written.topic).ok_or_else(|| format!("there is no topic {:?}", written.topic))?;
    let mut headers = written.envelope.headers();
    headers.extend(version.headers());
    Ok(Record {
        topic: topic.name,
        key: Some(written.envelope.subject),
        headers,
        body: written.body,
    })
}

/// As much of it as Kafka takes.
fn rejected(content: &[u8], version: &Version, reason: &str) -> Record {
    let mut headers = vec![("nova_reason", reason.to_owned())];
    headers.extend(version.headers());
    let most = content.len().min(nova_events::MAX_EVENT_BYTES);
    Record {
        topic: REJECTED.name,
        key: None,
        headers,
        body: content[..most].to_vec(),
    }
}
