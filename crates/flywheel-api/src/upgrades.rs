use std::pin::Pin;

use bytes::Bytes;

/// Answers requests of clients whose connections become something else than HTTP.
pub trait Upgrades: Send + Sync + 'static {
    /// Whether requests for this path are decided about here.
    fn concerns(&self, path: &str) -> bool;

    /// Decides about a request, given its head as it stands on the wire.
    fn decide(&self, head: &[u8]) -> Upgrading;
}

/// What becomes of a request.
pub enum Upgrading {
    /// It is answered like any other.
    No,
    /// It is answered with 101 and these headers; then the connection, of which some bytes may have been read already,
    /// goes to the function.
    Switched(Vec<(&'static str, String)>, TakeOver),
    /// This.
    Decided(Verdict),
    /// That depends on its body.
    Body {
        /// Longest body in bytes.
        bytes_max: usize,
        /// Headers of the answer to a longer one, or to one that does not come.
        too_long: Vec<(&'static str, String)>,
        /// Decides when it is there.
        then: AfterBody,
    },
}

/// What becomes of a request when all of it is there.
pub enum Verdict {
    /// It is answered with this status, these headers and no body.
    Answer(u16, Vec<(&'static str, String)>),
    /// The connection goes to the function, with what was read behind the request; the answer comes from there.
    Leave(TakeOver),
}

/// Takes a connection over.
pub type TakeOver = Box<dyn FnOnce(std::net::TcpStream, Vec<u8>) + Send>;

/// Decides about a request when its body is there.
pub type AfterBody = Box<dyn FnOnce(Bytes) -> Pin<Box<dyn Future<Output = Verdict> + Send>> + Send>;
