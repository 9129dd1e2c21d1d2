use std::time::Duration;

use crate::duration;

/// What the part of a URL after `?` says. Unknown parameters are ignored.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Query {
    pub(super) addresses: Vec<String>,
    pub(super) db: Option<u32>,
    pub(super) sentinel_master_name: Option<String>,
    pub(super) sentinel_user: Option<String>,
    pub(super) sentinel_password: Option<String>,
    pub(super) sentinel_tls_enabled: Option<bool>,
    pub(super) tls_enabled: Option<bool>,
    pub(super) force_resp2: Option<bool>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) io_timeout: Option<Duration>,
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("..")
    }
}

impl Query {
    /// # Errors
    /// What to write instead.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value, true)
                .ok_or_else(|| format!("the parameter {name} has a % that begins no %XX; write % as %25"))?;
            query.set(name, value)?;
        }
        Ok(query)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "addr" => self.addresses.push(value),
            "db" => self.db = Some(value.parse().map_err(|_| wrong(name, "a number, as in db=1"))?),
            "sentinel_master_name" => self.sentinel_master_name = filled(value),
            "sentinel_user" => self.sentinel_user = filled(value),
            "sentinel_password" => self.sentinel_password = filled(value),
            "sentinel_tls_enabled" => self.sentinel_tls_enabled = Some(switch(name, &value)?),
            "tls_enabled" => self.tls_enabled = Some(switch(name, &value)?),
            "force_resp2" => self.force_resp2 = Some(switch(name, &value)?),
            "replica_client_enabled" => {
                switch(name, &value)?;
            }
            "connect_timeout" => self.connect_timeout = Some(time(name, &value)?),
            "io_timeout" => self.io_timeout = Some(time(name, &value)?),
            _ => {}
        }
        Ok(())
    }
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn switch(name: &str, value: &str) -> Result<bool, String> {
    crate::convert::go_bool(value).ok_or_else(|| wrong(name, "true or false"))
}

fn time(name: &str, value: &str) -> Result<Duration, String> {
    let nanoseconds = duration::parse(value).ok().and_then(|nanoseconds| u64::try_from(nanoseconds).ok());
    let time = nanoseconds.filter(|nanoseconds| *nanoseconds > 0).map(Duration::from_nanos);
    time.ok_or_else(|| wrong(name, "a time above 0 with a unit, as in \"1s\""))
}

fn wrong(name: &str, expected: &str) -> String {
    format!("the parameter {name} of the URL cannot be read; write {expected}")
}

/// Text with `%XX` replaced by what it stands for; `None` where that is not possible.
pub(super) fn decoded(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
