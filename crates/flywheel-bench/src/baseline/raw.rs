//! `raw`: one thread, one `send` for each client and burst, no poller. The limit of a fan-out.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::document::Deflater;
use crate::{document, meter, peer, wire};

const WAIT: Duration = Duration::from_secs(10);

/// Options of the raw sender.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Number of clients to await.
    #[arg(long)]
    connections: usize,
}

/// Accepts the clients, one after the other, then sends `K` joined frames to each on every order `burst K`, and on
/// `deflate BYTES NUMBER` a document that is compressed anew for each.
pub(crate) fn run(options: &Options) -> Result<()> {
    meter::allow_connections(options.connections)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("listening {}", listener.local_addr()?);
    let mut clients = (0..options.connections)
        .map(|number| welcome(&listener).with_context(|| format!("client {number}")))
        .collect::<Result<Vec<_>>>()?;
    let mut joined = (0, Vec::new());
    let mut deflater = Deflater::new();
    peer::obey(|order, rest| {
        if order == "deflate" {
            let (bytes, number) = rest.split_once(' ').context("two figures")?;
            let push = document::push(wire::CHANNEL, bytes.parse()?, number.parse()?);
            for client in &mut clients {
                let frame = deflater.frame(&push)?;
                let sent = client.write(&frame).context("sending")?;
                ensure!(sent == frame.len(), "sent {sent} of {} bytes", frame.len());
            }
            return Ok(None);
        }
        ensure!(order == "burst", "unknown order");
        let frames = rest.parse()?;
        if joined.0 != frames {
            joined = (frames, wire::push_frame().repeat(frames));
        }
        for client in &mut clients {
            let sent = client.write(&joined.1).context("sending")?;
            ensure!(sent == joined.1.len(), "sent {sent} of {} bytes", joined.1.len());
        }
        Ok(None)
    })
}

fn welcome(listener: &TcpListener) -> Result<TcpStream> {
    let (mut client, _) = listener.accept()?;
    client.set_nodelay(true)?;
    client.set_read_timeout(Some(WAIT))?;
    let mut received = Vec::new();
    let response = loop {
        read_more(&mut client, &mut received)?;
        if let Some(response) = wire::upgrade_response(&received) {
            break response;
        }
    };
    client.write_all(&response)?;
    for (command, reply) in [
        (wire::connect_command(), wire::canned_connect_reply()),
        (wire::subscribe_command(wire::CHANNEL), wire::canned_subscribe_reply()),
    ] {
        received.clear();
        while received.len() < command.len() {
            read_more(&mut client, &mut received)?;
        }
        ensure!(received == command, "an unexpected command");
        client.write_all(&reply)?;
    }
    Ok(client)
}

fn read_more(client: &mut TcpStream, received: &mut Vec<u8>) -> Result<()> {
    let mut chunk = [0; 1024];
    match client.read(&mut chunk).context("receiving")? {
        0 => bail!("closed too early"),
        count => received.extend_from_slice(&chunk[..count]),
    }
    Ok(())
}
