//! How many whole platforms run at a time, since each is three brokers on Java and much else.

use std::sync::{Condvar, Mutex, PoisonError};

/// Memory that a platform under load may need, with what measures it.
const MIB_EACH: u64 = 3 * 1024;
const AT_MOST: usize = 4;

static ROOMS: Mutex<Option<Rooms>> = Mutex::new(None);
static FREED: Condvar = Condvar::new();

struct Rooms {
    all: usize,
    free: usize,
    /// Who wants all of them goes before those who want one, or would never have them.
    wants_all: usize,
}

impl Rooms {
    /// One a core, if there is memory for so many; `NOVA_TEST_PLATFORMS` says another number, to compare.
    fn of_this_machine() -> Self {
        let told = std::env::var("NOVA_TEST_PLATFORMS").ok();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let available = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
        let kib = available.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
        let by_memory = kib.map_or(1, |kib| usize::try_from(kib / 1024 / MIB_EACH).unwrap_or(1));
        let told = told.and_then(|number| number.parse().ok());
        let all = told.unwrap_or(cores.min(by_memory)).clamp(1, AT_MOST);
        Self {
            all,
            free: all,
            wants_all: 0,
        }
    }
}

/// Room for a platform; given back when it is dropped.
pub(crate) struct Room {
    taken: usize,
}

impl Room {
    /// For one platform among others.
    pub(crate) fn one() -> Self {
        Self::take(false)
    }

    /// For one that is compared with itself, and must not feel what others do.
    pub(crate) fn all() -> Self {
        Self::take(true)
    }

    fn take(all: bool) -> Self {
        let mut guard = ROOMS.lock().unwrap_or_else(PoisonError::into_inner);
        guard.get_or_insert_with(Rooms::of_this_machine).wants_all += usize::from(all);
        loop {
            if let Some(rooms) = guard.as_mut() {
                if all && rooms.free == rooms.all {
                    rooms.wants_all -= 1;
                    rooms.free = 0;
                    return Self { taken: rooms.all };
                }
                if !all && rooms.free > 0 && rooms.wants_all == 0 {
                    rooms.free -= 1;
                    return Self { taken: 1 };
                }
            }
            guard = FREED.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(rooms) = ROOMS.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            rooms.free += self.taken;
        }
        FREED.notify_all();
    }
}
