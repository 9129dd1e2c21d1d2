//! From a call on one node to the delivery on another, at a rate that all can keep up with.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::ground::{Ground, times};

/// Seconds at the rate.
const SECONDS: f64 = 5.0;

/// Times on the way, in nanoseconds.
pub(super) struct Found {
    rate: f64,
    p50: f64,
    p99: f64,
    max: f64,
}

/// Publishes `rate` times in a second.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate that was measured")]
pub(super) fn measure(ground: &mut Ground, rate: f64) -> Result<Found> {
    let listener = ground.listener.as_mut().context("somebody who listens")?;
    let count = (rate * SECONDS) as usize;
    listener.ask(&format!("expect {count}"), "done")?;
    let order = format!("pace {count} {} {}", rate as usize, ground.channels.join(" "));
    let (began, ended) = times(&ground.publisher.ask(&order, "published")?)?;
    listener.ask("complete", "complete")?;
    let answer = listener.ask("latency", "latency")?;
    let figures = answer.split(' ').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    let &[p50, p99, max] = figures.as_slice() else { anyhow::bail!("latency {answer:?}") };
    Ok(Found { rate: count as f64 * 1e9 / (ended - began) as f64, p50, p99, max })
}

impl Found {
    pub(super) fn row(&self, label: &str) -> Vec<String> {
        let ms = |nanos: f64| format!("{:.2}", nanos / 1e6);
        vec![label.to_owned(), format!("{:.0}", self.rate), ms(self.p50), ms(self.p99), ms(self.max)]
    }

    pub(super) fn figures(&self) -> Value {
        json!({ "rate": self.rate, "p50_ns": self.p50, "p99_ns": self.p99, "max_ns": self.max })
    }
}
