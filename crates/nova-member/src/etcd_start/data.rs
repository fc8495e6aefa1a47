//! What is on an etcd member's disk: which member of which cluster it is, read from its write-ahead log as etcd writes it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::StartError;
use crate::files::file_error;

/// Enough of a log's file for the records that say whose it is; they have some 60 bytes.
const BEGIN: u64 = 4096;
/// Of records: what says whose the log is.
const METADATA: u64 = 1;
/// What is moved aside has this between its old name and the time.
const ASIDE: &str = ".aside-";
/// Of these, so many are kept.
const KEPT: usize = 3;

/// Which member of which cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) member: u64,
    pub(super) cluster: u64,
}

/// What is in a member's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    /// Nothing that was ever written by etcd.
    Nothing,
    /// Something that it could not start with, and why.
    Damaged(String),
    /// What it needs, as far as can be seen without reading everything.
    Whole(Identity),
}

impl Data {
    pub(super) fn look(directory: &Path) -> Result<Self, StartError> {
        let member = directory.join("member");
        let logs = logs(&member.join("wal"))?;
        let has_state = member.join("snap/db").is_file();
        let Some(latest) = logs.last() else {
            return Ok(if has_state || has_any(&member)? {
                Self::Damaged("its write-ahead log is gone".to_owned())
            } else {
                Self::Nothing
            });
        };
        if !has_state {
            return Ok(Self::Damaged("its state, snap/db, is gone".to_owned()));
        }
        if let Some(gap) = logs
            .windows(2)
            .find(|pair| number(&pair[1]) != number(&pair[0]).map(|n| n + 1))
        {
            return Ok(Self::Damaged(format!(
                "its write-ahead log has a gap before {}",
                name(&gap[1])
            )));
        }
        let mut begin = Vec::new();
        let read = File::open(latest).and_then(|file| file.take(BEGIN).read_to_end(&mut begin));
        read.map_err(|source| file_error(latest, source))?;
        Ok(match identity(&begin) {
            Some(identity) => Self::Whole(identity),
            None => Self::Damaged(format!("{} does not say whose it is", name(latest))),
        })
    }
}

/// Moves everything aside, where nothing looks at it. Of what was moved there before, the oldest is removed that is of the same cluster,
/// whose other members have it all.
pub(super) fn move_aside(directory: &Path, cluster: Option<u64>) -> Result<PathBuf, StartError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let before = asides(directory)?;
    if before.len() >= KEPT {
        let superseded = |path: &&PathBuf| match Data::look(path) {
            Ok(Data::Whole(identity)) => Some(identity.cluster) == cluster,
            Ok(Data::Nothing) => true,
            _ => false,
        };
        if let Some(oldest) = before.iter().find(superseded) {
            fs::remove_dir_all(oldest).map_err(|source| file_error(oldest, source))?;
        }
    }
    let mut to = directory.as_os_str().to_owned();
    to.push(format!("{ASIDE}{:020}", now.as_nanos()));
    let to = PathBuf::from(to);
    fs::rename(directory, &to).map_err(|source| file_error(directory, source))?;
    Ok(to)
}

/// Oldest first: their names end with the time.
fn asides(directory: &Path) -> Result<Vec<PathBuf>, StartError> {
    let (Some(parent), Some(own)) = (directory.parent(), directory.file_name()) else {
        return Ok(Vec::new());
    };
    let begin = format!("{}{ASIDE}", own.to_string_lossy());
    let mut found = entries(parent)?;
    found.retain(|path| name(path).starts_with(&begin));
    Ok(found)
}

/// The files of the log, oldest first.
fn logs(directory: &Path) -> Result<Vec<PathBuf>, StartError> {
    let mut logs = entries(directory)?;
    logs.retain(|path| number(path).is_some());
    Ok(logs)
}

fn has_any(directory: &Path) -> Result<bool, StartError> {
    for entry in entries(directory)? {
        if entry.is_file() || (entry.is_dir() && has_any(&entry)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// By name; none where there is no directory.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, StartError> {
    let failed = |source| file_error(directory, source);
    let listed = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(failed)?,
    };
    let mut paths: Vec<PathBuf> = listed
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The number of a file of the log: `<number>-<first index>.wal`.
fn number(path: &Path) -> Option<u64> {
    let name = name(path);
    let (number, index) = name.strip_suffix(".wal")?.split_once('-')?;
    u64::from_str_radix(index, 16).ok()?;
    u64::from_str_radix(number, 16).ok()
}

/// Each record has its length before it, whose highest byte says how it is filled up to eight.
fn identity(mut log: &[u8]) -> Option<Identity> {
    loop {
        let (length, rest) = log.split_first_chunk::<8>()?;
        let length = u64::from_le_bytes(*length);
        let filled = if length >> 63 == 1 { (length >> 56) & 7 } else { 0 };
        let length = usize::try_from(length & 0x00ff_ffff_ffff_ffff).ok()?;
        if length == 0 || length > rest.len() {
            return None;
        }
        let record = Message(&rest[..length]);
        if record.number(1) == Some(METADATA) {
            let metadata = Message(record.bytes(3)?);
            return Some(Identity {
                member: metadata.number(1)?,
                cluster: metadata.number(2)?,
            });
        }
        log = rest.get(length + usize::try_from(filled).ok()?..)?;
    }
}

/// A message of protocol buffers, of which only numbers and bytes are read.
struct Message<'a>(&'a [u8]);

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Message<'a> {
    fn number(&self, wanted: u64) -> Option<u64> {
        match self.field(wanted)? {
            Field::Number(number) => Some(number),
            Field::Bytes(_) => None,
        }
    }

    fn bytes(&self, wanted: u64) -> Option<&'a [u8]> {
        match self.field(wanted)? {
            Field::Bytes(bytes) => Some(bytes),
            Field::Number(_) => None,
        }
    }

    fn field(&self, wanted: u64) -> Option<Field<'a>> {
        let mut rest = self.0;
        while !rest.is_empty() {
            let key = varint(&mut rest)?;
            let field = match key & 7 {
                0 => Field::Number(varint(&mut rest)?),
                2 => {
                    let length = usize::try_from(varint(&mut rest)?).ok()?;
                    let (bytes, after) = rest.split_at_checked(length)?;
                    rest = after;
                    Field::Bytes(bytes)
                }
                _ => return None,
            };
            if key >> 3 == wanted {
                return Some(field);
            }
        }
        None
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
