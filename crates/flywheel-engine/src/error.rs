/// Why an engine could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// It cannot be reached or did not answer in time; the same call may work later.
    #[error("engine unavailable: {0}")]
    Unavailable(String),
    /// The epoch of the position asked for is not the stream's. The client is told 112.
    #[error("the position is of another epoch")]
    Unrecoverable,
    /// There is no room for what was to be kept; the same call may work later.
    #[error("no room: {used} of {limit} bytes are in use")]
    NoRoom {
        /// Bytes in use.
        used: usize,
        /// The bound.
        limit: usize,
    },
}
