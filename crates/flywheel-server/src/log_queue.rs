use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines on their way to the log. Who writes one never waits for whoever reads the log: a thread of its own hands lines on,
/// in their order, and what comes when [`BYTES_MAX`] wait is lost and counted.
#[derive(Debug, Clone)]
pub(crate) struct LogQueue(Arc<Queue>);

/// Bytes that wait at most, those that are being handed on included: some thousand lines.
const BYTES_MAX: usize = 1024 * 1024;

#[derive(Debug)]
struct Queue {
    bytes_max: usize,
    /// Guards nothing else and is held for a copy.
    lines: Mutex<Lines>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    waiting: Vec<u8>,
    /// Bytes that have been taken out to be handed on and are not known to be written.
    taken: usize,
    /// Whether the log refused the last line.
    refused: bool,
    lost: u64,
    /// How many of those have been reported.
    told: u64,
}

impl LogQueue {
    /// Starts the thread that hands lines on to `log`. It lives as long as the process.
    ///
    /// # Errors
    /// The system has no threads left.
    pub(crate) fn start(log: impl Write + Send + 'static) -> io::Result<Self> {
        Self::with_bound(BYTES_MAX, log)
    }

    fn with_bound(bytes_max: usize, log: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Self(Arc::new(Queue {
            bytes_max,
            lines: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }));
        let handing_on = queue.clone();
        Builder::new().name("flywheel-log".to_owned()).spawn(move || handing_on.0.hand_on(log))?;
        Ok(queue)
    }

    /// Lines that were lost so far: there was no room for them, or the log could not be written.
    pub(crate) fn lost(&self) -> u64 {
        self.0.lines().lost
    }

    /// Lines that were lost since this last said so. Says so only when all others have been written, so that this is not
    /// lost as well.
    pub(crate) fn newly_lost(&self) -> Option<u64> {
        let mut lines = self.0.lines();
        let newly = lines.lost - lines.told;
        if newly == 0 || lines.refused || !lines.are_written() {
            return None;
        }
        lines.told = lines.lost;
        Some(newly)
    }

    /// Waits until all lines are written, at most for this long. Answers whether they are.
    pub(crate) fn flush(&self, within: Duration) -> bool {
        let lines = self.0.lines();
        let waited = self.0.emptied.wait_timeout_while(lines, within, |lines| !lines.are_written());
        waited.unwrap_or_else(PoisonError::into_inner).0.are_written()
    }
}

impl Queue {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut lines = self.lines();
        if lines.waiting.len() + lines.taken + line.len() > self.bytes_max {
            lines.lost += 1;
        } else {
            lines.waiting.extend_from_slice(line);
            self.filled.notify_one();
        }
    }

    fn hand_on(&self, mut log: impl Write) {
        let mut taken = Vec::new();
        loop {
            self.take(&mut taken);
            let (mut lost, mut refused) = (0, false);
            // One write for a line, so that processes that append to the same file do not tear each other's.
            for line in taken.split_inclusive(|byte| *byte == b'\n') {
                refused = log.write_all(line).is_err();
                lost += u64::from(refused);
            }
            let mut lines = self.lines();
            lines.taken = 0;
            lines.lost += lost;
            lines.refused = refused;
            if lines.are_written() {
                self.emptied.notify_all();
            }
        }
    }

    /// Waits for lines and takes them all.
    fn take(&self, taken: &mut Vec<u8>) {
        taken.clear();
        let lines = self.filled.wait_while(self.lines(), |lines| lines.waiting.is_empty());
        let mut lines = lines.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut lines.waiting, taken);
        lines.taken = taken.len();
    }
}

impl Lines {
    fn are_written(&self) -> bool {
        self.waiting.is_empty() && self.taken == 0
    }
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = Entry<'a>;

    fn make_writer(&'a self) -> Entry<'a> {
        Entry(&self.0)
    }
}

/// Where one line is written, whole.
#[derive(Debug)]
pub(crate) struct Entry<'a>(&'a Queue);

impl Write for Entry<'_> {
    /// Takes all of it and never fails.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A log that takes a line when it is read.
    struct Pipe(SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.send(line.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn queue(bytes_max: usize) -> (LogQueue, Receiver<Vec<u8>>) {
        let (pipe, reader) = sync_channel(0);
        (LogQueue::with_bound(bytes_max, Pipe(pipe)).unwrap(), reader)
    }

    fn write(queue: &LogQueue, line: &str) {
        queue.make_writer().write_all(line.as_bytes()).unwrap();
    }

    fn next(reader: &Receiver<Vec<u8>>) -> String {
        String::from_utf8(reader.recv_timeout(PATIENCE).unwrap()).unwrap()
    }

    #[test]
    fn lines_that_nobody_reads_wait_in_order_up_to_the_bound_and_are_counted_beyond_it() {
        let (queue, reader) = queue(30);
        for number in 0..10 {
            write(&queue, &format!("line {number}!!\n"));
        }
        assert_eq!(queue.lost(), 7, "each has 9 bytes");
        assert_eq!(queue.newly_lost(), None, "there is no room to say so");
        assert!(!queue.flush(Duration::ZERO));
        assert_eq!([(); 3].map(|()| next(&reader)), ["line 0!!\n", "line 1!!\n", "line 2!!\n"]);
        assert!(queue.flush(PATIENCE));
        assert_eq!((queue.newly_lost(), queue.newly_lost(), queue.lost()), (Some(7), None, 7));
        write(&queue, "and on\n");
        assert_eq!(next(&reader), "and on\n");
        assert!(queue.flush(PATIENCE));
        assert_eq!(queue.newly_lost(), None);
    }

    /// A log on a disk with or without room.
    struct Disk(Arc<AtomicBool>);

    impl Write for Disk {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            if self.0.load(Ordering::SeqCst) {
                Err(io::ErrorKind::StorageFull.into())
            } else {
                Ok(line.len())
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_for_which_the_disk_has_no_room_are_counted_and_told_when_it_has() {
        let full = Arc::new(AtomicBool::new(true));
        let queue = LogQueue::start(Disk(Arc::clone(&full))).unwrap();
        for _ in 0..3 {
            write(&queue, "into the void\n");
            assert!(queue.flush(PATIENCE));
            assert_eq!(queue.newly_lost(), None, "saying so would be lost as well");
        }
        full.store(false, Ordering::SeqCst);
        write(&queue, "onto the disk\n");
        assert!(queue.flush(PATIENCE));
        assert_eq!(queue.newly_lost(), Some(3));
    }

    #[test]
    fn nothing_is_waited_for_when_nothing_was_written() {
        let (queue, _reader) = queue(BYTES_MAX);
        assert!(queue.flush(Duration::ZERO));
    }
}
