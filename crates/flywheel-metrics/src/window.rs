use std::collections::BTreeMap;

use prometheus::proto::{LabelPair, Metric, MetricType};

use crate::Metrics;

/// The numbers of one window of time, as the server API's `info` tells them: counts since the last window, gauges as they
/// are. Names are made as the reference makes them: `centrifugo.client.num_reply_errors.method.connect.code.107`.
///
/// Source: server API, section 2.11.
#[derive(Debug, Default)]
pub struct Window {
    before: BTreeMap<String, f64>,
}

/// Metrics of others are not told.
const PREFIX: &str = "centrifugo_";

impl Window {
    /// Ends a window and begins the next.
    pub fn turn(&mut self, metrics: &Metrics) -> BTreeMap<String, f64> {
        let mut items = BTreeMap::new();
        let mut now = BTreeMap::new();
        for family in metrics.gather() {
            if !family.name().starts_with(PREFIX) {
                continue;
            }
            let name = family.name().trim_end_matches("_histogram").replacen('_', ".", 2);
            for metric in family.get_metric() {
                let labels = labels(metric.get_label());
                let mut count = |name: String, value: f64| {
                    items.insert(name.clone(), value - self.before.get(&name).copied().unwrap_or_default());
                    now.insert(name, value);
                };
                match family.get_field_type() {
                    MetricType::COUNTER => count(format!("{name}{labels}"), value_of_counter(metric)),
                    MetricType::HISTOGRAM => {
                        let histogram = metric.get_histogram();
                        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
                        let observations = histogram.get_sample_count() as f64;
                        count(format!("{name}.count{labels}"), observations);
                        count(format!("{name}.sum{labels}"), histogram.get_sample_sum());
                    }
                    _ => {
                        items.insert(format!("{name}{labels}"), metric.get_gauge().get_value());
                    }
                }
            }
        }
        self.before = now;
        items
    }
}

fn value_of_counter(metric: &Metric) -> f64 {
    metric.get_counter().get_value()
}

/// `.label.value` for each label that is not empty.
fn labels(pairs: &[LabelPair]) -> String {
    let told = pairs.iter().filter(|pair| !pair.value().is_empty());
    told.flat_map(|pair| [".", pair.name(), ".", pair.value()]).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Action, ApiFailure, ApiMethod, ApiProtocol};

    #[test]
    fn counts_are_those_of_the_window_and_gauges_are_as_they_are() {
        let metrics = Metrics::new("1");
        let mut window = Window::default();
        let item = |items: &BTreeMap<String, f64>, name: &str| {
            *items.get(name).unwrap_or_else(|| panic!("{name} is not among {:?}", items.keys()))
        };
        metrics.node.set_clients(7);
        metrics.node.action(Action::Survey);
        metrics.api.answered(ApiProtocol::Http, ApiMethod::Info, Duration::from_secs(2));
        metrics.api.failed(ApiProtocol::Http, ApiMethod::Info, ApiFailure::Code(107));
        let items = window.turn(&metrics);
        for (name, value) in [
            ("centrifugo.node.num_clients", 7.0),
            ("centrifugo.node.action_count.action.survey", 1.0),
            ("centrifugo.node.messages_sent_count.type.control", 0.0),
            ("centrifugo.api.command_duration_seconds.count.method.info.protocol.http", 1.0),
            ("centrifugo.api.command_duration_seconds.sum.method.info.protocol.http", 2.0),
            ("centrifugo.api.command_errors_total.error.107.method.info.protocol.http", 1.0),
        ] {
            assert!((item(&items, name) - value).abs() < 1e-9, "{name}: {items:?}");
        }
        assert!(items.keys().all(|name| name.starts_with("centrifugo.")), "{items:?}");
        metrics.node.set_clients(3);
        metrics.node.action(Action::Survey);
        metrics.node.action(Action::Survey);
        let items = window.turn(&metrics);
        assert!((item(&items, "centrifugo.node.num_clients") - 3.0).abs() < 1e-9);
        assert!((item(&items, "centrifugo.node.action_count.action.survey") - 2.0).abs() < 1e-9);
        let quiet = item(&items, "centrifugo.api.command_duration_seconds.count.method.info.protocol.http");
        assert!(quiet.abs() < 1e-9);
    }
}
