use std::sync::Arc;

use flywheel_auth::{Found, KeyRequest, KeySet, PublicKey};
use flywheel_engine::KeySetError;
use flywheel_model::Timestamp;
use tokio::sync::watch;

use crate::Limits;

/// What is known of the set at one address, and when to ask again. Reads no clock and opens no socket.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    set: Option<(KeySet, Timestamp)>,
    /// When the last read ended, and how many have failed since the last success.
    tried: Option<(Timestamp, u32)>,
    problem: Option<String>,
    /// Closed when the read that is under way has ended, however it did.
    reading: Option<watch::Receiver<()>>,
    pub(crate) used_at: Timestamp,
}

/// What to do about a request.
#[derive(Debug)]
pub(crate) enum Step {
    /// This is the answer. The set should be read again, though.
    AnswerAndRead(Arc<PublicKey>),
    /// This is the answer.
    Answer(Result<Arc<PublicKey>, KeySetError>),
    /// Wait for the end of the read that is under way.
    Wait(watch::Receiver<()>),
    /// Begin a read and wait for its end.
    Read,
}

impl Shelf {
    /// `waited` says that a read has ended since the request came: it does not get another.
    pub(crate) fn step(&self, now: Timestamp, request: &KeyRequest, waited: bool, limits: &Limits) -> Step {
        let age = self.set.as_ref().map(|(_, read_at)| now.since(*read_at));
        let found = self.set.as_ref().map(|(set, _)| set.find(request));
        match (found, age) {
            (Some(Found::Key(key)), Some(age)) if age < limits.fresh_for => {
                if age >= limits.refresh_after && self.may_read(now, limits) {
                    Step::AnswerAndRead(key)
                } else {
                    Step::Answer(Ok(key))
                }
            }
            (Some(Found::Unfit), Some(age)) if age < limits.fresh_for => {
                Step::Answer(Err(KeySetError::UnfitKey))
            }
            (found, age) if waited || !self.can_wait(now, limits) => {
                let counts = age.is_some_and(|age| age < limits.stale_for);
                Step::Answer(self.last_word(found.filter(|_| counts), waited))
            }
            _ => self.current_read().map_or(Step::Read, Step::Wait),
        }
    }

    /// A read begins.
    pub(crate) fn begin(&mut self, ended: watch::Receiver<()>) {
        self.reading = Some(ended);
    }

    /// The read that began has ended.
    pub(crate) fn end(&mut self, now: Timestamp, result: Result<KeySet, String>) {
        self.reading = None;
        match result {
            Ok(set) => {
                self.set = Some((set, now));
                self.tried = Some((now, 0));
                self.problem = None;
            }
            Err(problem) => {
                self.tried = Some((now, self.failures().saturating_add(1)));
                self.problem = Some(problem);
            }
        }
    }

    /// The receiver of the read that is under way. One whose sender is gone has ended without a word.
    pub(crate) fn current_read(&self) -> Option<watch::Receiver<()>> {
        self.reading.clone().filter(|reading| reading.has_changed().is_ok())
    }

    fn can_wait(&self, now: Timestamp, limits: &Limits) -> bool {
        self.current_read().is_some() || self.may_read(now, limits)
    }

    fn may_read(&self, now: Timestamp, limits: &Limits) -> bool {
        let Some((tried_at, failures)) = self.tried else { return self.current_read().is_none() };
        let pause = match failures {
            0 => limits.pause,
            more => limits.retry_pause.saturating_mul(1 << (more - 1).min(16)).min(limits.retry_pause_max),
        };
        self.current_read().is_none() && now.since(tried_at) >= pause
    }

    /// The answer without another read. A set that could not be renewed still counts for a while.
    fn last_word(&self, found: Option<Found>, waited: bool) -> Result<Arc<PublicKey>, KeySetError> {
        match found {
            Some(Found::Key(key)) => Ok(key),
            Some(Found::Unfit) => Err(KeySetError::UnfitKey),
            Some(Found::Absent) if self.problem.is_none() => {
                Err(if waited { KeySetError::UnknownKey } else { KeySetError::TooSoon })
            }
            _ => {
                let problem = self.problem.as_deref().unwrap_or("it was not read");
                Err(KeySetError::Unavailable(problem.to_owned()))
            }
        }
    }

    fn failures(&self) -> u32 {
        self.tried.map_or(0, |(_, failures)| failures)
    }
}

#[cfg(test)]
mod tests;
