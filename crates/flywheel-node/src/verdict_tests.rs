//! Beside the code, and not in it: `tests/interleavings` compiles that once more.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use flywheel_engine::BackendError;
use flywheel_model::Renewal;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::verdict::for_renewal;

/// Keeps what is written: the level, then each field.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "; {field}: {value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What becomes of this answer to `refresh`, and the lines about it.
fn renewed(answer: Result<Renewal, BackendError>) -> (Option<Renewal>, Vec<String>) {
    let log = Log::default();
    let renewal = tracing::subscriber::with_default(log.clone(), || for_renewal("refresh", answer));
    let lines = std::mem::take(&mut *log.0.lock().unwrap());
    (renewal.ok(), lines)
}

#[test]
fn a_backend_that_refuses_to_renew_is_written_down_because_the_client_hears_no_more_than_expired() {
    let error = BackendError::Error { code: 403, message: "not a member".to_owned(), temporary: false };
    let disconnect = BackendError::Disconnect { code: 4500, reason: "banned".to_owned() };
    for (answer, said) in [(error, "error 403 not a member"), (disconnect, "disconnect 4500 banned")] {
        let (renewal, lines) = renewed(Err(answer));
        assert_eq!(renewal, Some(Renewal::Expired));
        let [line] = &lines[..] else { panic!("{lines:?}") };
        for part in ["INFO; ", "a backend refused to renew", "refresh", said] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
}

#[test]
fn a_backend_that_fails_to_renew_is_written_down_as_an_error_and_one_that_answers_is_not() {
    let (renewal, lines) = renewed(Err(BackendError::Failed("no route".to_owned())));
    assert_eq!(renewal, None);
    assert!(
        matches!(&lines[..], [line] if line.starts_with("ERROR; ") && line.contains("no route")),
        "{lines:?}"
    );
    assert_eq!(renewed(Ok(Renewal::Expired)), (Some(Renewal::Expired), Vec::new()));
}
