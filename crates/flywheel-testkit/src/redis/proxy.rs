use std::collections::VecDeque;
use std::io::{self, BufReader, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::RedisReply;

/// What passes a [`FaultProxy`] towards a client.
#[derive(Debug)]
pub struct SeenReply<'a> {
    /// The connection, counted from 0.
    pub connection: usize,
    /// Name of the command it answers, in capitals; for what answers none, and for (un)subscriptions, the kind of message
    /// in capitals.
    pub command: &'a str,
    /// Its place among those of the same name since the rule was given, counted from 0 over all connections.
    pub nth: usize,
    /// What it says.
    pub reply: &'a RedisReply,
}

/// What a [`FaultProxy`] does with a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnReply {
    /// Hands it on.
    Pass,
    /// Drops it; the next one takes its place.
    Swallow,
    /// Hands it on twice.
    Duplicate,
    /// Drops it, and all that follows on this connection.
    Mute,
    /// Resets the connection.
    Reset,
}

type Rule = dyn FnMut(&SeenReply<'_>) -> OnReply + Send;

/// A TCP proxy between a client and a Redis that breaks what passes it.
///
/// Its connections end with the process.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    target: SocketAddr,
    is_hole: bool,
    is_refusing: bool,
    delay: Duration,
    rule: Option<Box<Rule>>,
    counts: Vec<(String, usize)>,
    open: Vec<Pair>,
    accepted: usize,
}

struct Pair {
    client: TcpStream,
    server: TcpStream,
    is_half_open: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("target", &self.target)
            .field("accepted", &self.accepted)
            .finish_non_exhaustive()
    }
}

impl FaultProxy {
    /// Listens on a free port of 127.0.0.1 for what goes to `target` there.
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            target: (Ipv4Addr::LOCALHOST, target).into(),
            is_hole: false,
            is_refusing: false,
            delay: Duration::ZERO,
            rule: None,
            counts: Vec::new(),
            open: Vec::new(),
            accepted: 0,
        }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                carry(&client, &shared);
            }
        });
        Self { address, state }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// New connections go to this port of 127.0.0.1; those that are open stay.
    pub fn retarget(&self, port: u16) {
        self.state().target.set_port(port);
    }

    /// Lets nothing pass in either direction until [`heal`](Self::heal); nothing is lost, as with packets that are sent again.
    pub fn black_hole(&self) {
        self.state().is_hole = true;
    }

    /// Undoes [`black_hole`](Self::black_hole) and [`refuse`](Self::refuse).
    pub fn heal(&self) {
        let mut state = self.state();
        (state.is_hole, state.is_refusing) = (false, false);
    }

    /// Closes new connections at once.
    pub fn refuse(&self) {
        self.state().is_refusing = true;
    }

    /// Holds everything back for this long, in both directions.
    pub fn delay(&self, time: Duration) {
        self.state().delay = time;
    }

    /// Asks `rule` about every reply from now on.
    pub fn on_reply(&self, rule: impl FnMut(&SeenReply<'_>) -> OnReply + Send + 'static) {
        let mut state = self.state();
        state.counts.clear();
        state.rule = Some(Box::new(rule));
    }

    /// Does this to the `nth` reply to the command, counted from 0 and from now.
    pub fn on_nth(&self, command: &'static str, nth: usize, what: OnReply) {
        self.on_reply(
            move |seen| if seen.command == command && seen.nth == nth { what } else { OnReply::Pass },
        );
    }

    /// Does this to every reply to the command from now on.
    pub fn on_every(&self, command: &'static str, what: OnReply) {
        self.on_reply(move |seen| if seen.command == command { what } else { OnReply::Pass });
    }

    /// Lets every reply pass again.
    pub fn pass(&self) {
        self.state().rule = None;
    }

    /// Resets every open connection (RST on both sides).
    pub fn reset(&self) {
        for pair in self.state().open.drain(..) {
            pair.reset();
        }
    }

    /// Cuts every open connection off from the server, which hangs up, while the client is told nothing.
    pub fn half_open(&self) {
        for pair in &mut self.state().open {
            pair.is_half_open = true;
            drop(pair.server.shutdown(Shutdown::Both));
        }
    }

    /// Connections accepted so far.
    pub fn accepted(&self) -> usize {
        self.state().accepted
    }
}

