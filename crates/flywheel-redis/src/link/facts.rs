use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Endpoint, ErrorWord, LinkError, LinkSettings, ServerError, Socket};
use crate::resp::{Command, Decoder, Limits, Value};

/// How a server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By itself, or with replicas.
    Standalone,
    /// As a node of a cluster.
    Cluster,
    /// As a Sentinel, which has no data.
    Sentinel,
}

/// Whether a server may be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// As far as it knows.
    Primary,
    /// It copies another one.
    Replica {
        /// Which one, as the replica knows it.
        of: Endpoint,
    },
    /// It says something else, or is not allowed to say. Only a write tells.
    Unknown(String),
}

/// What a server says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// `redis`, `valkey` or another relative; empty when it does not say.
    pub server: String,
    /// Its version; empty when it does not say.
    pub version: String,
    /// How it runs.
    pub mode: Mode,
    /// Whether it may be written to.
    pub role: Role,
    /// Names this run of the process; another one after a restart. Empty when it does not say.
    pub run_id: String,
    /// Names the data set, together with those that are copied from it. Empty when it does not say.
    pub replication_id: String,
    /// The data set that it copied before it became a primary. Empty when there is none.
    pub replication_id2: String,
    /// Version of the protocol that was agreed on.
    pub resp: u8,
}

impl Facts {
    /// Whether the server has the data of the one that said `old`: it is the same, or copied it. Also when either does not
    /// say.
    pub fn continues(&self, old: &Self) -> bool {
        let known = &old.replication_id;
        known.is_empty()
            || self.replication_id.is_empty()
            || [&self.replication_id, &self.replication_id2].contains(&known)
    }

    /// Takes over what the sections `server` and `replication` of `INFO` say.
    pub fn learn(&mut self, info: &str) {
        let (mut host, mut port) = (None, None);
        let mut role = None;
        for (key, value) in info.lines().filter_map(|line| line.trim_end().split_once(':')) {
            match key {
                "redis_mode" => {
                    self.mode = match value {
                        "cluster" => Mode::Cluster,
                        "sentinel" => Mode::Sentinel,
                        _ => Mode::Standalone,
                    }
                }
                "redis_version" if self.version.is_empty() => value.clone_into(&mut self.version),
                "valkey_version" => value.clone_into(&mut self.version),
                "run_id" => value.clone_into(&mut self.run_id),
                "master_replid" => value.clone_into(&mut self.replication_id),
                "master_replid2" if value.trim_matches('0').is_empty() => self.replication_id2.clear(),
                "master_replid2" => value.clone_into(&mut self.replication_id2),
                "role" => role = Some(value),
                "master_host" => host = Some(value),
                "master_port" => port = value.parse().ok(),
                _ => {}
            }
        }
        match (role, host, port) {
            (Some("master"), ..) => self.role = Role::Primary,
            (Some("slave" | "replica"), Some(host), Some(port)) => {
                self.role = Role::Replica { of: Endpoint::tcp(host, port) };
            }
            (Some(other), ..) => self.role = Role::Unknown(other.to_owned()),
            (None, ..) => {}
        }
    }

    fn of_hello(reply: &Value) -> Self {
        let text = |key| reply.get(key).and_then(Value::text).unwrap_or_default().to_owned();
        Self {
            server: text("server"),
            version: text("version"),
            mode: match text("mode").as_str() {
                "cluster" => Mode::Cluster,
                "sentinel" => Mode::Sentinel,
                _ => Mode::Standalone,
            },
            role: match text("role").as_str() {
                "master" => Role::Primary,
                other => Role::Unknown(other.to_owned()),
            },
            run_id: String::new(),
            replication_id: String::new(),
            replication_id2: String::new(),
            resp: 3,
        }
    }

    fn of_nothing() -> Self {
        Self { resp: 2, ..Self::of_hello(&Value::Null) }
    }
}

/// Agrees on a version of the protocol, authenticates, chooses the database and asks who it is. `step` is kept up to date
/// with what is being waited for. Whoever calls sets the deadline.
pub(crate) async fn greet(
    socket: &mut Socket,
    endpoint: &Endpoint,
    settings: &LinkSettings,
    step: &mut &'static str,
) -> Result<(Decoder, Facts), LinkError> {
    let mut greeting = Greeting { socket, decoder: Decoder::new(Limits::default()), endpoint, step };
    let mut facts = match greeting.hello(settings).await? {
        Some(facts) => facts,
        None => greeting.authenticate(settings).await?,
    };
    if settings.db != 0 && facts.mode != Mode::Sentinel {
        greeting.demand("SELECT", Command::new("SELECT").number(settings.db.into())).await?;
    }
    for section in ["INFO server", "INFO replication"] {
        // An operator may have forbidden it; then the facts are what the greeting said.
        if let Some(info) = greeting.ask("INFO", Command::new(section)).await?.text() {
            facts.learn(info);
        }
    }
    Ok((greeting.decoder, facts))
}

struct Greeting<'g> {
    socket: &'g mut Socket,
    decoder: Decoder,
    endpoint: &'g Endpoint,
    step: &'g mut &'static str,
}

