use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flywheel_metrics::{ApiFailure, ApiProtocol};
use flywheel_node::{ApiError, Node};
use globset::GlobSet;
use http::header::{self, HeaderValue};
use http::{Method as HttpMethod, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use parking_lot::RwLock;

use crate::api::{Call, Method, error_text, wrapped};
use crate::{ApiKey, health, legacy};

/// Which endpoints there are, and where. `None` means that there is none.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// Path of the server API, without a trailing slash.
    pub api: Option<String>,
    /// Whether API errors become HTTP statuses.
    pub transport_errors: bool,
    /// Path of the metrics.
    pub metrics: Option<String>,
    /// Path of the health check.
    pub health: Option<String>,
    /// Path of the endpoint that does nothing, for load balancers.
    pub init: Option<String>,
    /// The built-in page at `/`.
    pub page: Option<Page>,
    /// Origins that get CORS headers.
    pub origins: GlobSet,
}

/// A page that is served as it is.
#[derive(Debug, Clone, Copy)]
pub struct Page(pub &'static str);

/// Which endpoints a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// Those for clients.
    External,
    /// Those for operators and the application.
    Internal,
    /// All.
    Both,
}

/// Answers HTTP requests. Shared by all connections.
pub struct Service {
    node: Arc<Node>,
    key: ApiKey,
    endpoints: Endpoints,
    /// Whether the API is served to clients' listeners too.
    api_external: bool,
    /// Brings gauges up to date before metrics are shown.
    refresh_metrics: RwLock<Option<Box<dyn Fn() + Send + Sync>>>,
}

type Answer = Response<Full<Bytes>>;

/// The largest body of a request. The protocol names no bound; this one keeps a caller from filling the memory.
const BODY_BYTES_MAX: usize = 64 << 20;
/// A few looks of the watchdog.
const SECOND_LOOK: Duration = Duration::from_millis(300);
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

impl Service {
    /// Serves `endpoints` for `node`.
    pub fn new(node: Arc<Node>, key: ApiKey, endpoints: Endpoints, api_external: bool) -> Self {
        Self { node, key, endpoints, api_external, refresh_metrics: RwLock::new(None) }
    }

    /// Calls `refresh` before each scrape.
    pub fn refresh_metrics_with(&self, refresh: impl Fn() + Send + Sync + 'static) {
        *self.refresh_metrics.write() = Some(Box::new(refresh));
    }

