//! `bare`: one thread and one poller, no parsing beyond the handshake's key. The limit of accepting clients.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, bail};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::wire;

const LISTENER: Token = Token(usize::MAX);

/// One client: the stream and how many of its messages were answered.
struct Client {
    stream: TcpStream,
    answered: usize,
}

/// Accepts clients for ever: the first message of each is taken for a handshake, the next two for the commands.
pub(crate) fn run() -> Result<()> {
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    println!("listening {}", listener.local_addr()?);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let replies = [wire::canned_connect_reply(), wire::canned_subscribe_reply()];
    let mut clients: Slab<Client> = Slab::new();
    let mut events = Events::with_capacity(1024);
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            done => done?,
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut clients)?;
            } else if let Some(client) = clients.get_mut(event.token().0)
                && !serve(client, &replies)?
            {
                clients.remove(event.token().0);
            }
        }
    }
}

fn accept(listener: &TcpListener, poll: &Poll, clients: &mut Slab<Client>) -> Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nodelay(true)?;
                let entry = clients.vacant_entry();
                poll.registry().register(&mut stream, Token(entry.key()), Interest::READABLE)?;
                entry.insert(Client { stream, answered: 0 });
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Answers what `client` sent; `false` when it is gone.
fn serve(client: &mut Client, replies: &[Vec<u8>]) -> Result<bool> {
    let mut chunk = [0; 4096];
    loop {
        let received = match client.stream.read(&mut chunk) {
            Ok(0) => return Ok(false),
            Ok(count) => &chunk[..count],
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let upgrade;
        let answer = match client.answered.checked_sub(1) {
            None => {
                upgrade = wire::upgrade_response(received);
                upgrade.as_ref()
            }
            Some(number) => replies.get(number),
        };
        let Some(answer) = answer else { bail!("an unexpected message of {} bytes", received.len()) };
        match client.stream.write(answer) {
            Ok(sent) if sent == answer.len() => client.answered += 1,
            Ok(sent) => bail!("sent {sent} of {} bytes", answer.len()),
            Err(_) => return Ok(false),
        }
        if received.len() < chunk.len() {
            return Ok(true);
        }
    }
}
