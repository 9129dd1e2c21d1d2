use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use flywheel_runtime::Tasks;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::{Exposure, Service};

/// Takes connections over that become something else than HTTP.
pub trait Upgrades: Send + Sync + 'static {
    /// Decides about a request, given its head as it stands on the wire.
    fn decide(&self, head: &[u8]) -> Upgrading;
}

/// What becomes of a request for an upgrade.
pub enum Upgrading {
    /// It is answered like any other.
    No,
    /// It is answered with this status.
    Refused(u16),
    /// It is answered with 101 and these headers; then the connection, of which some bytes may have been read already,
    /// goes to the function.
    Yes(Vec<(&'static str, String)>, TakeOver),
}

/// Takes a connection over.
pub type TakeOver = Box<dyn FnOnce(std::net::TcpStream, Vec<u8>) + Send>;

/// Serves HTTP connections, however they came.
pub struct HttpServer {
    service: Arc<Service>,
    upgrades: OnceLock<Box<dyn Upgrades>>,
    tasks: Tasks,
    stopping: watch::Sender<bool>,
    open: Arc<AtomicUsize>,
}

/// Connections at once; each may hold a request in memory.
const CONNECTIONS_MAX: usize = 10_000;
/// Source: configuration-v6, section 3.1.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

impl HttpServer {
    /// Answers with `service`, on `tasks`.
    pub fn new(service: Arc<Service>, tasks: Tasks) -> Self {
        Self {
            service,
            upgrades: OnceLock::new(),
            tasks,
            stopping: watch::Sender::new(false),
            open: Arc::default(),
        }
    }

    /// Asks `upgrades` about requests that want one. Only the first call counts.
    pub fn upgrade_with(&self, upgrades: impl Upgrades) {
        self.upgrades.get_or_init(|| Box::new(upgrades));
    }

    /// Takes a connection over, of which `read` has been read. Answers `false`, and closes it, when there are too many.
    pub fn serve(self: &Arc<Self>, stream: std::net::TcpStream, read: Vec<u8>, exposure: Exposure) -> bool {
        if self.open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        let (server, open) = (Arc::clone(self), Arc::clone(&self.open));
        let stopping = self.stopping.subscribe();
        self.tasks.spawn(async move {
            if let Err(error) = server.run(stream, read, exposure, stopping).await {
                tracing::debug!(%error, "an HTTP connection ended");
            }
            open.fetch_sub(1, Ordering::Relaxed);
        });
        true
    }

    /// Accepts connections until the server stops.
    ///
    /// # Errors
    /// The listener cannot be watched.
    pub fn accept(self: &Arc<Self>, listener: std::net::TcpListener, exposure: Exposure) -> io::Result<()> {
        let server = Arc::clone(self);
        let mut stopping = self.stopping.subscribe();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        self.tasks.spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = stopped(&mut stopping) => return,
                };
                match accepted.and_then(|(stream, _)| stream.into_std()) {
                    Ok(stream) => {
                        server.serve(stream, Vec::new(), exposure);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept an HTTP connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
        Ok(())
    }

    /// Takes no new requests and lets those that are being answered finish. The tasks end by themselves.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Number of open connections.
    pub fn open_connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// Waits until the server stops.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // The sender lives as long as the server; without it, it has stopped too.
    drop(stopping.wait_for(|stopping| *stopping).await);
}

impl HttpServer {
    async fn run(
        self: Arc<Self>,
        stream: std::net::TcpStream,
        read: Vec<u8>,
        exposure: Exposure,
        mut stopping: watch::Receiver<bool>,
    ) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let stream = Rewound { read: Bytes::from(read), stream: TcpStream::from_std(stream)? };
        let answer = service_fn(move |request| {
            let server = Arc::clone(&self);
            async move {
                Ok::<_, Infallible>(match server.upgrade(exposure, request) {
                    Ok(answer) => answer,
                    Err(request) => server.service.answer(exposure, *request).await,
                })
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(128 << 10)
            .serve_connection(TokioIo::new(stream), answer)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped(&mut stopping) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        ended.map_err(io::Error::other)
    }

    /// Answers a request that wants the connection to become something else; any other comes back.
    fn upgrade(
        &self,
        exposure: Exposure,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Box<Request<Incoming>>> {
        let wanted = exposure != Exposure::Internal && request.headers().contains_key(header::UPGRADE);
        let upgrading =
            self.upgrades.get().filter(|_| wanted).map(|upgrades| upgrades.decide(&head_of(&request)));
        let mut response = Response::new(Full::default());
        match upgrading {
            None | Some(Upgrading::No) => return Err(Box::new(request)),
            Some(Upgrading::Refused(status)) => {
                *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
                if status == 400 {
                    response.headers_mut().insert("sec-websocket-version", HeaderValue::from_static("13"));
                }
            }
            Some(Upgrading::Yes(headers, take_over)) => {
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                for (name, value) in headers {
                    if let Ok(value) = HeaderValue::from_str(&value) {
                        response.headers_mut().insert(name, value);
                    }
                }
                let upgraded = hyper::upgrade::on(request);
                self.tasks.spawn(async move {
                    let taken = async {
                        let upgraded = upgraded.await.map_err(io::Error::other)?;
                        let parts = upgraded
                            .downcast::<TokioIo<Rewound>>()
                            .map_err(|_| io::ErrorKind::Unsupported)?;
                        let Rewound { read, stream } = parts.io.into_inner();
                        take_over(stream.into_std()?, [&read[..], &parts.read_buf[..]].concat());
                        io::Result::Ok(())
                    };
                    if let Err(error) = taken.await {
                        tracing::debug!(%error, "an upgrade failed");
                    }
                });
            }
        }
        Ok(response)
    }
}

/// The head of a request as it stood on the wire, give or take white space.
fn head_of<B>(request: &Request<B>) -> Vec<u8> {
    let mut head = format!("{} {} {:?}\r\n", request.method(), request.uri(), request.version()).into_bytes();
    for (name, value) in request.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// A stream of which some bytes have been read already.
struct Rewound {
    read: Bytes,
    stream: TcpStream,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read[..count]);
        self.read.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
