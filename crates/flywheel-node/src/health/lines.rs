use std::time::Duration;

use flywheel_membership::{Change, Entry};

/// What the log is to be told of health, in the order in which it was decided. Whoever reads the log may be slow, so it is
/// noted under the judge's lock and written when that has been given back.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<Line>);

#[derive(Debug)]
pub(super) enum Line {
    /// Something serves or does not, or the node is ready or is not.
    Changed(Change),
    /// These threads do not turn, in words.
    Stuck(Vec<String>),
    /// All threads do.
    Turning,
    /// A drain begins; clients leave after this.
    Drained(Duration),
    /// A drain was taken back.
    DrainedNoMore,
    /// Clients leave over this time, because of a drain.
    Left(Duration),
    /// Clients leave over this time, because others serve them better.
    HandedOver(Duration),
    /// A handover is over.
    TakenBack,
    /// This shard could not be told who is to leave or stay.
    NoRoom(usize),
}

/// Lines that wait. What comes when there are so many is left out: nobody reads those that are there.
const LINES_MAX: usize = 256;

impl Lines {
    pub(super) fn note(&mut self, line: Line) {
        if self.0.len() < LINES_MAX {
            self.0.push(line);
        }
    }

    /// What was noted since this was last asked.
    pub(super) fn take(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.0)
    }
}

impl Line {
    /// Writes it into the log, which may take any time: for callers that hold no lock.
    pub(super) fn write(&self) {
        match self {
            Self::Changed(change) => write_change(change),
            Self::Stuck(threads) => tracing::error!(threads = %threads.join(", "), "the node is stuck"),
            Self::Turning => tracing::info!("all threads of the node turn again"),
            Self::Drained(delay) => tracing::info!(?delay, "the node is drained"),
            Self::DrainedNoMore => tracing::info!("the node is drained no more"),
            Self::Left(spread) => {
                tracing::info!(?spread, "clients are sent elsewhere: the node is drained");
            }
            Self::HandedOver(spread) => {
                tracing::warn!(?spread, "clients are sent elsewhere: this node is not ready, others are");
            }
            Self::TakenBack => tracing::info!("the node takes clients again"),
            Self::NoRoom(shard) => {
                tracing::error!(
                    shard,
                    "a shard's mailbox is full: its clients do not hear who is to leave or stay"
                );
            }
        }
    }
}

fn write_change(change: &Change) {
    match change {
        Change::Entry(Entry { name, ok: true, .. }) => tracing::info!(dependency = name, "recovered"),
        Change::Entry(Entry { name, reason, .. }) => {
            tracing::warn!(dependency = name, reason, "does not serve");
        }
        Change::Ready(true) => tracing::info!("the node is ready"),
        Change::Ready(false) => tracing::warn!("the node is not ready"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_nobody_reads_are_bounded() {
        let mut lines = Lines::default();
        for _ in 0..10 * LINES_MAX {
            lines.note(Line::DrainedNoMore);
        }
        assert_eq!(lines.take().len(), LINES_MAX);
        lines.note(Line::TakenBack);
        assert!(matches!(lines.take().as_slice(), [Line::TakenBack]));
    }
}
