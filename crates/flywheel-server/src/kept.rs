use std::sync::Arc;

use flywheel_api::{TakeOver, Upgrades, Upgrading, Verdict};
use flywheel_transport::{Accepted, Adopter, Answer};

/// WebSockets and streams on connections that carried other requests before, as browsers and proxies that keep
/// connections open make them; and what else clients ask of the endpoints of their transports.
pub(crate) struct KeptConnections(Arc<Adopter>);

impl KeptConnections {
    pub(crate) fn new(adopter: Adopter) -> Self {
        Self(Arc::new(adopter))
    }
}

impl Upgrades for KeptConnections {
    fn concerns(&self, path: &str) -> bool {
        self.0.concerns(path)
    }

    fn decide(&self, head: &[u8]) -> Upgrading {
        match self.0.decide(head) {
            Answer::Accepted(accepted) => {
                let mut headers = vec![
                    ("connection", "Upgrade".to_owned()),
                    ("upgrade", "websocket".to_owned()),
                    ("sec-websocket-accept", accepted.accept.clone()),
                ];
                headers.extend(accepted.subprotocol.map(|name| ("sec-websocket-protocol", name.to_owned())));
                let extensions = accepted.extensions.map(str::to_owned);
                headers.extend(extensions.map(|agreed| ("sec-websocket-extensions", agreed)));
                Upgrading::Switched(headers, take_over(accepted))
            }
            Answer::Body(bytes_max, too_long, after) => {
                let adopter = Arc::clone(&self.0);
                let then = Box::new(move |body| -> std::pin::Pin<Box<dyn Future<Output = Verdict> + Send>> {
                    Box::pin(async move {
                        verdict(adopter.decide_with(after, body).await)
                            .unwrap_or_else(|| Verdict::Answer(404, Vec::new()))
                    })
                });
                Upgrading::Body { bytes_max, too_long, then }
            }
            answer => verdict(answer).map_or(Upgrading::No, Upgrading::Decided),
        }
    }
}

/// `None` when the request is for somebody else.
fn verdict(answer: Answer) -> Option<Verdict> {
    match answer {
        Answer::Status(status, headers) => Some(Verdict::Answer(status, headers)),
        Answer::Stream(accepted) => Some(Verdict::Leave(take_over(accepted))),
        Answer::NotOurs | Answer::Accepted(_) | Answer::Body(..) => None,
    }
}

fn take_over(accepted: Accepted) -> TakeOver {
    Box::new(move |stream, read| accepted.adopt(stream, read))
}
