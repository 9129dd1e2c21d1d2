use std::io;
use std::pin::pin;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// Bytes of a response's head.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Why a document could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// It cannot be asked for.
    #[error("not an address that can be read")]
    Address,
    /// The endpoint cannot be reached.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// The system trusts no authority at all.
    #[error("there are no certificates of authorities; install them or set SSL_CERT_FILE")]
    NoRoots,
    /// No TLS connection came about.
    #[error("TLS: {0}")]
    Tls(String),
    /// It is somewhere else, and that is for the operator to write down.
    #[error("status {}: redirects are not followed", .0.as_u16())]
    Redirect(StatusCode),
    /// The answer is something else than the document.
    #[error("status {}", .0.as_u16())]
    Status(StatusCode),
    /// The document is longer than it may be.
    #[error("longer than {0} bytes")]
    TooLong(usize),
    /// The connection failed on the way.
    #[error("{0}")]
    Transfer(String),
}

/// Reads the document at `uri`, of at most `bytes_max` bytes. Has no deadline of its own; dropping it closes the
/// connection. `tls` makes the connector, if one is needed.
pub(crate) async fn fetch<F>(uri: &Uri, bytes_max: usize, tls: F) -> Result<Bytes, FetchError>
where
    F: AsyncFnOnce() -> Result<TlsConnector, FetchError>,
{
    let authority = uri.authority().ok_or(FetchError::Address)?;
    // What stands before an @ would be a password in the log of whoever asks.
    if authority.as_str().contains('@') {
        return Err(FetchError::Address);
    }
    let is_tls = uri.scheme() == Some(&Scheme::HTTPS);
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(FetchError::Connect)?;
    if !is_tls {
        return exchange(stream, uri, authority.as_str(), bytes_max).await;
    }
    let name = ServerName::try_from(host).map_err(|_| FetchError::Address)?;
    let connected = tls().await?.connect(name, stream).await;
    let stream = connected.map_err(|error| FetchError::Tls(error.to_string()))?;
    exchange(stream, uri, authority.as_str(), bytes_max).await
}

async fn exchange<S>(stream: S, uri: &Uri, host: &str, bytes_max: usize) -> Result<Bytes, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let transfer = |error: hyper::Error| FetchError::Transfer(error.to_string());
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(transfer)?;
    let request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, "flywheel")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchError::Address)?;
    let mut answer = pin!(async move {
        let response = sender.send_request(request).await.map_err(transfer)?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_redirection() => return Err(FetchError::Redirect(status)),
            status => return Err(FetchError::Status(status)),
        }
        match Limited::new(response.into_body(), bytes_max).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(FetchError::TooLong(bytes_max)),
            Err(error) => Err(FetchError::Transfer(error.to_string())),
        }
    });
    // The connection does the reading and writing. It may end before the answer was taken from it.
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ended = connection => answer.await,
    }
}