impl Pair {
    fn reset(self) {
        for stream in [&self.client, &self.server] {
            // Without lingering, closing is a reset. Some may be closed already.
            drop(socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)));
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

/// Starts to carry a connection that was accepted.
fn carry(client: &TcpStream, shared: &Arc<Mutex<State>>) {
    let mut state = shared.lock().unwrap();
    let connection = state.accepted;
    state.accepted += 1;
    if state.is_refusing {
        return;
    }
    let target = state.target;
    drop(state);
    let Ok(server) = TcpStream::connect_timeout(&target, Duration::from_secs(2)) else { return };
    let clone = || Ok::<_, io::Error>((client.try_clone()?, server.try_clone()?));
    let (Ok(for_requests), Ok(for_replies), Ok(kept)) = (clone(), clone(), clone()) else { return };
    for stream in [client, &server] {
        drop(stream.set_nodelay(true));
    }
    let pair = Pair { client: kept.0, server: kept.1, is_half_open: false };
    shared.lock().unwrap().open.push(pair);
    let asked = Arc::<Mutex<VecDeque<String>>>::default();
    let (state, commands) = (Arc::clone(shared), Arc::clone(&asked));
    thread::spawn(move || {
        let (client, server) = for_requests;
        drop(requests(&client, &server, &state, &commands));
        drop(server.shutdown(Shutdown::Both));
    });
    let state = Arc::clone(shared);
    thread::spawn(move || {
        let (client, server) = for_replies;
        drop(replies(&client, &server, &state, &asked, connection));
        let is_half_open = {
            let state = state.lock().unwrap();
            let mine = client.peer_addr().ok();
            state.open.iter().any(|pair| pair.is_half_open && pair.client.peer_addr().ok() == mine)
        };
        if !is_half_open {
            drop(client.shutdown(Shutdown::Both));
        }
    });
}

/// Waits out black holes and delays.
fn hold(shared: &Mutex<State>) {
    let delay = shared.lock().unwrap().delay;
    if !delay.is_zero() {
        thread::sleep(delay);
    }
    while shared.lock().unwrap().is_hole {
        thread::sleep(Duration::from_millis(5));
    }
}

fn requests(
    client: &TcpStream,
    mut server: &TcpStream,
    shared: &Mutex<State>,
    asked: &Mutex<VecDeque<String>>,
) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, client);
    loop {
        let mut raw = Vec::new();
        let command = RedisReply::read(&mut reader, &mut raw)?;
        let name = command.items().first().map(RedisReply::text).unwrap_or_default().to_uppercase();
        // Their acknowledgements are recognised by what they say, since there are as many as channels.
        if !name.ends_with("SUBSCRIBE") {
            asked.lock().unwrap().push_back(name);
        }
        hold(shared);
        server.write_all(&raw)?;
    }
}

fn replies(
    mut client: &TcpStream,
    server: &TcpStream,
    shared: &Mutex<State>,
    asked: &Mutex<VecDeque<String>>,
    connection: usize,
) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, server);
    let mut is_mute = false;
    loop {
        let mut raw = Vec::new();
        let reply = RedisReply::read(&mut reader, &mut raw)?;
        hold(shared);
        let command = name_of(&reply, asked);
        let action = shared.lock().unwrap().judge(connection, &command, &reply);
        is_mute |= action == OnReply::Mute;
        match action {
            _ if is_mute => {}
            OnReply::Swallow | OnReply::Mute => {}
            OnReply::Pass => client.write_all(&raw)?,
            OnReply::Duplicate => client.write_all(&[&raw[..], &raw].concat())?,
            OnReply::Reset => {
                drop(socket2::SockRef::from(client).set_linger(Some(Duration::ZERO)));
                return Ok(());
            }
        }
    }
}

/// The command that a reply answers, or the kind of message that it is.
fn name_of(reply: &RedisReply, asked: &Mutex<VecDeque<String>>) -> String {
    let kind = reply.items().first().map(RedisReply::text).unwrap_or_default();
    let is_message = matches!(reply, RedisReply::Push(_))
        || kind.ends_with("subscribe")
        || (kind.ends_with("message") && reply.items().len() >= 3);
    if is_message { kind.to_uppercase() } else { asked.lock().unwrap().pop_front().unwrap_or_default() }
}

impl State {
    fn judge(&mut self, connection: usize, command: &str, reply: &RedisReply) -> OnReply {
        let Some(rule) = &mut self.rule else { return OnReply::Pass };
        let nth = if let Some((_, count)) = self.counts.iter_mut().find(|(name, _)| name == command) {
            *count += 1;
            *count
        } else {
            self.counts.push((command.to_owned(), 0));
            0
        };
        rule(&SeenReply { connection, command, nth, reply })
    }
}
