use std::fmt;

use bytes::Bytes;

use super::Endpoint;
use crate::resp::DecodeError;

/// The first word of an error, which says what kind it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are the words of the server")]
pub enum ErrorWord {
    Moved,
    Ask,
    ReadOnly,
    ClusterDown,
    MasterDown,
    Loading,
    TryAgain,
    NoScript,
    Busy,
    Oom,
    Misconf,
    NoReplicas,
    NoAuth,
    WrongPass,
    NoPerm,
    CrossSlot,
    WrongType,
    NoProto,
    ExecAbort,
    /// Any other word.
    Other,
}

const WORDS: [(&str, ErrorWord); 19] = [
    ("MOVED", ErrorWord::Moved),
    ("ASK", ErrorWord::Ask),
    ("READONLY", ErrorWord::ReadOnly),
    ("CLUSTERDOWN", ErrorWord::ClusterDown),
    ("MASTERDOWN", ErrorWord::MasterDown),
    ("LOADING", ErrorWord::Loading),
    ("TRYAGAIN", ErrorWord::TryAgain),
    ("NOSCRIPT", ErrorWord::NoScript),
    ("BUSY", ErrorWord::Busy),
    ("OOM", ErrorWord::Oom),
    ("MISCONF", ErrorWord::Misconf),
    ("NOREPLICAS", ErrorWord::NoReplicas),
    ("NOAUTH", ErrorWord::NoAuth),
    ("WRONGPASS", ErrorWord::WrongPass),
    ("NOPERM", ErrorWord::NoPerm),
    ("CROSSSLOT", ErrorWord::CrossSlot),
    ("WRONGTYPE", ErrorWord::WrongType),
    ("NOPROTO", ErrorWord::NoProto),
    ("EXECABORT", ErrorWord::ExecAbort),
];

fn word(text: &str) -> Option<ErrorWord> {
    WORDS.iter().find(|(spelled, _)| *spelled == text).map(|(_, word)| *word)
}

/// An error that a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// What kind it is. Servers before version 7 wrap what a script ran into; then it is the wrapped one.
    pub word: ErrorWord,
    /// Its first line.
    pub text: String,
}

/// Another server is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Only this once, and after `ASKING`.
    pub ask: bool,
    /// Which slot it is about.
    pub slot: u16,
    /// The other server. An empty host means the host that answered.
    pub to: Endpoint,
}

impl ServerError {
    /// Reads the text of an error.
    pub fn new(text: &Bytes) -> Self {
        let text = String::from_utf8_lossy(text);
        let text = text.lines().next().unwrap_or_default();
        let mut words = text.split(|c: char| !c.is_ascii_uppercase()).filter(|word| !word.is_empty());
        let first = words.next().unwrap_or_default();
        let kind = match word(first) {
            Some(kind) => kind,
            None if first == "ERR" => words.find_map(word).unwrap_or(ErrorWord::Other),
            None => ErrorWord::Other,
        };
        Self { word: kind, text: text.to_owned() }
    }

    /// Whom to ask instead, when the error says so.
    pub fn redirect(&self) -> Option<Redirect> {
        let ask = match self.word {
            ErrorWord::Moved => false,
            ErrorWord::Ask => true,
            _ => return None,
        };
        let mut words =
            self.text.split(' ').skip_while(|word| !matches!(*word, "MOVED" | "ASK" | "-MOVED" | "-ASK"));
        let (_, slot, to) = (words.next()?, words.next()?, words.next()?);
        Some(Redirect { ask, slot: slot.parse().ok()?, to: to.parse().ok()? })
    }

    /// Whether the server certainly did nothing, so that the same call may be made again, here or elsewhere.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.word,
            ErrorWord::Moved
                | ErrorWord::Ask
                | ErrorWord::ReadOnly
                | ErrorWord::ClusterDown
                | ErrorWord::MasterDown
                | ErrorWord::Loading
                | ErrorWord::TryAgain
                | ErrorWord::NoScript
                | ErrorWord::Busy
        )
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for ServerError {}

/// Why a connection came to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClosedBecause {
    /// The server closed it.
    #[error("the server closed the connection")]
    ByServer,
    /// The socket failed.
    #[error("{0}")]
    Io(String),
    /// What came is no RESP.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// No byte came for too long while an answer was due.
    #[error("the server was silent for {0} ms")]
    Silent(u64),
    /// An answer did not belong to the call that it was for.
    #[error("an answer was lost, repeated or mixed up")]
    MixedUp,
    /// Whoever holds the link closed it, and says why.
    #[error("{0}")]
    ByUs(String),
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The command never left. It may be sent elsewhere.
    #[error("not sent: {0}")]
    NotSent(ClosedBecause),
    /// The deadline passed before the command left: too much was waiting.
    #[error("not sent before the deadline")]
    NoPlace,
    /// The connection broke after the command left. It may have been carried out.
    #[error("outcome unknown: {0}")]
    Lost(ClosedBecause),
    /// The deadline passed after the command left. It may have been carried out, or still be.
    #[error("no answer before the deadline")]
    TimedOut,
    /// The server refused it.
    #[error("{0}")]
    Server(ServerError),
}

