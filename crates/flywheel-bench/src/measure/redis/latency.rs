//! From a call on one node to the delivery on another, at a rate that all can keep up with.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::ground::{Ground, times};
use crate::report::median;

/// Seconds at the rate, in each round.
const SECONDS: f64 = 1.5;

/// Nanoseconds on the way, for each round.
pub(super) struct Found {
    rates: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

/// Publishes `rate` times in a second, in several rounds after one that is thrown away.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate that was measured")]
pub(super) fn measure(ground: &mut Ground, rate: f64, rounds: usize) -> Result<Found> {
    let listener = ground.listener.as_mut().context("somebody who listens")?;
    let count = (rate * SECONDS) as usize;
    let order = format!("pace {count} {} {}", rate as usize, ground.channels.join(" "));
    let mut found = Found { rates: Vec::new(), p50: Vec::new(), p99: Vec::new() };
    for round in 0..=rounds {
        listener.ask(&format!("expect {count}"), "done")?;
        let (began, ended) = times(&ground.publisher.ask(&order, "published")?)?;
        listener.ask("complete", "complete")?;
        let answer = listener.ask("latency", "latency")?;
        let figures = answer.split(' ').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        let &[p50, p99, _] = figures.as_slice() else { anyhow::bail!("latency {answer:?}") };
        let is_warm_up = round == 0;
        if !is_warm_up {
            found.rates.push(count as f64 * 1e9 / (ended - began) as f64);
            found.p50.push(p50);
            found.p99.push(p99);
        }
    }
    Ok(found)
}

impl Found {
    pub(super) fn row(&self, label: &str) -> Vec<String> {
        let ms = |nanos: f64| format!("{:.2}", nanos / 1e6);
        let least = |nanos: &[f64]| nanos.iter().copied().fold(f64::INFINITY, f64::min);
        vec![
            label.to_owned(),
            format!("{:.0}", median(&self.rates)),
            ms(median(&self.p50)),
            ms(median(&self.p99)),
            ms(least(&self.p50)),
            ms(least(&self.p99)),
        ]
    }

    pub(super) fn figures(&self) -> Value {
        json!({ "rates": self.rates, "p50_ns": self.p50, "p99_ns": self.p99 })
    }
}
