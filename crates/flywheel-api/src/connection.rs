use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use flywheel_runtime::Tasks;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::{Exposure, Service};

/// Serves HTTP connections, however they came.
pub struct HttpServer {
    service: Arc<Service>,
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
        Self { service, tasks, stopping: watch::Sender::new(false), open: Arc::default() }
    }

    /// Takes a connection over, of which `read` has been read. Answers `false`, and closes it, when there are too many.
    pub fn serve(&self, stream: std::net::TcpStream, read: Vec<u8>, exposure: Exposure) -> bool {
        if self.open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        let (service, open) = (Arc::clone(&self.service), Arc::clone(&self.open));
        let stopping = self.stopping.subscribe();
        self.tasks.spawn(async move {
            if let Err(error) = run(stream, read, exposure, service, stopping).await {
                tracing::debug!(%error, "an HTTP connection ended");
            }
            open.fetch_sub(1, Ordering::Relaxed);
        });
        true
    }

    /// Accepts connections until the server stops.
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

async fn run(
    stream: std::net::TcpStream,
    read: Vec<u8>,
    exposure: Exposure,
    service: Arc<Service>,
    mut stopping: watch::Receiver<bool>,
) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let stream = Rewound { read: Bytes::from(read), stream: TcpStream::from_std(stream)? };
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(service.answer(exposure, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(128 << 10)
        .serve_connection(TokioIo::new(stream), answer);
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

/// A stream of which some bytes have been read already.
struct Rewound {
    read: Bytes,
    stream: TcpStream,
}

impl AsyncRead for Rewound {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
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
