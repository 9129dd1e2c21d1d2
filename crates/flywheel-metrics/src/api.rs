use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec};

use crate::declare::{CALL, Declare};
use crate::labels::{ApiMethod, ApiProtocol};

/// Metrics of the server API.
pub struct ApiMetrics {
    durations: HistogramVec,
    errors: IntCounterVec,
}

/// Why a call of the server API failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiFailure {
    /// It was answered with this error code.
    Code(u32),
    /// Its body could not be read.
    ReadBody,
    /// Its body was not what the method expects.
    Unmarshal,
    /// Its answer could not be encoded.
    Marshal,
}

impl ApiMetrics {
    pub(crate) fn new(declare: &mut Declare) -> Self {
        Self {
            durations: declare.histograms(
                "centrifugo_api_command_duration_seconds_histogram",
                &["protocol", "method"],
                CALL,
                "Time from a call of the server API to its answer.",
            ),
            errors: declare.counters(
                "centrifugo_api_command_errors_total",
                &["protocol", "method", "error"],
                "Calls of the server API that failed.",
            ),
        }
    }

    /// A call was answered, successfully or not. Not for [`ApiMethod::Batch`], whose commands count one by one.
    pub fn answered(&self, protocol: ApiProtocol, method: ApiMethod, took: Duration) {
        self.durations.with_label_values(&[protocol.as_str(), method.as_str()]).observe(took.as_secs_f64());
    }

    /// A call failed.
    pub fn failed(&self, protocol: ApiProtocol, method: ApiMethod, failure: ApiFailure) {
        let code;
        let error = match failure {
            ApiFailure::Code(number) => {
                code = number.to_string();
                &code
            }
            ApiFailure::ReadBody => "read_body",
            ApiFailure::Unmarshal => "unmarshal",
            ApiFailure::Marshal => "marshal",
        };
        self.errors.with_label_values(&[protocol.as_str(), method.as_str(), error]).inc();
    }
}
