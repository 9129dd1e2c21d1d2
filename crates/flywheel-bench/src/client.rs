//! Opening one client, step by step and blocking.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::wire;

const WAIT: Duration = Duration::from_secs(10);
const EXTENSION: &[u8] = b"permessage-deflate";

/// What a client asks for beyond the least.
#[derive(Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct Wishes {
    /// Subscribe with deltas.
    #[arg(long)]
    pub(crate) delta: bool,
    /// Offer compression, and insist on it.
    #[arg(long)]
    pub(crate) deflate: bool,
}

/// Connects to `address`, upgrades, authenticates and subscribes to `channel`.
/// The stream is non-blocking afterwards and nothing is left unread.
pub(crate) fn open(address: SocketAddr, channel: &str, wishes: Wishes) -> Result<TcpStream> {
    let mut stream = connect(address)?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.write_all(&if wishes.deflate {
        wire::deflating_upgrade_request()
    } else {
        wire::upgrade_request()
    })?;
    read_until(&mut stream, |bytes| {
        let upgraded = wire::is_upgraded(bytes)?;
        let agreed = bytes.windows(EXTENSION.len()).any(|part| part == EXTENSION);
        ensure!(!upgraded || agreed == wishes.deflate, "compression was not agreed to as wished");
        Ok(upgraded)
    })?;
    let subscribe =
        if wishes.delta { wire::delta_command(channel) } else { wire::subscribe_command(channel) };
    for (id, command) in [(1, wire::connect_command()), (2, subscribe)] {
        stream.write_all(&command)?;
        read_until(&mut stream, |bytes| is_replied(bytes, id))?;
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// A TCP connection to `address` without Nagle's delay.
pub(crate) fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whether `bytes` are the whole good reply to command `id`; an error when they are anything else.
pub(crate) fn is_replied(mut bytes: &[u8], id: u64) -> Result<bool> {
    let Some(payload) = wire::take_text(&mut bytes)? else { return Ok(false) };
    wire::check_reply(payload, id)?;
    ensure!(bytes.is_empty(), "{} bytes that nobody asked for", bytes.len());
    Ok(true)
}

fn read_until(stream: &mut TcpStream, mut done: impl FnMut(&[u8]) -> Result<bool>) -> Result<()> {
    let mut received = Vec::new();
    let mut chunk = [0; 4096];
    while !done(&received)? {
        let count = stream.read(&mut chunk).context("awaiting an answer")?;
        ensure!(count > 0, "closed after {} bytes of an answer", received.len());
        ensure!(received.len() < 64 * 1024, "an endless answer");
        received.extend_from_slice(&chunk[..count]);
    }
    Ok(())
}
