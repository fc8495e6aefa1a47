//! The ledger: what every client asked for and what it was told, appended to a file as it goes, so that a drill that is
//! killed itself can still be judged.

mod read;

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::record::{Header, Line};

pub use read::{Damage, Read, ReadError, parse, read};

/// Lines that may wait to be written. When the disk does not keep up, the drill stops rather than forget.
const WAITING: usize = 16_384;
/// Longest time that a line stays in memory. From a cluster each flush is passed on by six processes.
const FLUSH_EVERY: Duration = Duration::from_millis(200);

/// The ledger cannot be kept.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the ledger {} cannot be written: {reason}; without it nothing could be proved, so the drill stopped", .path.display())]
pub struct LedgerError {
    /// Which file.
    pub path: PathBuf,
    /// Why not.
    pub reason: Unwritten,
}

/// Why something is not in the ledger.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unwritten {
    /// The file could not be made or written.
    #[error("{0}")]
    File(Arc<std::io::Error>),
    /// More waits than is kept in memory.
    #[error("the disk is behind by {WAITING} lines")]
    Behind,
    /// Nobody writes any more.
    #[error("its thread has ended")]
    Ended,
}

impl From<std::io::Error> for Unwritten {
    fn from(error: std::io::Error) -> Self {
        Self::File(Arc::new(error))
    }
}

/// An open ledger. Cheap to clone; the file is complete once [`Ledger::close`] has returned.
#[derive(Clone)]
pub struct Ledger {
    lines: SyncSender<Order>,
    state: Arc<State>,
}

enum Order {
    Line(Box<Line>),
    Other(Vec<u8>),
    Flush(SyncSender<()>),
}

struct State {
    path: PathBuf,
    failed: Mutex<Option<Unwritten>>,
    broken: CancellationToken,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ledger {
    /// Makes the file, which must not exist yet, and writes its header.
    ///
    /// # Errors
    /// When it exists, or cannot be made or written.
    pub fn create(path: &Path, header: &Header) -> Result<Self, LedgerError> {
        let cannot = |error: std::io::Error| LedgerError {
            path: path.to_owned(),
            reason: error.into(),
        };
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(cannot)?;
        Self::onto(file, path, header)
    }

    /// Writes its header into a file or a pipe that is open, known as `path`, and everything else after it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn onto(mut file: File, path: &Path, header: &Header) -> Result<Self, LedgerError> {
        let cannot = |error: std::io::Error| LedgerError {
            path: path.to_owned(),
            reason: error.into(),
        };
        let header = Line::Header(Box::new(header.clone()));
        write_line(&mut file, &header).map_err(cannot)?;
        let (lines, orders) = sync_channel(WAITING);
        let state = Arc::new(State {
            path: path.to_owned(),
            failed: Mutex::default(),
            broken: CancellationToken::new(),
            thread: Mutex::default(),
        });
        let kept = state.clone();
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || keep(file, &orders, &kept))
            .map_err(cannot)?;
        *state.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(Self { lines, state })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.state.path
    }

    /// Appends a line, without waiting for the disk. After a failure the drill must stop: see [`Ledger::broken`].
    pub fn append(&self, line: Line) {
        self.order(Order::Line(Box::new(line)));
    }

    /// Puts a line that is no part of the ledger between its lines, for whoever reads them as they come; `line` is without its end.
    pub fn interject(&self, line: Vec<u8>) {
        self.order(Order::Other(line));
    }

    fn order(&self, order: Order) {
        match self.lines.try_send(order) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.state.fail(Unwritten::Behind),
            Err(TrySendError::Disconnected(_)) => self.state.fail(Unwritten::Ended),
        }
    }

    /// Is cancelled when the ledger cannot be kept any longer.
    #[must_use]
    pub fn broken(&self) -> &CancellationToken {
        &self.state.broken
    }

    /// Why it could not be kept, if so.
    ///
    /// # Errors
    /// When something was not written.
    pub fn check(&self) -> Result<(), LedgerError> {
        let failed = self.state.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match failed.as_ref() {
            None => Ok(()),
            Some(reason) => Err(LedgerError {
                path: self.state.path.clone(),
                reason: reason.clone(),
            }),
        }
    }

    /// Waits until everything appended so far is written.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn flush(&self) -> Result<(), LedgerError> {
        let (done, written) = sync_channel(1);
        if self.lines.send(Order::Flush(done)).is_ok() {
            let _ = written.recv_timeout(Duration::from_secs(10));
        }
        self.check()
    }
}

