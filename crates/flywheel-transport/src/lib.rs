//! Sockets: one thread per shard that accepts, reads, runs sessions and writes.
//!
//! [`Reactor`] is the loop: an epoll instance, the connections it owns, the WebSocket frame layer, and one flush at the
//! end of each turn. It knows nothing of the protocol inside the frames; that is an [`Application`]. [`Sessions`] is the
//! application that this server is about; `examples/ws_echo.rs` is another one.

mod adoption;
mod application;
mod cors;
mod door;
mod endpoint;
mod io;
mod labels;
mod limits;
mod listen;
mod query;
mod reactor;
mod response;
mod sessions;
mod socket;
mod welcome;

pub use adoption::{Accepted, Adopter, Adoption, Adoptions, AfterHead, Answer, adoptions};
pub use application::{Admission, Application};
pub use cors::Header;
pub use door::{Door, DoorSettings, EmulationEndpoint, Full, Pass};
pub use endpoint::{Endpoint, Farewell, Statuses};
pub use flywheel_hub::Packing;
pub use io::Io;
pub use limits::ConnectionLimits;
pub use listen::{ListenError, listen};
pub use reactor::{Control, Handoff, Reactor, ReactorSettings};
pub use sessions::{Sessions, SessionsParts};
pub use welcome::Welcome;
