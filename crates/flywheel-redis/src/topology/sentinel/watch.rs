use std::sync::Arc;
use std::time::Duration;

use flywheel_model::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep, timeout};

use super::{Chosen, SentinelEvent, sentinel_event};
use crate::link::{CallError, Endpoint, Link, LinkSettings, open};
use crate::resp::{Command, Value};
use crate::topology::{Admission, Context, masters};

/// How often a Sentinel is asked.
const POLL: Duration = Duration::from_millis(500);
/// Every so many polls it is also asked for the others.
const DISCOVERY: u32 = 10;
/// Pause between dials.
const PAUSE: Duration = Duration::from_millis(250);
/// How often the connection for events is pinged, and how long it may be silent.
const PING: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(3);
/// Bytes to have room for before a read.
const READ_ROOM: usize = 4 << 10;

/// What a Sentinel said.
#[derive(Debug)]
pub(in crate::topology) enum Said {
    /// Who is the primary.
    Primary(Chosen),
    /// That it watches nothing of that name, but these.
    Unknown(Vec<String>),
    /// Which other Sentinels there are.
    Others(Vec<Endpoint>),
    /// That something happened.
    Event(SentinelEvent),
    /// Nothing: it cannot be reached, for this reason.
    Silent(String),
}

/// One Sentinel, asked twice a second and listened to.
#[derive(Clone)]
pub(in crate::topology) struct SentinelWatch {
    pub(in crate::topology) endpoint: Endpoint,
    pub(in crate::topology) settings: LinkSettings,
    pub(in crate::topology) name: String,
    pub(in crate::topology) keys: String,
    pub(in crate::topology) context: Context,
    /// Bounded; what does not fit is said again at the next poll.
    pub(in crate::topology) said: mpsc::Sender<(Endpoint, Said)>,
    /// Somebody has reason to ask now.
    pub(in crate::topology) poke: tokio::sync::watch::Receiver<u64>,
}

impl SentinelWatch {
    /// Starts both tasks; they end when nobody listens any more.
    pub(in crate::topology) fn start(self) {
        let tasks = self.context.tasks.clone();
        tasks.spawn_background(self.clone().poll());
        tasks.spawn_background(self.listen());
    }

    /// Answers whether anybody listens.
    fn say(&self, said: Said) -> bool {
        let sent = self.said.try_send((self.endpoint.clone(), said));
        !matches!(sent, Err(mpsc::error::TrySendError::Closed(_)))
    }

    async fn poll(mut self) {
        let Context { clock, random, tasks } = self.context.clone();
        while !self.said.is_closed() {
            match Link::connect(&self.endpoint, &self.settings, &clock, &random, &tasks).await {
                Ok(link) => {
                    let reason = self.ask_on(&link).await;
                    self.say(Said::Silent(reason));
                }
                Err(error) => {
                    let judge = Arc::new(|_: &_| Ok(()));
                    let admission = Admission {
                        judge,
                        keys: self.keys.clone(),
                        key: "sentinel_address",
                        connects: Arc::default(),
                    };
                    self.say(Said::Silent(admission.explain(&error, &self.settings)));
                }
            }
            sleep(self.context.jittered(PAUSE)).await;
        }
    }

