//! Figures: their middle, as aligned text, and as JSON.

use serde_json::{Value, json};

/// One table of a report.
pub(crate) struct Table {
    title: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// What one measurement found.
pub(crate) struct Report {
    /// Name of the measurement, the key of its figures in JSON.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) tables: Vec<Table>,
    /// For machines.
    pub(crate) figures: Value,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(title: impl Into<String>, header: &[&str]) -> Self {
        Self {
            title: title.into(),
            header: header.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds one row with a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as lines of text, columns aligned, figures to the right.
    pub(crate) fn render(&self) -> String {
        let lines = || std::iter::once(&self.header).chain(&self.rows);
        let width = |column: usize| {
            lines().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let mut text = format!("{}\n", self.title);
        for row in lines() {
            for (column, cell) in row.iter().enumerate() {
                let padding = " ".repeat(width(column) - cell.chars().count());
                let (before, after) =
                    if column == 0 { ("", padding.as_str()) } else { (padding.as_str(), "") };
                text.extend(["  ", before, cell, after]);
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }
}

impl Report {
    /// All tables, one after the other.
    pub(crate) fn render(&self) -> String {
        self.tables.iter().map(Table::render).collect::<Vec<_>>().join("\n")
    }
}

/// The figures of several measurements as one JSON object.
pub(crate) fn as_json(reports: &[Report]) -> Value {
    reports.iter().map(|report| (report.name.to_owned(), report.figures.clone())).collect()
}

/// The middle of `figures`; of an even number the mean of the two in the middle; NaN of none.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.as_slice() {
        [] => f64::NAN,
        sorted if sorted.len() % 2 == 1 => sorted[sorted.len() / 2],
        sorted => f64::midpoint(sorted[sorted.len() / 2 - 1], sorted[sorted.len() / 2]),
    }
}

/// One comparison repeated: what the thinnest possible process and the server paid for the same work.
pub(crate) struct Pairs {
    /// Microseconds of CPU for one unit of work: baseline, server.
    pub(crate) costs: Vec<(f64, f64)>,
}

impl Pairs {
    /// The middle of the baseline's costs.
    pub(crate) fn baseline(&self) -> f64 {
        median(&self.costs.iter().map(|cost| cost.0).collect::<Vec<_>>())
    }

    /// The middle of the server's costs.
    pub(crate) fn server(&self) -> f64 {
        median(&self.costs.iter().map(|cost| cost.1).collect::<Vec<_>>())
    }

    /// Each pair's baseline divided by its server.
    pub(crate) fn ratios(&self) -> Vec<f64> {
        self.costs.iter().map(|(baseline, server)| baseline / server).collect()
    }

    /// The middle of the pairs' ratios, baseline divided by server: 1 is the limit.
    pub(crate) fn ratio(&self) -> f64 {
        median(&self.ratios())
    }

    /// Pairs and middles for machines.
    pub(crate) fn figures(&self) -> Value {
        json!({
            "baseline_us": self.costs.iter().map(|cost| cost.0).collect::<Vec<_>>(),
            "server_us": self.costs.iter().map(|cost| cost.1).collect::<Vec<_>>(),
            "ratios": self.ratios(),
            "baseline_us_median": self.baseline(),
            "server_us_median": self.server(),
            "ratio_median": self.ratio(),
        })
    }

    /// The row of this comparison: label, both medians, each pair's ratio, their median.
    pub(crate) fn row(&self, label: String) -> Vec<String> {
        let ratios = self.ratios().iter().map(|ratio| percent(*ratio)).collect::<Vec<_>>().join(" ");
        vec![
            label,
            format!("{:.3}", self.baseline()),
            format!("{:.3}", self.server()),
            ratios,
            percent(self.ratio()),
        ]
    }
}

/// A share in per cent.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new("title", &["k", "µs"]);
        table.row(["1".to_owned(), "5.88".to_owned()]);
        table.row(["32".to_owned(), "0.2".to_owned()]);
        assert_eq!(table.render(), "title\n  k     µs\n  1   5.88\n  32   0.2\n");
    }

    #[test]
    fn a_ratio_below_one_means_the_server_costs_more() {
        let pairs = Pairs { costs: vec![(8.0, 10.0), (9.0, 10.0), (1.0, 10.0)] };
        assert!((pairs.ratio() - 0.8).abs() < 1e-9);
        assert_eq!(pairs.row("x".to_owned())[4], "80%");
    }
}
