use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use flywheel_runtime::Tasks;
use http::header::{HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use crate::upgrades::{TakeOver, Upgrades, Upgrading, Verdict};
use crate::{Exposure, Service};

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
/// Time for the body of a client's request, of which there is little.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

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
        let (leave, mut leaving) = mpsc::channel(1);
        let answer = service_fn(move |request| {
            let (server, leave) = (Arc::clone(&self), leave.clone());
            async move { Ok::<_, Infallible>(server.answer(exposure, request, leave).await) }
        });
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(128 << 10)
            .serve_connection(TokioIo::new(stream), answer)
            .with_upgrades();
        let mut told = false;
        loop {
            tokio::select! {
                biased;
                Some(take_over) = leaving.recv() => {
                    let parts = connection.into_parts().ok_or(io::ErrorKind::NotConnected)?;
                    let Rewound { read, stream } = parts.io.into_inner();
                    take_over(stream.into_std()?, [&parts.read_buf[..], &read[..]].concat());
                    return Ok(());
                }
                ended = &mut connection => return ended.map_err(io::Error::other),
                () = stopped(&mut stopping), if !told => {
                    told = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        }
    }

    async fn answer(
        &self,
        exposure: Exposure,
        request: Request<Incoming>,
        leave: mpsc::Sender<TakeOver>,
    ) -> Response<Full<Bytes>> {
        let external = exposure != Exposure::Internal;
        let upgrades = self.upgrades.get().filter(|_| external);
        let Some(upgrades) = upgrades.filter(|upgrades| upgrades.concerns(request.uri().path())) else {
            return self.service.answer(exposure, request).await;
        };
        match upgrades.decide(&head_of(&request)) {
            Upgrading::No => self.service.answer(exposure, request).await,
            Upgrading::Switched(headers, take_over) => self.switched(request, headers, take_over),
            Upgrading::Decided(verdict) => settle(verdict, leave).await,
            Upgrading::Body { bytes_max, too_long, then } => {
                let body = Limited::new(request.into_body(), bytes_max).collect();
                let Ok(body) = tokio::time::timeout(BODY_TIMEOUT, body).await else {
                    return bare(408, too_long);
                };
                match body {
                    Ok(body) => settle(then(body.to_bytes()).await, leave).await,
                    Err(error) if error.is::<http_body_util::LengthLimitError>() => bare(413, too_long),
                    Err(_) => bare(400, too_long),
                }
            }
        }
    }

    /// Confirms that the connection becomes a WebSocket, and gives it away then.
    fn switched(
        &self,
        request: Request<Incoming>,
        headers: Vec<(&'static str, String)>,
        take_over: TakeOver,
    ) -> Response<Full<Bytes>> {
        let upgraded = hyper::upgrade::on(request);
        self.tasks.spawn(async move {
            let taken = async {
                let upgraded = upgraded.await.map_err(io::Error::other)?;
                let parts =
                    upgraded.downcast::<TokioIo<Rewound>>().map_err(|_| io::ErrorKind::Unsupported)?;
                let Rewound { read, stream } = parts.io.into_inner();
                take_over(stream.into_std()?, [&read[..], &parts.read_buf[..]].concat());
                io::Result::Ok(())
            };
            if let Err(error) = taken.await {
                tracing::debug!(%error, "an upgrade failed");
            }
        });
        bare(101, headers)
    }
}

/// Answers, or has the connection given away and never does.
async fn settle(verdict: Verdict, leave: mpsc::Sender<TakeOver>) -> Response<Full<Bytes>> {
    match verdict {
        Verdict::Answer(status, headers) => bare(status, headers),
        Verdict::Leave(take_over) => {
            if leave.send(take_over).await.is_err() {
                return bare(500, Vec::new());
            }
            std::future::pending().await
        }
    }
}

/// A response without a body.
fn bare(status: u16, headers: Vec<(&'static str, String)>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
        {
            response.headers_mut().insert(name, value);
        }
    }
    response
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
