use std::sync::OnceLock;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

/// A labelled metric that makes a series for each combination of label values.
pub(crate) trait Labelled {
    type Series;

    fn series(&self, labels: &[&str]) -> Self::Series;
}

impl Labelled for IntCounterVec {
    type Series = IntCounter;

    fn series(&self, labels: &[&str]) -> IntCounter {
        self.with_label_values(labels)
    }
}

impl Labelled for IntGaugeVec {
    type Series = IntGauge;

    fn series(&self, labels: &[&str]) -> IntGauge {
        self.with_label_values(labels)
    }
}

/// A labelled metric whose series are found by index. A series is made when it is first used, so that it does not
/// show up before its first event.
pub(crate) struct Cells<V: Labelled> {
    vec: V,
    cells: Box<[OnceLock<V::Series>]>,
}

pub(crate) type Counters = Cells<IntCounterVec>;
pub(crate) type Gauges = Cells<IntGaugeVec>;

impl<V: Labelled> Cells<V> {
    /// Room for `cells` series of `vec`.
    pub(crate) fn new(vec: V, cells: usize) -> Self {
        Self { vec, cells: (0..cells).map(|_| OnceLock::new()).collect() }
    }

    /// The series at `index`. `labels` are its values, the same at every call.
    pub(crate) fn at<const L: usize>(&self, index: usize, labels: [&str; L]) -> &V::Series {
        self.cells[index].get_or_init(|| self.vec.series(&labels))
    }
}

impl Counters {
    /// Adds `count`; nothing happens when it is 0.
    pub(crate) fn add<const L: usize>(&self, index: usize, labels: [&str; L], count: u64) {
        if count > 0 {
            self.at(index, labels).inc_by(count);
        }
    }

    /// The counter of `code` in its `row` of [`CODE_CELLS`]; `labels` makes the values out of the code's text. A code
    /// that is not the protocol's own is looked up by text.
    pub(crate) fn of_code<const L: usize>(
        &self,
        row: usize,
        code: u32,
        labels: impl FnOnce(String) -> [String; L],
    ) -> IntCounter {
        let make = || self.vec.with_label_values(&labels(code.to_string()));
        match code_cell(code) {
            Some(cell) => self.cells[row * CODE_CELLS + cell].get_or_init(make).clone(),
            None => make(),
        }
    }
}

/// The protocol's own codes: errors, unsubscribes and disconnects, the latter two with and without coming back.
const CODE_BLOCKS: [u32; 5] = [100, 2000, 2500, 3000, 3500];
const BLOCK_LENGTH: u32 = 32;

/// Cells for one series per own code.
pub(crate) const CODE_CELLS: usize = CODE_BLOCKS.len() * BLOCK_LENGTH as usize;

fn code_cell(code: u32) -> Option<usize> {
    let block = CODE_BLOCKS.iter().position(|start| (*start..start + BLOCK_LENGTH).contains(&code))?;
    Some(block * BLOCK_LENGTH as usize + (code - CODE_BLOCKS[block]) as usize)
}

#[cfg(test)]
mod tests {
    use prometheus::core::Collector;
    use prometheus::{IntCounterVec, Opts};

    use super::*;

    fn counters() -> (IntCounterVec, Counters) {
        let vec = IntCounterVec::new(Opts::new("n", "h"), &["code"]).unwrap();
        (vec.clone(), Cells::new(vec, CODE_CELLS))
    }

    #[test]
    fn every_code_is_counted_as_itself() {
        let (vec, counters) = counters();
        let blocks = CODE_BLOCKS.iter().flat_map(|start| start - 1..=start + BLOCK_LENGTH);
        let codes: Vec<u32> = blocks.chain([0, 4000, 4999, u32::MAX]).collect();
        for code in codes.iter().chain(&codes) {
            counters.of_code(0, *code, |code| [code]).inc();
        }
        for code in codes {
            assert_eq!(vec.with_label_values(&[code.to_string()]).get(), 2, "{code}");
        }
    }

    #[test]
    fn nothing_counted_is_nothing_shown() {
        let (vec, counters) = counters();
        counters.add(0, ["a"], 0);
        assert!(vec.collect()[0].get_metric().is_empty());
        counters.add(0, ["a"], 3);
        assert_eq!(vec.with_label_values(&["a"]).get(), 3);
    }
}
