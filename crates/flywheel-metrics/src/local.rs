use std::time::Duration;

use prometheus::HistogramVec;
use prometheus::local::LocalHistogram;

/// A labelled histogram that one thread fills without atomics. What is left is added to the registry on drop.
pub(crate) struct LocalHistograms {
    vec: HistogramVec,
    cells: Box<[Option<LocalHistogram>]>,
}

impl LocalHistograms {
    /// Room for `cells` series of `vec`.
    pub(crate) fn new(vec: &HistogramVec, cells: usize) -> Self {
        Self { vec: vec.clone(), cells: (0..cells).map(|_| None).collect() }
    }

    /// Adds to the series at `index`. `labels` are its values, the same at every call.
    pub(crate) fn observe<const L: usize>(&mut self, index: usize, labels: [&str; L], took: Duration) {
        self.cells[index]
            .get_or_insert_with(|| self.vec.with_label_values(&labels).local())
            .observe(took.as_secs_f64());
    }

    pub(crate) fn flush(&mut self) {
        self.cells.iter().flatten().for_each(LocalHistogram::flush);
    }
}