impl State {
    fn fail(&self, reason: Unwritten) {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(reason);
        self.broken.cancel();
    }
}

fn keep(file: File, orders: &Receiver<Order>, state: &State) {
    let mut file = BufWriter::new(file);
    let mut dirty = false;
    let mut flushed = Instant::now();
    loop {
        let order = match orders.recv_timeout(FLUSH_EVERY) {
            Ok(order) => Some(order),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let result = match &order {
            Some(Order::Line(line)) => {
                dirty = true;
                write_line(&mut file, line)
            }
            Some(Order::Other(line)) => {
                dirty = true;
                file.write_all(line).and_then(|()| file.write_all(b"\n"))
            }
            Some(Order::Flush(_)) | None if dirty => {
                dirty = false;
                file.flush()
            }
            _ => Ok(()),
        };
        // Lines may come without a pause for as long as the drill lasts.
        let due = dirty && flushed.elapsed() >= FLUSH_EVERY;
        let result = if due {
            result.and_then(|()| file.flush())
        } else {
            result
        };
        if due || !dirty {
            dirty = false;
            flushed = Instant::now();
        }
        if let Err(error) = result {
            state.fail(error.into());
        }
        if let Some(Order::Flush(done)) = order {
            let _ = done.send(());
        }
    }
    if let Err(error) = file.flush() {
        state.fail(error.into());
    }
}

fn write_line(file: &mut impl Write, line: &Line) -> std::io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{Ledger, read};
    use crate::record::{Entry, Header, Line, Outcome};
    use crate::store::Store;

    fn header() -> Header {
        Header::new("nova", "kubernetes", 7, None)
    }

    fn entry(id: u64) -> Line {
        Line::Entry(Entry {
            run: 1,
            store: Store::Postgres,
            id,
            writer: 0,
            begun: id,
            ended: id + 1,
            outcome: Outcome::Acknowledged,
        })
    }

    #[test]
    fn what_was_appended_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let ledger = Ledger::create(&path, &header()).unwrap();
        (0..1000).map(entry).for_each(|line| ledger.append(line));
        ledger.flush().unwrap();
        let read = read(&path).unwrap();
        assert_eq!((read.entries.len(), read.torn), (1000, false));
        assert_eq!(read.header, header());
    }

    #[test]
    fn lines_that_come_without_a_pause_reach_the_file_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let ledger = Ledger::create(&path, &header()).unwrap();
        let mut id = 0;
        while read(&path).unwrap().entries.is_empty() {
            // More of them would fill the buffer, which is written then.
            assert!(id < 80, "nothing was flushed");
            ledger.append(entry(id));
            id += 1;
            // Never a pause as long as the time after which the file is flushed.
            std::thread::sleep(super::FLUSH_EVERY / 4);
        }
    }

    #[test]
    fn an_existing_file_is_not_written_over() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Ledger::create(file.path(), &header()).err().unwrap();
        assert!(error.to_string().contains("exists"), "{error}");
    }

    #[test]
    fn a_full_disk_is_told_and_stops_the_drill() {
        // The kernel's own full disk cannot be made new, so the writing half is driven directly.
        let state = std::sync::Arc::new(super::State {
            path: "/dev/full".into(),
            failed: std::sync::Mutex::default(),
            broken: tokio_util::sync::CancellationToken::new(),
            thread: std::sync::Mutex::default(),
        });
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(Path::new("/dev/full"))
            .unwrap();
        let (lines, orders) = std::sync::mpsc::sync_channel(8);
        let ledger = Ledger {
            lines,
            state: state.clone(),
        };
        let thread = std::thread::spawn(move || super::keep(file, &orders, &state));
        ledger.append(entry(1));
        let error = ledger.flush().unwrap_err();
        assert!(error.to_string().contains("No space left on device"), "{error}");
        assert!(ledger.broken().is_cancelled());
        drop(ledger);
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while !thread.is_finished() {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
    }
}
