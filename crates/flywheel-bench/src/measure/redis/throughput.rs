//! How many publications in a second, in pairs of the limit and the engine.

use anyhow::Result;
use serde_json::{Value, json};

use super::Options;
use super::ground::{Ground, Sample};
use crate::report::{Table, median, percent};

/// Share of the limit to reach.
const TARGET: f64 = 0.8;

/// Samples of the limit and of the engine.
pub(super) struct Found(Vec<(Sample, Sample)>);

/// The table that [`Found::row`] is a row of.
pub(super) fn table(at_once: usize) -> Table {
    Table::new(
        format!(
            "redis: thousand publications per second with history, 100 bytes, {at_once} at once; \
             the limit is redis-benchmark with the same calls"
        ),
        &["through", "limit", "engine", "engine / limit by pair", "median", "target"],
    )
}

/// The table that [`Found::costs_row`] is a row of.
pub(super) fn costs_table() -> Table {
    Table::new(
        "redis: µs of CPU per publication (Redis with all its servers; who publishes; who listens)",
        &["through", "Redis, limit", "Redis, engine", "redis-benchmark", "engine", "engine that listens"],
    )
}

/// Runs both in turn, each first in every other pair, after one pair that is thrown away.
pub(super) fn compare(ground: &mut Ground, publications: usize, options: &Options) -> Result<Found> {
    let publications = publications.next_multiple_of(crate::redis::limit::STEP * ground.channels.len());
    let mut pairs = Vec::new();
    for round in 0..=options.rounds {
        let pair = if round % 2 == 0 {
            let limit = ground.limit(publications)?;
            (limit, ground.engine(publications, options.at_once)?)
        } else {
            let engine = ground.engine(publications, options.at_once)?;
            (ground.limit(publications)?, engine)
        };
        let is_warm_up = round == 0;
        if !is_warm_up {
            pairs.push(pair);
        }
    }
    Ok(Found(pairs))
}

impl Found {
    /// The middle of the engine's rates, in publications per second.
    pub(super) fn engine_rate(&self) -> f64 {
        self.middle(|pair| pair.1.rate)
    }

    fn middle(&self, figure: impl Fn(&(Sample, Sample)) -> f64) -> f64 {
        median(&self.0.iter().map(figure).collect::<Vec<_>>())
    }

    fn shares(&self, rate: fn(&Sample) -> f64) -> Vec<f64> {
        self.0.iter().map(|(limit, engine)| rate(engine) / rate(limit)).collect()
    }

    pub(super) fn row(&self, label: &str) -> Vec<String> {
        self.row_of(label.to_owned(), |sample| sample.rate)
    }

    /// By the time that Redis had.
    pub(super) fn own_row(&self, label: &str) -> Vec<String> {
        self.row_of(format!("{label}, its own time"), |sample| sample.own_rate)
    }

    fn row_of(&self, label: String, rate: fn(&Sample) -> f64) -> Vec<String> {
        let shares = self.shares(rate);
        let middle = median(&shares);
        let verdict = if middle >= TARGET { "met" } else { "missed" };
        vec![
            label,
            format!("{:.1}", self.middle(|pair| rate(&pair.0)) / 1e3),
            format!("{:.1}", self.middle(|pair| rate(&pair.1)) / 1e3),
            shares.iter().map(|share| percent(*share)).collect::<Vec<_>>().join(" "),
            percent(middle),
            format!("{} ({verdict})", percent(TARGET)),
        ]
    }

    pub(super) fn costs_row(&self, label: &str) -> Vec<String> {
        let middles = [
            self.middle(|pair| pair.0.redis_us),
            self.middle(|pair| pair.1.redis_us),
            self.middle(|pair| pair.0.publisher_us),
            self.middle(|pair| pair.1.publisher_us),
            self.middle(|pair| pair.1.listener_us),
        ];
        let middles = middles.iter().map(|middle| format!("{middle:.1}"));
        std::iter::once(label.to_owned()).chain(middles).collect()
    }

    pub(super) fn figures(&self) -> Value {
        let sample = |sample: &Sample| {
            json!({
                "rate": sample.rate,
                "own_rate": sample.own_rate,
                "redis_us": sample.redis_us,
                "publisher_us": sample.publisher_us,
                "listener_us": sample.listener_us,
            })
        };
        json!({
            "limit": self.0.iter().map(|pair| sample(&pair.0)).collect::<Vec<_>>(),
            "engine": self.0.iter().map(|pair| sample(&pair.1)).collect::<Vec<_>>(),
            "shares": self.shares(|sample| sample.rate),
            "share_median": median(&self.shares(|sample| sample.rate)),
            "own_share_median": median(&self.shares(|sample| sample.own_rate)),
        })
    }
}