impl Greeting<'_> {
    /// `None` when the server knows no version 3, or shall not be asked for it.
    async fn hello(&mut self, settings: &LinkSettings) -> Result<Option<Facts>, LinkError> {
        if settings.resp2 {
            return Ok(None);
        }
        let mut hello = Command::new("HELLO").number(3);
        if !settings.password.is_empty() {
            let user = if settings.user.is_empty() { "default" } else { &settings.user };
            hello = hello.arg("AUTH").arg(user).arg(&settings.password);
        }
        if !settings.client_name.is_empty() {
            hello = hello.arg("SETNAME").arg(&settings.client_name);
        }
        match self.ask("HELLO", hello).await? {
            Value::Error(text) => {
                let error = ServerError::new(&text);
                let unknown = error.text.contains("unknown command") || error.word == ErrorWord::NoProto;
                // Who may not say hello may still authenticate the old way.
                if unknown || error.word == ErrorWord::NoPerm {
                    return Ok(None);
                }
                Err(self.refused("HELLO", error))
            }
            reply @ (Value::Map(_) | Value::Array(_)) => Ok(Some(Facts::of_hello(&reply))),
            _ => Err(self.not_redis("an answer to HELLO was expected".into())),
        }
    }

    async fn authenticate(&mut self, settings: &LinkSettings) -> Result<Facts, LinkError> {
        if !settings.password.is_empty() {
            let auth = Command::new("AUTH");
            let auth = if settings.user.is_empty() { auth } else { auth.arg(&settings.user) };
            self.demand("AUTH", auth.arg(&settings.password)).await?;
        }
        if !settings.client_name.is_empty() {
            self.demand("CLIENT SETNAME", Command::new("CLIENT SETNAME").arg(&settings.client_name)).await?;
        }
        Ok(Facts::of_nothing())
    }

    async fn demand(&mut self, step: &'static str, command: Command) -> Result<(), LinkError> {
        match self.ask(step, command).await? {
            Value::Error(text) => Err(self.refused(step, ServerError::new(&text))),
            _ => Ok(()),
        }
    }

    async fn ask(&mut self, step: &'static str, command: Command) -> Result<Value, LinkError> {
        *self.step = step;
        let mut bytes = Vec::new();
        command.write(&mut bytes);
        let failed = |error: std::io::Error| LinkError::NotRedis {
            endpoint: self.endpoint.clone(),
            reason: format!("{step}: {error}"),
            is_said: error.kind() == std::io::ErrorKind::InvalidData,
        };
        self.socket.write_all(&bytes).await.map_err(failed)?;
        self.socket.flush().await.map_err(failed)?;
        loop {
            match self.decoder.take() {
                Ok(Some(Value::Push(_))) => {}
                Ok(Some(value)) => return Ok(value),
                Ok(None) => {
                    self.decoder.buffer().reserve(4096);
                    if self.socket.read_buf(self.decoder.buffer()).await.map_err(failed)? == 0 {
                        return Err(LinkError::NotRedis {
                            endpoint: self.endpoint.clone(),
                            reason: format!("{step}: it closed the connection"),
                            is_said: false,
                        });
                    }
                }
                Err(error) => return Err(self.not_redis(format!("{step}: {error}"))),
            }
        }
    }

    fn refused(&self, step: &'static str, error: ServerError) -> LinkError {
        LinkError::Refused { endpoint: self.endpoint.clone(), step, error }
    }

    fn not_redis(&self, reason: String) -> LinkError {
        LinkError::NotRedis { endpoint: self.endpoint.clone(), reason, is_said: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_goes_on_with_data_that_it_copied_and_not_with_others() {
        let named = |id: &str, id2: &str| {
            let mut facts = Facts::of_nothing();
            facts.learn(&format!("master_replid:{id}\r\nmaster_replid2:{id2}\r\n"));
            facts
        };
        let old = named("aa", "00");
        assert!(named("bb", "aa").continues(&old), "it was promoted");
        assert!(named("aa", "00").continues(&old), "it is the same");
        assert!(!named("cc", "00").continues(&old));
        assert!(named("", "00").continues(&old) && old.continues(&named("", "00")), "nobody knows");
    }

    #[test]
    fn info_tells_the_role_and_whose_data_it_is() {
        let mut facts = Facts::of_nothing();
        facts.learn(
            "# Replication\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_replid:ab\r\n",
        );
        assert_eq!(facts.role, Role::Replica { of: Endpoint::tcp("10.0.0.1", 6379) });
        facts.learn(
            "role:master\r\nmaster_replid:cd\r\nmaster_replid2:0000\r\nredis_mode:cluster\r\nrun_id:x\r\n",
        );
        assert_eq!((&facts.role, facts.mode), (&Role::Primary, Mode::Cluster));
        assert_eq!((facts.replication_id.as_str(), facts.replication_id2.as_str()), ("cd", ""));
        facts.learn("role:active-replica\r\n");
        assert_eq!(facts.role, Role::Unknown("active-replica".into()));
    }
}
