use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Both ends are told that nothing more comes, as if the other process had ended.
    Close,
    /// Both ends are reset, and what was on its way is lost.
    Reset,
}

/// A TCP proxy on 127.0.0.1 that cuts the connections going through it when it is told to.
///
/// It knows nothing of what it carries, so that a cut may fall anywhere: into a handshake, a reply or a frame.
/// It ends with the process.
#[derive(Debug)]
pub struct Cutter {
    address: SocketAddr,
    wire: Arc<Wire>,
}

#[derive(Debug)]
struct Wire {
    server: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    links: Vec<Arc<Link>>,
    is_held: bool,
    planned: Option<Planned>,
    cuts: usize,
}

/// A cut that comes when so many more bytes of the server have passed.
#[derive(Debug)]
struct Planned {
    bytes: usize,
    cut: Cut,
}

/// One connection: the client's half and the server's.
#[derive(Debug)]
struct Link {
    client: TcpStream,
    server: TcpStream,
}

impl Cutter {
    /// A proxy in front of this server, on a free port.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let wire = Arc::new(Wire { server, state: Mutex::default() });
        let accepting = Arc::clone(&wire);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let wire = Arc::clone(&accepting);
                thread::spawn(move || wire.carry(client));
            }
        });
        Self { address, wire }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts every connection that is open.
    pub fn cut(&self, cut: Cut) {
        self.wire.state.lock().unwrap().cut(cut);
    }

    /// Lets so many more bytes of the server pass, over connections of now and later, and cuts in the middle of them.
    pub fn cut_after(&self, bytes: usize, cut: Cut) {
        self.wire.state.lock().unwrap().planned = Some(Planned { bytes, cut });
    }

    /// Cuts every connection and resets each new one until [`release`](Self::release).
    pub fn hold(&self, cut: Cut) {
        let mut state = self.wire.state.lock().unwrap();
        state.is_held = true;
        state.cut(cut);
    }

    /// Carries connections again.
    pub fn release(&self) {
        self.wire.state.lock().unwrap().is_held = false;
    }

    /// Number of connections cut so far.
    pub fn cuts(&self) -> usize {
        self.wire.state.lock().unwrap().cuts
    }
}

impl Wire {
    /// Carries one connection to its end. A server that cannot be reached, and a hold, reset it.
    fn carry(&self, client: TcpStream) {
        let Ok(server) = TcpStream::connect(self.server) else {
            reset(&client);
            return;
        };
        // Whoever waits for a small frame shall not wait for Nagle's algorithm; a socket that is gone already tells below.
        drop(client.set_nodelay(true));
        drop(server.set_nodelay(true));
        let link = Arc::new(Link { client, server });
        {
            let mut state = self.state.lock().unwrap();
            if state.is_held {
                link.cut(Cut::Reset);
                return;
            }
            state.links.push(Arc::clone(&link));
        }
        thread::scope(|scope| {
            scope.spawn(|| pump(&link.client, &link.server, |bytes| (&link.server).write_all(bytes).is_ok()));
            pump(&link.server, &link.client, |bytes| self.deliver(&link.client, bytes));
        });
        self.state.lock().unwrap().links.retain(|other| !Arc::ptr_eq(other, &link));
    }

    /// Hands bytes of the server to a client as far as the planned cut lets them pass; false when nothing more will.
    fn deliver(&self, mut client: &TcpStream, bytes: &[u8]) -> bool {
        let due = {
            let mut state = self.state.lock().unwrap();
            match &mut state.planned {
                Some(planned) if planned.bytes >= bytes.len() => {
                    planned.bytes -= bytes.len();
                    None
                }
                planned => planned.take(),
            }
        };
        let passing = due.as_ref().map_or(bytes, |due| &bytes[..due.bytes]);
        let written = client.write_all(passing).is_ok();
        if let Some(due) = &due {
            self.state.lock().unwrap().cut(due.cut);
        }
        written && due.is_none()
    }
}

