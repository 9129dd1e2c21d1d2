use std::error::Error;
use std::sync::OnceLock;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use crate::redirect::{REDIRECTS_MAX, Redirect};
use crate::{BadProxy, ProxySettings};

/// Bytes of a body that nobody wants which are read all the same.
const DRAINED_MAX: usize = 64 << 10;

/// Sends requests over connections that are kept.
#[derive(Debug)]
pub(crate) struct Poster {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: Uri,
    answer_bytes_max: usize,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    /// Empty unless the status is 200.
    pub(crate) body: Bytes,
}

impl Poster {
    pub(crate) fn new(settings: &ProxySettings) -> Result<Self, BadProxy> {
        let endpoint = settings.uri()?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(endpoint.scheme_str() == Some("https"))?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(settings.calls_max)
            .build(connector);
        Ok(Self { client, endpoint, answer_bytes_max: settings.answer_bytes_max })
    }

    /// Posts `body` and follows redirects. Has no deadline of its own.
    pub(crate) async fn post(&self, mut headers: HeaderMap, body: Bytes) -> Result<Answered, String> {
        let mut place = Redirect { to: self.endpoint.clone(), method: Method::POST };
        for _ in 0..=REDIRECTS_MAX {
            let sent = if place.method == Method::POST { body.clone() } else { Bytes::new() };
            let mut request = Request::new(Full::new(sent));
            *request.method_mut() = place.method.clone();
            *request.uri_mut() = place.to.clone();
            *request.headers_mut() = headers.clone();
            let response = self.client.request(request).await.map_err(|error| chain(&error))?;
            let Some(next) = Redirect::of(&response, &place.to, &place.method) else {
                let status = response.status();
                if status != StatusCode::OK {
                    // A connection can be used again only when the answer has been read to its end.
                    drop(Limited::new(response.into_body(), DRAINED_MAX).collect().await);
                    return Ok(Answered { status, body: Bytes::new() });
                }
                return Ok(Answered { status, body: self.read(response.into_body()).await? });
            };
            next.prune(&place.to, &mut headers);
            place = next;
        }
        Err(format!("more than {REDIRECTS_MAX} redirects"))
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, String> {
        let limit = self.answer_bytes_max;
        match Limited::new(body, limit).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(format!("answer of more than {limit} bytes")),
            Err(error) => Err(chain(&*error)),
        }
    }
}

/// Trusts the authorities that the system trusts. Whoever needs them finds out here whether there are any.
fn tls(needed: bool) -> Result<ClientConfig, BadProxy> {
    // Reading them takes milliseconds and they take memory, so all proxies share them.
    static AUTHORITIES: OnceLock<Result<ClientConfig, String>> = OnceLock::new();
    let trusting = AUTHORITIES.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string));
        }
        config(roots)
    });
    match trusting {
        Ok(config) => Ok(config.clone()),
        Err(error) if needed => Err(BadProxy::Authorities(error.clone())),
        Err(_) => config(RootCertStore::empty()).map_err(BadProxy::Authorities),
    }
}

fn config(roots: RootCertStore) -> Result<ClientConfig, String> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth())
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
