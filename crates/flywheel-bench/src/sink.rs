//! The receivers of a fan-out, or of silence: many clients in one process, told over standard input what to
//! await.
//!
//! | order | answer | meaning |
//! | --- | --- | --- |
//! | `burst BYTES` | `done` | every client received that many bytes more; they were dropped unread |
//! | `check K` | `done` | every client received exactly K push frames, byte for byte as expected |
//! | `quiet` | `done` | no client has anything unread |
//! | `pings MILLISECONDS` | `pings N` | for that long each ping was answered; there were N |

mod pings;

use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use crate::clock::Deadline;
use crate::sink::pings::Pings;
use crate::{client, meter, peer, wire};

const BURST_LIMIT: Duration = Duration::from_secs(20);
/// Pause between two looks at the sockets. Nobody sleeps on them, so the server never pays for waking a reader.
const SWEEP: Duration = Duration::from_millis(1);
const DROPPED_AT_ONCE: usize = 1 << 20;
/// So many clients are opened between two looks for pings.
const OPENED_BETWEEN_PINGS: usize = 64;

/// How the clients of a sink subscribe.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Channels {
    /// All to one channel.
    Shared,
    /// Each to one of its own.
    Own,
}

/// Options of the sink.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Server to connect to.
    #[arg(long)]
    address: SocketAddr,
    /// Number of clients.
    #[arg(long)]
    connections: usize,
    /// Whether the clients share one channel.
    #[arg(long, value_enum, default_value = "shared")]
    channels: Channels,
    /// The channel, or what begins its name.
    #[arg(long, default_value = wire::CHANNEL)]
    channel: String,
    #[command(flatten)]
    wishes: client::Wishes,
    /// Answer pings from the beginning on.
    #[arg(long)]
    pings: bool,
}

/// Opens the clients, says `ready`, and obeys.
pub(crate) fn run(options: &Options) -> Result<()> {
    meter::allow_connections(options.connections)?;
    let mut pings = options.pings.then(|| Pings::new(options.connections)).transpose()?;
    let mut sockets = Vec::with_capacity(options.connections);
    for number in 0..options.connections {
        let channel = match options.channels {
            Channels::Shared => options.channel.clone(),
            Channels::Own => format!("{}-{number}", options.channel),
        };
        let socket = client::open(options.address, &channel, options.wishes)
            .with_context(|| format!("opening client {number}"))?;
        if let Some(pings) = &mut pings {
            pings.watch(&socket, number)?;
        }
        sockets.push(socket);
        if let Some(pings) = &mut pings
            && number % OPENED_BETWEEN_PINGS == 0
        {
            pings.answer(&mut sockets, Duration::ZERO)?;
        }
    }
    println!("ready");
    let mut scratch = vec![0; DROPPED_AT_ONCE];
    peer::obey(|order, rest| match order {
        "burst" => {
            sweep(&sockets, rest.parse()?, &mut scratch)?;
            Ok(Some("done".to_owned()))
        }
        "check" => {
            let expected = wire::push_frame().repeat(rest.parse()?);
            for (number, socket) in sockets.iter_mut().enumerate() {
                check(socket, &expected).with_context(|| format!("client {number}"))?;
            }
            Ok(Some("done".to_owned()))
        }
        "quiet" => {
            for (number, socket) in sockets.iter().enumerate() {
                let unread = drop_received(socket, &mut scratch)?;
                ensure!(unread == 0, "client {number} received {unread} bytes too many");
            }
            Ok(Some("done".to_owned()))
        }
        "pings" => {
            let pings = pings.as_mut().context("started without --pings")?;
            let count = pings.answer(&mut sockets, Duration::from_millis(rest.parse()?))?;
            Ok(Some(format!("pings {count}")))
        }
        _ => bail!("unknown order"),
    })
}

/// Drops `bytes` from every socket as they arrive.
fn sweep(sockets: &[TcpStream], bytes: usize, scratch: &mut [u8]) -> Result<()> {
    let deadline = Deadline::after(BURST_LIMIT);
    let mut waiting: Vec<(&TcpStream, usize)> = sockets.iter().map(|socket| (socket, bytes)).collect();
    loop {
        // While the last has nothing, a look at the others would only disturb the sender.
        let last_is_served = take_from_last(&mut waiting, scratch)?;
        if last_is_served {
            let mut failure = None;
            waiting.retain_mut(|(socket, left)| match drop_received(socket, &mut scratch[..*left]) {
                Ok(count) => {
                    *left -= count;
                    *left > 0
                }
                Err(error) => {
                    failure.get_or_insert(error);
                    true
                }
            });
            failure.map_or(Ok(()), Err)?;
        }
        if waiting.is_empty() {
            return Ok(());
        }
        ensure!(!deadline.is_over(), "{} clients still lack bytes of a burst", waiting.len());
        thread::sleep(SWEEP);
    }
}

fn take_from_last(waiting: &mut [(&TcpStream, usize)], scratch: &mut [u8]) -> Result<bool> {
    let Some((socket, left)) = waiting.last_mut() else { return Ok(false) };
    let count = drop_received(socket, &mut scratch[..*left])?;
    *left -= count;
    Ok(*left == 0)
}

/// Lets the kernel throw away up to `scratch.len()` bytes; returns how many there were.
fn drop_received(socket: &TcpStream, scratch: &mut [u8]) -> Result<usize> {
    if scratch.is_empty() {
        return Ok(0);
    }
    match recv(socket.as_raw_fd(), scratch, MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT) {
        Ok(0) => bail!("the server closed a client"),
        Ok(count) => Ok(count),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
        Err(error) => Err(error).context("receiving"),
    }
}

fn check(socket: &mut TcpStream, expected: &[u8]) -> Result<()> {
    let deadline = Deadline::after(BURST_LIMIT);
    let mut received = vec![0; expected.len()];
    let mut filled = 0;
    while filled < received.len() {
        match socket.read(&mut received[filled..]) {
            Ok(0) => bail!("the server closed it"),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(SWEEP),
            Err(error) => return Err(error).context("receiving"),
        }
        ensure!(!deadline.is_over(), "received {filled} of {} bytes", expected.len());
    }
    ensure!(
        received == expected,
        "received {:?}, expected {:?}",
        String::from_utf8_lossy(&received),
        String::from_utf8_lossy(expected)
    );
    Ok(())
}
