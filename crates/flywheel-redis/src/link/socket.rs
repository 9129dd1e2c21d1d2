use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::{Endpoint, LinkError, Tls};

/// Second line of defence against a peer that is gone, behind the link's own heartbeats. The kernel of a frozen process
/// goes on to acknowledge, so it cannot be the first.
const USER_TIMEOUT: Duration = Duration::from_secs(3);
const KEEPALIVE: Duration = Duration::from_secs(5);

/// A connected socket of any kind.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    TcpTls(Box<TlsStream<TcpStream>>),
    UnixTls(Box<TlsStream<UnixStream>>),
}

impl Socket {
    /// Makes closing it a reset: what a frozen server has not read of it yet, it will never read. Without this, commands
    /// that were given up are carried out when it goes on, by a server that is no primary any more.
    pub(crate) fn abandon(&self) {
        let stream = match self {
            Self::Tcp(stream) => stream,
            Self::TcpTls(stream) => stream.get_ref().0,
            // A socket in the file system leads to a server on this machine, which is not replaced by another one.
            Self::Unix(_) | Self::UnixTls(_) => return,
        };
        // The socket may have an end of its own already.
        drop(SockRef::from(stream).set_linger(Some(Duration::ZERO)));
    }
}

/// Connects and encrypts. Whoever calls sets the deadline.
///
/// `time` is what is to be had for it: where a name has several addresses, each gets its share of it.
pub(crate) async fn dial(
    endpoint: &Endpoint,
    tls: Option<&Tls>,
    time: Duration,
) -> Result<Socket, LinkError> {
    match endpoint {
        Endpoint::Tcp { host, port } => {
            let stream = connect_tcp(endpoint, host, *port, time).await?;
            match tls {
                None => Ok(Socket::Tcp(stream)),
                Some(tls) => Ok(Socket::TcpTls(Box::new(encrypt(endpoint, tls, host, stream).await?))),
            }
        }
        Endpoint::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(|error| refused(endpoint, &error))?;
            match tls {
                None => Ok(Socket::Unix(stream)),
                Some(tls) => {
                    Ok(Socket::UnixTls(Box::new(encrypt(endpoint, tls, "localhost", stream).await?)))
                }
            }
        }
    }
}

fn refused(endpoint: &Endpoint, error: &io::Error) -> LinkError {
    LinkError::Connect { endpoint: endpoint.clone(), reason: error.to_string() }
}

/// Tries the addresses of the host in the order in which the resolver gave them.
async fn connect_tcp(
    endpoint: &Endpoint,
    host: &str,
    port: u16,
    time: Duration,
) -> Result<TcpStream, LinkError> {
    let no_address = |reason: String| LinkError::NoAddress { host: host.to_owned(), reason };
    let addresses = lookup_host((host, port)).await.map_err(|error| no_address(error.to_string()))?;
    let addresses: Vec<SocketAddr> = addresses.collect();
    let share = time / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut last = no_address("the name has no address".to_owned());
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                tune(&stream).map_err(|error| refused(endpoint, &error))?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = refused(endpoint, &error),
            Err(_) => last = refused(endpoint, &io::ErrorKind::TimedOut.into()),
        }
    }
    Err(last)
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}

async fn encrypt<S: AsyncRead + AsyncWrite + Unpin>(
    endpoint: &Endpoint,
    tls: &Tls,
    host: &str,
    stream: S,
) -> Result<TlsStream<S>, LinkError> {
    let failed = |reason: String, is_said| LinkError::Tls { endpoint: endpoint.clone(), reason, is_said };
    let name = tls.name_for(host).map_err(|error| failed(error.to_string(), true))?;
    let said = |error: io::Error| failed(error.to_string(), error.kind() == io::ErrorKind::InvalidData);
    tls.connector().connect(name, stream).await.map_err(said)
}

macro_rules! on_socket {
    ($self:expr, $stream:ident => $do:expr) => {
        match $self.get_mut() {
            Socket::Tcp($stream) => $do,
            Socket::Unix($stream) => $do,
            Socket::TcpTls($stream) => $do,
            Socket::UnixTls($stream) => $do,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on_socket!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        on_socket!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_socket!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_socket!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
