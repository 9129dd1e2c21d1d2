//! Fixtures of the end-to-end tests: a server in a process of its own, clients that share no code with it, and transcripts.
//!
//! - [`Server`] starts the built binary on a free port, waits until it is healthy, and kills it when dropped.
//! - [`Transcript`] and [`Replay`] hold a conversation and play it over a real socket, byte for byte.
//! - [`Connection`] is a WebSocket client on an independent implementation; [`JsonClient`] speaks the client protocol on it.
//! - [`Signer`] signs tokens with keys of every kind, and shows the public half.
//! - [`KeyServer`] publishes keys over HTTP, well or badly.
//! - [`RawSocket`] sends what no well-behaved client would send.
//! - [`Stream`] reads a response whose body comes piece by piece.
//! - [`Sdk`] runs a script that uses a published SDK.
//! - [`Cutter`] is a TCP proxy that cuts what goes through it.
//! - [`Backing`] is the application behind a proxy, scripted.
//! - [`Fifo`] stands between a program and a reader that stops reading.
//! - [`Bound`] holds what a test measured against what the failure matrix states; [`Footprint`] does so for memory.
//! - [`drill`] puts nodes under load while something fails, and judges what clients saw.
//! - [`RedisServer`], [`SentinelSet`], [`RedisCluster`] and [`HaProxy`] start real ones; [`FaultProxy`] breaks what passes it.
//! - [`Http`] is a small blocking HTTP/1.1 client, [`proto`] writes and prints Protobuf without generated code.
//!
//! Nothing here uses the codecs of the server: a mistake in them must not cancel itself out.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test support fails the test by panicking"
)]
#![expect(clippy::missing_panics_doc, reason = "every helper panics when the test cannot go on")]
#![expect(clippy::disallowed_methods, reason = "end-to-end tests run against the real clock")]

mod backing;
mod bound;
mod client;
mod connection;
mod cutter;
pub mod drill;
mod external;
mod fifo;
mod footprint;
mod http;
mod key_server;
mod orders;
mod process;
pub mod proto;
mod raw;
mod redis;
mod server;
mod settings;
mod signer;
mod stream;
mod token;
mod transcript;
mod wait;

pub use backing::{Asked, Backing, redirect, with_status};
pub use bound::Bound;
pub use client::JsonClient;
pub use connection::{Connection, Encoding, Event};
pub use cutter::{Cut, Cutter};
pub use external::{Checks, Sdk, installed, run_checks, sdk_folder, workspace_folder};
pub use fifo::Fifo;
pub use footprint::Footprint;
pub use http::{Http, Response};
pub use key_server::{KeyServer, Reply};
pub use process::{Finished, examine, file_limit, listening_addresses, open_files, resident_bytes, run};
pub use raw::{Frame, RawSocket, client_frame};
pub use redis::{
    Certificates, FaultProxy, HaProxy, MASTER_NAME, OnReply, RedisClient, RedisCluster, RedisOptions,
    RedisRelease, RedisReply, RedisServer, SeenReply, SentinelOptions, SentinelSet,
};
pub use rustix::process::Signal;
pub use server::Server;
pub use settings::{add_namespace, fixture, fixture_on_redis, set};
pub use signer::Signer;
pub use stream::Stream;
pub use token::{named_token, sign};
pub use transcript::{Bindings, Line, Mismatch, Replay, Step, Transcript, apply_delta, hex_example};
pub use wait::{free_port, wait_until};
