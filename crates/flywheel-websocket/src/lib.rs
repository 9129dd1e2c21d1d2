//! RFC 6455 without IO: the opening handshake, a frame decoder and a frame encoder, for servers and for test clients.
//!
//! Bytes come in and go out as slices; sockets, clocks and timeouts belong to the caller. An idle [`Decoder`] holds no
//! heap memory: a frame that lies whole in the caller's read buffer is unmasked there and lent out, and only an
//! incomplete frame or a fragmented message is copied, as it arrives.
//!
//! ```
//! use flywheel_websocket::{Decoder, Event, Input, MessageKind, Opcode, Rules, write_frame, write_masked_frame};
//!
//! // What a client sends. The scratch buffer of a server would be filled by a read.
//! let mut scratch = Vec::new();
//! write_masked_frame(&mut scratch, Opcode::Text, b"hello", false, [1, 2, 3, 4]);
//!
//! let mut decoder = Decoder::new(Rules::default());
//! let mut answer = Vec::new();
//! let mut input = Input::new(&mut scratch);
//! while let Some(event) = decoder.poll_event(&mut input)? {
//!     if let Event::Message { kind: MessageKind::Text, payload, .. } = event {
//!         write_frame(&mut answer, Opcode::Text, payload, false);
//!     }
//! }
//! assert_eq!(answer, b"\x81\x05hello");
//! # Ok::<(), flywheel_websocket::ProtocolError>(())
//! ```
//!
//! The opening handshake is [`Head`], which gathers and parses the first request of a connection, and [`Upgrade`], which
//! decides whether it may become a WebSocket. [`Closing`] knows the closing handshake.
//!
//! permessage-deflate is in three pieces, because a server has many connections and few threads: [`Deflate`] is what a
//! connection remembers of the extension, one byte; [`Deflater`] and [`Inflater`] are what a thread needs, once.
#![forbid(unsafe_code)]

mod handshake;

mod decoder;
mod event;
mod header;
mod input;
mod partial;
mod rules;

mod deflate;
mod encode;
mod open_frame;
mod prepared;

mod close_code;
mod closing;
mod error;
mod mask;
mod opcode;
mod utf8;

pub use close_code::CloseCode;
pub use closing::Closing;
pub use decoder::Decoder;
pub use deflate::{Deflate, Deflater, Inflater};
pub use encode::{
    write_close, write_frame, write_header, write_masked_close, write_masked_frame, write_ping, write_pong,
};
pub use error::ProtocolError;
pub use event::{Event, MessageKind};
pub use handshake::{
    HEADERS_MAX, HandshakeError, Head, Limits, Request, Upgrade, UpgradeError, accept_key, write_bad_request,
    write_response,
};
pub use header::HEADER_BYTES_MAX;
pub use input::Input;
pub use mask::apply_mask;
pub use opcode::Opcode;
pub use open_frame::OpenFrame;
pub use prepared::Prepared;
pub use rules::{Role, Rules, Utf8};
pub use utf8::{InvalidUtf8, Utf8Validator};
