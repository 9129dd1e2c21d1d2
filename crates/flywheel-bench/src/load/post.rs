//! `post`: publications over the HTTP API, one after the other on each connection.

use anyhow::{Result, ensure};

use crate::load::{Script, Step};
use crate::{http, wire};

/// One publication, asked for again and again.
pub(crate) struct Post {
    request: Vec<u8>,
}

impl Post {
    /// 128 bytes of data into a channel.
    pub(crate) fn new(channel: &str) -> Self {
        let data = "x".repeat(wire::PUSH_BYTES - 2);
        Self { request: http::post("/api/publish", &format!(r#"{{"channel":"{channel}","data":"{data}"}}"#)) }
    }
}

impl Script for Post {
    fn begin(&mut self) -> &[u8] {
        &self.request
    }

    fn received(&mut self, bytes: &[u8]) -> Result<Step<'_>> {
        let Some(body) = http::body(bytes)? else { return Ok(Step::Wait) };
        ensure!(body.starts_with(br#"{"result":{"#), "answered with {}", String::from_utf8_lossy(body));
        Ok(Step::Done)
    }
}