    /// Answers a request that came over a listener with this exposure.
    pub async fn answer<B>(&self, exposure: Exposure, request: Request<B>) -> Answer
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = request.uri().path();
        let internal = exposure != Exposure::External;
        let external = exposure != Exposure::Internal;
        let is = |endpoint: &Option<String>| endpoint.as_deref() == Some(path);
        if internal || self.api_external {
            if is(&self.endpoints.api) {
                return self.single_endpoint(request).await;
            }
            let method =
                self.endpoints.api.as_deref().and_then(|prefix| path.strip_prefix(prefix)?.strip_prefix('/'));
            if let Some(method) = method.and_then(Method::named) {
                return self.call(method, request).await;
            }
        }
        if internal && is(&self.endpoints.health) {
            return respond(StatusCode::OK, JSON, Bytes::from_static(b"{}"));
        }
        let below_health =
            self.endpoints.health.as_deref().and_then(|prefix| path.strip_prefix(prefix)?.strip_prefix('/'));
        match below_health.filter(|_| internal) {
            Some("live") => return self.live().await,
            Some("ready") => return self.ready().await,
            _ => {}
        }
        if internal && is(&self.endpoints.metrics) {
            return self.metrics();
        }
        if external && is(&self.endpoints.init) {
            return self.init(&request);
        }
        if let Some(Page(page)) = self.endpoints.page
            && external
            && path == "/"
            && matches!(*request.method(), HttpMethod::GET | HttpMethod::HEAD)
        {
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            return respond(StatusCode::OK, html, Bytes::from_static(page.as_bytes()));
        }
        respond(StatusCode::NOT_FOUND, TEXT, Bytes::from_static(b"404 page not found\n"))
    }

    async fn call<B>(&self, method: Method, request: Request<B>) -> Answer
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let transport_errors = self.endpoints.transport_errors
            || request.headers().get("x-centrifugo-error-mode").is_some_and(|mode| mode == "transport");
        let body = match self.admitted(request).await {
            Ok(body) => body,
            Err(refusal) => {
                if refusal.status() == StatusCode::BAD_REQUEST {
                    self.node.metrics().api.failed(ApiProtocol::Http, method.label(), ApiFailure::ReadBody);
                }
                return refusal;
            }
        };
        let Ok(call) = Call::read(method, &body) else {
            self.node.metrics().api.failed(ApiProtocol::Http, method.label(), ApiFailure::Unmarshal);
            return bad_request();
        };
        let reply = call.make(&self.node).await;
        match reply {
            Ok(replies) if method == Method::Batch => respond(StatusCode::OK, JSON, replies.into()),
            Err(error) if transport_errors => {
                respond(transport_status(error), JSON, error_text(error).into())
            }
            reply => respond(StatusCode::OK, JSON, wrapped(&reply)),
        }
    }

    async fn single_endpoint<B>(&self, request: Request<B>) -> Answer
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let body = match self.admitted(request).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        match legacy::run(&self.node, &body).await {
            Ok(replies) => respond(StatusCode::OK, JSON, replies.into()),
            Err(legacy::Undecodable) => bad_request(),
        }
    }

    /// The body of a call that may be made; otherwise the answer.
    async fn admitted<B>(&self, request: Request<B>) -> Result<Bytes, Answer>
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if request.method() != HttpMethod::POST {
            return Err(status(StatusCode::METHOD_NOT_ALLOWED));
        }
        if !self.key.admits(request.headers(), request.uri().query()) {
            return Err(status(StatusCode::UNAUTHORIZED));
        }
        match Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(status(StatusCode::PAYLOAD_TOO_LARGE))
            }
            Err(_) => Err(bad_request()),
        }
    }

    /// A process that was stopped may answer before its watchdog has looked again.
    async fn stuck_threads(&self) -> Vec<String> {
        let stuck = self.node.stuck_threads();
        if stuck.is_empty() {
            return stuck;
        }
        tokio::time::sleep(SECOND_LOOK).await;
        self.node.stuck_threads()
    }

    async fn live(&self) -> Answer {
        let stuck = self.stuck_threads().await;
        let status = if stuck.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        respond(status, JSON, health::live(stuck).into())
    }

    async fn ready(&self) -> Answer {
        // Without its watchdog, nobody knows.
        let stuck = self.stuck_threads().await;
        let report = self.node.health();
        let ready = report.readiness.ready && stuck.is_empty();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        respond(status, JSON, health::ready(ready, &report, stuck, self.node.clock().now().at).into())
    }

    fn metrics(&self) -> Answer {
        if let Some(refresh) = &*self.refresh_metrics.read() {
            refresh();
        }
        let content_type = HeaderValue::from_static(flywheel_metrics::CONTENT_TYPE);
        respond(StatusCode::OK, content_type, self.node.metrics().render().into())
    }

    fn init<B>(&self, request: &Request<B>) -> Answer {
        if request.method() != HttpMethod::GET {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        let content_type = HeaderValue::from_static("application/json; charset=utf-8");
        let mut response = respond(StatusCode::OK, content_type, Bytes::from_static(b"{}"));
        let origin = request.headers().get(header::ORIGIN).filter(|origin| {
            origin
                .to_str()
                .is_ok_and(|text| !text.is_empty() && self.endpoints.origins.is_match(text.to_lowercase()))
        });
        if let Some(origin) = origin {
            let headers = response.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            if let Some(asked) = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
            }
        }
        response
    }
}

/// Source: server API, section 1.3.
fn transport_status(error: ApiError) -> StatusCode {
    match error {
        ApiError::UnknownChannel | ApiError::NotFound => StatusCode::NOT_FOUND,
        ApiError::BadRequest | ApiError::NotAvailable => StatusCode::BAD_REQUEST,
        ApiError::UnrecoverablePosition => StatusCode::RANGE_NOT_SATISFIABLE,
        ApiError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn respond(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Answer {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

fn status(status: StatusCode) -> Answer {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn bad_request() -> Answer {
    respond(StatusCode::BAD_REQUEST, TEXT, Bytes::from_static(b"Bad Request\n"))
}
