use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use flywheel_protocol::control::SurveyResponse;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// What nodes answered to a survey, by UID.
pub(super) type Answers = BTreeMap<String, Bytes>;

/// Why a survey has no complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SurveyError {
    /// The question could not be sent.
    #[error("the question could not be sent: {0}")]
    NotSent(String),
    /// Too many surveys are going on, or there is no cluster.
    #[error("no survey can be made now")]
    Unavailable,
    /// These nodes did not answer in time.
    #[error("no answer in time from {0:?}")]
    Partial(Vec<String>),
    /// A node answered with an error.
    #[error("node {uid} answered with code {code}")]
    Refused {
        /// Which node.
        uid: String,
        /// What it answered; 3 means that it does not know the question.
        code: u32,
    },
    /// The answers together are larger than what is kept of one survey.
    #[error("the answers are larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
}

/// Surveys at once, relayed frames apart; each holds its answers in memory.
const OPEN_MAX: usize = 64;
/// Bytes of all answers to one survey.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Questions to other nodes that are not answered yet. The lock guards the map; nothing is taken under it.
#[derive(Debug, Default)]
pub(super) struct Surveys(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    next_id: u64,
    surveys: BTreeMap<u64, Survey>,
}

#[derive(Debug)]
struct Survey {
    is_relay: bool,
    waiting: BTreeSet<String>,
    answers: Answers,
    bytes: usize,
    done: Option<oneshot::Sender<Result<Answers, SurveyError>>>,
}

/// A survey that goes on; dropping it ends it.
pub(super) struct Asked<'a> {
    surveys: &'a Surveys,
    pub(super) id: u64,
    pub(super) answers: oneshot::Receiver<Result<Answers, SurveyError>>,
}

impl Surveys {
    /// Begins a survey of these nodes.
    pub(super) fn begin(&self, nodes: BTreeSet<String>) -> Result<Asked<'_>, SurveyError> {
        let mut open = self.0.lock();
        if open.surveys.values().filter(|survey| !survey.is_relay).count() >= OPEN_MAX {
            return Err(SurveyError::Unavailable);
        }
        let (id, answers) = open.add(nodes, false);
        Ok(Asked { surveys: self, id, answers })
    }

    /// Begins to relay a frame to a node. How many there are is the caller's to bound.
    pub(super) fn begin_relay(&self, node: &str) -> Asked<'_> {
        let (id, answers) = self.0.lock().add([node.to_owned()].into(), true);
        Asked { surveys: self, id, answers }
    }

    /// A node answered; an answer that nobody waits for is dropped.
    pub(super) fn answered(&self, uid: &str, response: SurveyResponse) {
        let SurveyResponse { id, code, data } = response;
        let mut open = self.0.lock();
        let Some(survey) = open.surveys.get_mut(&id) else {
            return;
        };
        if !survey.waiting.remove(uid) {
            return;
        }
        survey.bytes += data.len();
        if code != 0 {
            survey.finish(Err(SurveyError::Refused { uid: uid.to_owned(), code }));
        } else if survey.bytes > ANSWER_BYTES_MAX {
            survey.finish(Err(SurveyError::TooLarge));
        } else {
            survey.answers.insert(uid.to_owned(), data);
            survey.finish_if_complete();
        }
    }

    /// A node is gone: nobody waits for it any more.
    pub(super) fn gone(&self, uid: &str) {
        for survey in self.0.lock().surveys.values_mut() {
            if survey.waiting.remove(uid) {
                survey.finish_if_complete();
            }
        }
    }

    /// Who has not answered yet.
    fn missing(&self, id: u64) -> Vec<String> {
        let open = self.0.lock();
        open.surveys.get(&id).into_iter().flat_map(|survey| survey.waiting.iter().cloned()).collect()
    }
}

impl Open {
    fn add(
        &mut self,
        waiting: BTreeSet<String>,
        is_relay: bool,
    ) -> (u64, oneshot::Receiver<Result<Answers, SurveyError>>) {
        let (done, answers) = oneshot::channel();
        self.next_id += 1;
        let survey = Survey { is_relay, waiting, answers: Answers::new(), bytes: 0, done: Some(done) };
        self.surveys.insert(self.next_id, survey);
        (self.next_id, answers)
    }
}

impl Survey {
    fn finish_if_complete(&mut self) {
        if self.waiting.is_empty() {
            let answers = std::mem::take(&mut self.answers);
            self.finish(Ok(answers));
        }
    }

    fn finish(&mut self, result: Result<Answers, SurveyError>) {
        if let Some(done) = self.done.take() {
            // Whoever asked may have gone.
            done.send(result).unwrap_or_default();
        }
    }
}

impl Asked<'_> {
    /// The time is up.
    pub(super) fn given_up(&self) -> SurveyError {
        SurveyError::Partial(self.surveys.missing(self.id))
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.surveys.0.lock().surveys.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(uids: &[&str]) -> BTreeSet<String> {
        uids.iter().map(|uid| (*uid).to_owned()).collect()
    }

    fn response(id: u64, code: u32, data: &'static str) -> SurveyResponse {
        SurveyResponse { id, code, data: data.into() }
    }

    #[test]
    fn a_survey_is_complete_when_all_who_are_left_have_answered() {
        let surveys = Surveys::default();
        let mut asked = surveys.begin(nodes(&["a", "b", "c"])).unwrap();
        surveys.answered("a", response(asked.id, 0, "1"));
        surveys.answered("a", response(asked.id, 0, "2"));
        surveys.answered("stranger", response(asked.id, 0, "3"));
        surveys.answered("b", response(asked.id + 1, 0, "4"));
        assert!(asked.answers.try_recv().is_err());
        assert_eq!(asked.given_up(), SurveyError::Partial(vec!["b".into(), "c".into()]));
        surveys.gone("c");
        surveys.answered("b", response(asked.id, 0, "5"));
        let expected = [("a".to_owned(), "1".into()), ("b".to_owned(), "5".into())].into();
        assert_eq!(asked.answers.try_recv().unwrap(), Ok(expected));
    }

    #[test]
    fn one_error_is_the_answer() {
        let surveys = Surveys::default();
        let mut asked = surveys.begin(nodes(&["a", "b"])).unwrap();
        surveys.answered("b", response(asked.id, 3, ""));
        let refused = SurveyError::Refused { uid: "b".into(), code: 3 };
        assert_eq!(asked.answers.try_recv().unwrap(), Err(refused));
    }

    #[test]
    fn surveys_are_bounded_and_those_that_nobody_waits_for_make_room() {
        let surveys = Surveys::default();
        let mut open: Vec<_> = (0..OPEN_MAX).map(|_| surveys.begin(nodes(&["a"])).unwrap()).collect();
        assert_eq!(surveys.begin(nodes(&["a"])).err(), Some(SurveyError::Unavailable));
        let _relays: Vec<_> = (0..OPEN_MAX).map(|_| surveys.begin_relay("a")).collect();
        let late = open.pop().unwrap().id;
        surveys.answered("a", response(late, 0, ""));
        assert!(surveys.begin(nodes(&["a"])).is_ok());
    }
}
