//! `return`: whole lives of clients that were here before. Connect, upgrade, authenticate, recover, reset.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};

use crate::load::dial::Dial;
use crate::load::{Script, Step};
use crate::wire;

/// Options of this load.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Server to connect to.
    #[arg(long)]
    pub(crate) address: SocketAddr,
    /// Clients alive at the same time.
    #[arg(long)]
    pub(crate) at_once: usize,
    /// Channel to recover.
    #[arg(long)]
    channel: String,
    /// Life of its stream.
    #[arg(long)]
    epoch: String,
    /// Last publication that was seen.
    #[arg(long)]
    offset: u64,
    /// Publications since.
    #[arg(long)]
    missed: usize,
}

/// A [`Dial`] that says since when it was away.
pub(crate) struct Recover {
    dial: Dial,
    missed: usize,
}

impl Recover {
    /// A client that has not begun.
    pub(crate) fn new(options: &Options) -> Self {
        let subscribe = wire::recover_command(&options.channel, options.offset, &options.epoch);
        Self { dial: Dial::subscribing_with(subscribe), missed: options.missed }
    }
}

impl Script for Recover {
    fn begin(&mut self) -> &[u8] {
        self.dial.begin()
    }

    fn received(&mut self, bytes: &[u8]) -> Result<Step<'_>> {
        let step = self.dial.received(bytes)?;
        if matches!(step, Step::Close) {
            check(bytes, self.missed)?;
        }
        Ok(step)
    }
}

/// The reply must bring all that was missed.
fn check(mut bytes: &[u8], missed: usize) -> Result<()> {
    let payload = wire::take_text(&mut bytes)?.context("no reply")?;
    let shown = || String::from_utf8_lossy(payload);
    let reply: serde_json::Value = serde_json::from_slice(payload)?;
    let result = &reply["subscribe"];
    let publications = result["publications"].as_array().map_or(0, Vec::len);
    ensure!(result["recovered"] == true && publications == missed, "recovered {publications}: {}", shown());
    Ok(())
}