impl State {
    fn cut(&mut self, cut: Cut) {
        self.planned = None;
        for link in self.links.drain(..) {
            link.cut(cut);
            self.cuts += 1;
        }
    }
}

impl Link {
    fn cut(&self, cut: Cut) {
        for end in [&self.client, &self.server] {
            match cut {
                // An end that has gone already needs no telling.
                Cut::Close => drop(end.shutdown(Shutdown::Both)),
                Cut::Reset => reset(end),
            }
        }
    }
}

/// Hands everything that comes from one end on, and then that nothing more comes.
fn pump(mut from: &TcpStream, to: &TcpStream, mut deliver: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if !deliver(&buffer[..read]) {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Write));
}

/// Aborts a connection. Closing it instead would wait until every thread has let go of it.
fn reset(stream: &TcpStream) {
    rustix::net::connect_unspec(stream).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait_until;
    use std::io::ErrorKind;
    use std::time::Duration;

    /// A server that says a line and then repeats what it hears.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().map(Result::unwrap) {
                thread::spawn(move || {
                    (&stream).write_all(b"welcome\n").unwrap();
                    pump(&stream, &stream, |bytes| (&stream).write_all(bytes).is_ok());
                });
            }
        });
        address
    }

    fn connect(cutter: &Cutter) -> TcpStream {
        let stream = TcpStream::connect(cutter.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// Connected, and greeted.
    fn welcomed(cutter: &Cutter) -> TcpStream {
        let stream = connect(cutter);
        let mut line = [0; 8];
        (&stream).read_exact(&mut line).unwrap();
        assert_eq!(&line, b"welcome\n");
        stream
    }

    /// Everything until the end, and the error at the end if it was not an orderly one.
    fn rest(mut stream: &TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
        let mut read = Vec::new();
        let end = stream.read_to_end(&mut read).err().map(|error| error.kind());
        (read, end)
    }

    #[test]
    fn it_carries_both_ways_and_hands_the_end_on() {
        let cutter = Cutter::start(echo());
        let stream = welcomed(&cutter);
        (&stream).write_all(b"hello").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&stream), (b"hello".to_vec(), None));
        assert_eq!(cutter.cuts(), 0);
    }

    #[test]
    fn a_cut_ends_every_connection_in_the_way_that_was_ordered() {
        let cutter = Cutter::start(echo());
        for (cut, end) in [(Cut::Close, None), (Cut::Reset, Some(ErrorKind::ConnectionReset))] {
            let two = [welcomed(&cutter), welcomed(&cutter)];
            cutter.cut(cut);
            assert_eq!(two.map(|stream| rest(&stream)), [(vec![], end), (vec![], end)], "{cut:?}");
        }
        assert_eq!(cutter.cuts(), 4);
        welcomed(&cutter);
    }

    #[test]
    fn a_planned_cut_falls_between_two_bytes() {
        let cutter = Cutter::start(echo());
        let before = welcomed(&cutter);
        cutter.cut_after(11, Cut::Close);
        let after = welcomed(&cutter);
        (&after).write_all(b"abcdef").unwrap();
        assert_eq!(rest(&after), (b"abc".to_vec(), None));
        assert_eq!(rest(&before), (vec![], None));
        welcomed(&cutter);
    }

    #[test]
    fn nobody_gets_through_while_it_holds() {
        let cutter = Cutter::start(echo());
        let before = welcomed(&cutter);
        cutter.hold(Cut::Close);
        assert_eq!(rest(&before).0, b"");
        assert_eq!(rest(&connect(&cutter)), (vec![], Some(ErrorKind::ConnectionReset)));
        cutter.release();
        welcomed(&cutter);
    }

    #[test]
    fn it_forgets_connections_that_have_ended() {
        let cutter = Cutter::start(echo());
        drop(welcomed(&cutter));
        assert!(wait_until(Duration::from_secs(10), || cutter.wire.state.lock().unwrap().links.is_empty()));
    }
}
