//! What the system says of the threads of this process, without asking them.

use std::fs;
use std::path::Path;

/// Threads that are written down at most; a process has a few per core.
const THREADS_MAX: usize = 64;

/// What one thread does, or what it waits in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ThreadState {
    /// As the system numbers threads.
    pub(super) number: u32,
    pub(super) name: String,
    /// `R` when it runs or wants to, `S` when it sleeps, `D` when it waits for a disk or the like.
    pub(super) state: String,
    /// Function of the kernel in which it waits.
    pub(super) waits_in: String,
    /// Number and arguments of the system call that it is in, or `running`.
    pub(super) call: String,
    /// How often it has given up the processor by itself, and how often it had to.
    pub(super) switches: (u64, u64),
    /// Nanoseconds that it has run, that it has waited for a processor, and how often it got one.
    pub(super) scheduled: String,
}

/// The threads of this process, in the order of their numbers; none where there is no `/proc`.
pub(super) fn threads() -> Vec<ThreadState> {
    let folder = Path::new("/proc/self/task");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut numbers: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers.truncate(THREADS_MAX);
    numbers.into_iter().map(|number| thread(number, &folder.join(number.to_string()))).collect()
}

/// What cannot be read is empty: some of it takes rights that a server need not have.
fn thread(number: u32, folder: &Path) -> ThreadState {
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default().trim().to_owned();
    let status = text("status");
    let line =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    let count = |name: &str| line(name).parse().unwrap_or_default();
    ThreadState {
        number,
        name: text("comm"),
        state: line("State:").to_owned(),
        waits_in: text("wchan"),
        call: text("syscall"),
        switches: (count("voluntary_ctxt_switches:"), count("nonvoluntary_ctxt_switches:")),
        scheduled: text("schedstat"),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn a_thread_that_waits_is_found_by_its_name_with_what_it_waits_in() {
        let (release, released) = sync_channel::<()>(1);
        let waiting = std::thread::Builder::new().name("waits-for-ever".to_owned());
        let waiting = waiting.spawn(move || released.recv()).unwrap();
        let found = loop {
            let found = threads().into_iter().find(|thread| thread.name == "waits-for-ever");
            // It is there before it waits.
            if let Some(found) = found.filter(|thread| thread.state.starts_with('S')) {
                break found;
            }
            std::thread::yield_now();
        };
        assert!(found.number > 0 && found.switches.0 > 0, "{found:?}");
        release.send(()).unwrap();
        waiting.join().unwrap().unwrap();
    }
}