    async fn ask_on(&mut self, link: &Link) -> String {
        if link.facts().mode != crate::link::Mode::Sentinel {
            let facts = link.facts().clone();
            link.close("not a Sentinel");
            return crate::topology::not_a_sentinel(&facts, &self.endpoint.to_string(), &self.keys);
        }
        let mut round = 0_u32;
        loop {
            let deadline = self.context.now() + self.settings.silence_max;
            let said = match self.primary(link, deadline).await {
                Ok(chosen) => chosen.map(Said::Primary),
                Err(error) if error.server().is_some_and(|error| error.text.contains("No such master")) => {
                    match link.call(Command::new("SENTINEL MASTERS"), deadline).await {
                        Ok(answer) => Some(Said::Unknown(masters(&answer))),
                        Err(error) => return error.to_string(),
                    }
                }
                Err(error) => return format!("{}: {error}", self.endpoint),
            };
            if said.is_some_and(|said| !self.say(said)) {
                return String::new();
            }
            if round.is_multiple_of(DISCOVERY)
                && let Ok(answer) =
                    link.call(Command::new("SENTINEL SENTINELS").arg(&self.name), deadline).await
            {
                self.say(Said::Others(answer.items().iter().filter_map(address).collect()));
            }
            round = round.wrapping_add(1);
            tokio::select! {
                () = sleep(POLL) => {}
                poked = self.poke.changed() => if poked.is_err() { return String::new() },
                because = link.closed() => return format!("{}: {because}", self.endpoint),
            }
        }
    }

    /// The primary and the configuration that made it one.
    ///
    /// Once a replica was promoted, the state of the master has the new epoch, but the old address until all replicas
    /// follow; whoever asks for the address alone is told the new one. An address that is not the state's is therefore of
    /// the epoch that the state has after it.
    async fn primary(&self, link: &Link, deadline: Timestamp) -> Result<Option<Chosen>, CallError> {
        let state = || link.call(Command::new("SENTINEL MASTER").arg(&self.name), deadline);
        let before = state().await?;
        let command = Command::new("SENTINEL GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let answer = link.call(command, deadline).await?;
        let [host, port] = answer.items() else { return Ok(None) };
        let (Some(host), Some(port)) = (host.text(), port.uint().and_then(|port| u16::try_from(port).ok()))
        else {
            return Ok(None);
        };
        let primary = Endpoint::tcp(host, port);
        let is_new = address(&before).is_none_or(|address| address != primary);
        let state = if is_new { state().await? } else { before };
        let epoch = state.get("config-epoch").and_then(Value::uint);
        Ok(epoch.map(|epoch| Chosen { primary, epoch }))
    }

    async fn listen(self) {
        while !self.said.is_closed() {
            // Polls tell what keeps it from being reached; events are for speed.
            drop(self.listen_once().await);
            sleep(self.context.jittered(PAUSE)).await;
        }
    }

    async fn listen_once(&self) -> Result<(), String> {
        let (mut socket, mut decoder, _) =
            open(&self.endpoint, &self.settings).await.map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        Command::new("PSUBSCRIBE").arg("*").write(&mut out);
        let mut pings = interval(PING);
        let mut last_byte = self.context.clock.elapsed();
        loop {
            let write = timeout(SILENCE, socket.write_all(&out)).await;
            write.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
            out.clear();
            decoder.buffer().reserve(READ_ROOM);
            tokio::select! {
                read = socket.read_buf(decoder.buffer()) => match read {
                    Ok(0) => return Ok(()),
                    Ok(_) => last_byte = self.context.clock.elapsed(),
                    Err(error) => return Err(error.to_string()),
                },
                _ = pings.tick() => {
                    if self.said.is_closed() || self.context.clock.elapsed().saturating_sub(last_byte) > SILENCE {
                        return Ok(());
                    }
                    Command::new("PING").write(&mut out);
                }
            }
            while let Some(value) = decoder.take().map_err(|error| error.to_string())? {
                if let Some(event) = self.event(&value)
                    && !self.say(Said::Event(event))
                {
                    return Ok(());
                }
            }
        }
    }

    fn event(&self, value: &Value) -> Option<SentinelEvent> {
        let [kind, _, channel, message] = value.items() else { return None };
        (kind.text()? == "pmessage").then(|| sentinel_event(channel.text()?, message.text()?, &self.name))?
    }
}

/// Where the state of a master or a Sentinel says that it listens.
fn address(state: &Value) -> Option<Endpoint> {
    let port = state.get("port").and_then(Value::uint).and_then(|port| u16::try_from(port).ok())?;
    Some(Endpoint::tcp(state.get("ip").and_then(Value::text)?, port))
}