impl CallError {
    /// Whether the command was certainly not carried out, so that it may be made again within its deadline.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotSent(_) => true,
            Self::Server(error) => error.is_retryable(),
            Self::NoPlace | Self::Lost(_) | Self::TimedOut => false,
        }
    }

    /// The error of the server, if there is one.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Server(error) => Some(error),
            _ => None,
        }
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The name has no address.
    #[error("{host}: {reason}")]
    NoAddress {
        /// The name.
        host: String,
        /// What the resolver says.
        reason: String,
    },
    /// Nobody answers there.
    #[error("connect to {endpoint}: {reason}")]
    Connect {
        /// Where.
        endpoint: Endpoint,
        /// What the system says.
        reason: String,
    },
    /// Encryption could not be agreed on.
    #[error("TLS with {endpoint}: {reason}")]
    Tls {
        /// With whom.
        endpoint: Endpoint,
        /// What went wrong.
        reason: String,
        /// It was said by one of both sides; else the connection broke.
        is_said: bool,
    },
    /// The server refused the greeting.
    #[error("{step} at {endpoint}: {error}")]
    Refused {
        /// Who.
        endpoint: Endpoint,
        /// Which command.
        step: &'static str,
        /// What it says.
        error: ServerError,
    },
    /// What answered is no Redis.
    #[error("{endpoint} does not speak the protocol of Redis: {reason}")]
    NotRedis {
        /// Who.
        endpoint: Endpoint,
        /// What it did.
        reason: String,
        /// It was something that it said; else the connection broke.
        is_said: bool,
    },
    /// All of it took too long.
    #[error("connect to {endpoint}: no answer within {millis} ms while {step}")]
    TimedOut {
        /// Who.
        endpoint: Endpoint,
        /// Time for the whole dial.
        millis: u64,
        /// What was being waited for.
        step: &'static str,
    },
}

impl LinkError {
    /// Whether the same dial will fail in the same way until somebody changes a setting, here or there: it was answered, and
    /// the answer was no. What may be over with the next dial is none of it.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { step, error, .. } => {
                matches!(error.word, ErrorWord::WrongPass | ErrorWord::NoAuth | ErrorWord::NoPerm)
                    || error.text.contains("without any password configured")
                    || error.text.starts_with("DENIED")
                    || (*step == "SELECT" && error.word == ErrorWord::Other)
            }
            Self::Tls { is_said, .. } | Self::NotRedis { is_said, .. } => *is_said,
            Self::NoAddress { .. } | Self::Connect { .. } | Self::TimedOut { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_for_good_is_a_refusal_and_what_may_pass_is_not() {
        let endpoint = || Endpoint::tcp("a", 1);
        let refused = |step, text| LinkError::Refused { endpoint: endpoint(), step, error: error(text) };
        for (step, text, expected) in [
            ("HELLO", "WRONGPASS invalid username-password pair or user is disabled.", true),
            ("HELLO", "NOAUTH HELLO must be called with the client already authenticated", true),
            ("AUTH", "ERR AUTH <password> called without any password configured", true),
            ("HELLO", "DENIED Redis is running in protected mode", true),
            ("SELECT", "ERR DB index is out of range", true),
            ("HELLO", "LOADING Redis is loading the dataset in memory", false),
            ("SELECT", "LOADING Redis is loading the dataset in memory", false),
            ("HELLO", "ERR max number of clients reached", false),
        ] {
            assert_eq!(refused(step, text).is_refusal(), expected, "{text}");
        }
        for is_said in [true, false] {
            let reason = String::new;
            assert_eq!(
                LinkError::Tls { endpoint: endpoint(), reason: reason(), is_said }.is_refusal(),
                is_said
            );
            assert_eq!(
                LinkError::NotRedis { endpoint: endpoint(), reason: reason(), is_said }.is_refusal(),
                is_said
            );
        }
        assert!(!LinkError::Connect { endpoint: endpoint(), reason: String::new() }.is_refusal());
    }

    fn error(text: &'static str) -> ServerError {
        ServerError::new(&Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn the_word_is_found_also_where_old_servers_wrap_it() {
        for (text, word) in [
            ("READONLY You can't write against a read only replica.", ErrorWord::ReadOnly),
            (
                "ERR Error running script (call to f_1): @user_script:3: @user_script: 3: -READONLY You",
                ErrorWord::ReadOnly,
            ),
            ("BUSY Redis is busy running a script.", ErrorWord::Busy),
            ("BUSYGROUP Consumer Group name already exists", ErrorWord::Other),
            ("ERR unknown command 'HELLO'", ErrorWord::Other),
            ("NOAUTH HELLO must be called with the client already authenticated", ErrorWord::NoAuth),
            ("", ErrorWord::Other),
        ] {
            assert_eq!(error(text).word, word, "{text}");
        }
    }

    #[test]
    fn a_redirection_names_slot_and_server() {
        let moved = Redirect { ask: false, slot: 3999, to: Endpoint::tcp("127.0.0.1", 6381) };
        assert_eq!(error("MOVED 3999 127.0.0.1:6381").redirect(), Some(moved));
        let ask = Redirect { ask: true, slot: 1, to: Endpoint::tcp("", 7000) };
        assert_eq!(error("ASK 1 :7000").redirect(), Some(ask));
        let wrapped = error("ERR Error running script: -MOVED 5 ::1:7000 script: f").redirect();
        assert_eq!(wrapped.map(|redirect| redirect.to), Some(Endpoint::tcp("::1", 7000)));
        assert_eq!(error("MOVED").redirect(), None);
        assert_eq!(error("ERR x").redirect(), None);
    }
}
