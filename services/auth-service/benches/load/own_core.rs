//! Gives one process a core that nothing else uses, for as long as the guard lives.

use std::fs;

use anyhow::{Context, ensure};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

const CORE: usize = 0;

/// Puts everything back where it was when it is dropped.
pub(crate) struct OwnCore(Vec<(Pid, CpuSet)>);

impl OwnCore {
    /// The process that listens on this address, `host:port`, gets a core; all others get the rest. What may not be moved
    /// (threads of the kernel, other users' processes) stays.
    pub(crate) fn give_to(listen: &str) -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        ensure!(cores > 1, "a core of its own needs a second one for everything else");
        let member = processes().find(|process| listens(process, listen)).with_context(|| {
            format!("no process that may be read has NOVA_LISTEN={listen}; run this as the platform's owner")
        })?;
        let (mut own, mut rest) = (CpuSet::new(), CpuSet::new());
        own.set(CORE)?;
        (0..cores)
            .filter(|core| *core != CORE)
            .try_for_each(|core| rest.set(core))?;
        let mut moved = Self(Vec::new());
        for process in processes() {
            let set = if process == member { &own } else { &rest };
            for thread in threads(&process) {
                let Ok(before) = sched_getaffinity(thread) else {
                    continue;
                };
                if sched_setaffinity(thread, set).is_ok() {
                    moved.0.push((thread, before));
                }
            }
        }
        Ok(moved)
    }
}

impl Drop for OwnCore {
    fn drop(&mut self) {
        let every: Vec<Pid> = processes().flat_map(|process| threads(&process)).collect();
        let Some((_, all)) = self.0.first() else { return };
        for thread in every {
            // Threads that were started meanwhile inherited what the others had. It may have ended since.
            let before = self.0.iter().find(|(moved, _)| *moved == thread);
            let _ = sched_setaffinity(thread, before.map_or(all, |(_, before)| before));
        }
    }
}

fn processes() -> impl Iterator<Item = String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

fn threads(process: &str) -> impl Iterator<Item = Pid> + use<> {
    let entries = fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten()
        .flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw))
}

fn listens(process: &str, listen: &str) -> bool {
    let wanted = format!("NOVA_LISTEN={listen}");
    let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    environment
        .split(|byte| *byte == 0)
        .any(|variable| variable == wanted.as_bytes())
}
