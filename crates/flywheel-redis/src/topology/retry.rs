use crate::link::{CallError, ErrorWord, Redirect};

/// What an error gives reason to doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Nothing: the server is busy with itself.
    Nothing,
    /// That the server takes writes.
    Role,
    /// Who owns the slot.
    Owner,
    /// That there is a connection.
    Link,
}

/// What to do about a call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retry {
    /// Ask the node that it names, at once.
    Follow(Redirect),
    /// Ask again after a pause, inside the deadline.
    Again(Doubt),
    /// Tell the caller.
    Never(Doubt),
}

/// What to do about `error`. `is_repeatable` says that it does no harm to carry the call out twice.
///
/// A call is made again only when it certainly had no effect: never after its answer was lost, unless it is repeatable, and
/// never after a deadline, which is over for the next call too.
pub fn retry(error: &CallError, is_repeatable: bool) -> Retry {
    let error = match error {
        CallError::NotSent(_) => return Retry::Again(Doubt::Link),
        CallError::Lost(_) if is_repeatable => return Retry::Again(Doubt::Link),
        CallError::Lost(_) | CallError::TimedOut | CallError::NoPlace => return Retry::Never(Doubt::Link),
        CallError::Server(error) => error,
    };
    if let Some(redirect) = error.redirect() {
        return Retry::Follow(redirect);
    }
    match error.word {
        ErrorWord::ReadOnly | ErrorWord::MasterDown => Retry::Again(Doubt::Role),
        ErrorWord::ClusterDown | ErrorWord::TryAgain => Retry::Again(Doubt::Owner),
        // Without replicas a primary refuses before it does anything, and replicas come back within the second.
        ErrorWord::Loading | ErrorWord::Busy | ErrorWord::NoReplicas => Retry::Again(Doubt::Nothing),
        _ => Retry::Never(Doubt::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{ClosedBecause, Endpoint, ServerError};

    fn server(text: &str) -> CallError {
        CallError::Server(ServerError::new(&text.to_owned().into()))
    }

    #[test]
    fn what_was_certainly_not_done_is_done_again_and_nothing_else() {
        for (text, expected) in [
            ("READONLY You can't write against a read only replica.", Retry::Again(Doubt::Role)),
            ("MASTERDOWN Link with MASTER is down", Retry::Again(Doubt::Role)),
            ("CLUSTERDOWN Hash slot not served", Retry::Again(Doubt::Owner)),
            ("TRYAGAIN Multiple keys request during rehashing of slot", Retry::Again(Doubt::Owner)),
            ("LOADING Redis is loading the dataset in memory", Retry::Again(Doubt::Nothing)),
            ("BUSY Redis is busy running a script.", Retry::Again(Doubt::Nothing)),
            ("NOREPLICAS Not enough good replicas to write.", Retry::Again(Doubt::Nothing)),
            ("ERR Error running script (call to f_1): -READONLY You can't write", Retry::Again(Doubt::Role)),
            ("OOM command not allowed when used memory > 'maxmemory'.", Retry::Never(Doubt::Nothing)),
            ("MISCONF Redis is configured to save RDB snapshots", Retry::Never(Doubt::Nothing)),
            ("NOPERM this user has no permissions", Retry::Never(Doubt::Nothing)),
            ("WRONGTYPE Operation against a key", Retry::Never(Doubt::Nothing)),
            ("CROSSSLOT Keys in request don't hash to the same slot", Retry::Never(Doubt::Nothing)),
            ("", Retry::Never(Doubt::Nothing)),
        ] {
            assert_eq!(retry(&server(text), true), expected, "{text}");
            assert_eq!(retry(&server(text), false), expected, "{text}");
        }
        let redirect = Redirect { ask: true, slot: 5, to: Endpoint::tcp("h", 2) };
        assert_eq!(retry(&server("ASK 5 h:2"), false), Retry::Follow(redirect));
    }

    #[test]
    fn a_lost_answer_is_asked_for_again_only_where_twice_is_once() {
        let lost = CallError::Lost(ClosedBecause::ByServer);
        assert_eq!(retry(&lost, false), Retry::Never(Doubt::Link));
        assert_eq!(retry(&lost, true), Retry::Again(Doubt::Link));
        assert_eq!(retry(&CallError::NotSent(ClosedBecause::ByServer), false), Retry::Again(Doubt::Link));
        assert_eq!(retry(&CallError::TimedOut, true), Retry::Never(Doubt::Link));
    }
}
