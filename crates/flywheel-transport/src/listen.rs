use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

/// An address cannot be listened on.
#[derive(Debug)]
pub struct ListenError {
    /// Which one.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

impl std::fmt::Display for ListenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot listen on {}", self.address)
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// `count` sockets that listen on one address, among which the kernel spreads connections.
///
/// # Errors
/// [`ListenError`], also when another process listens there: that it may share the port is not asked of it.
pub fn listen(address: SocketAddr, count: usize) -> Result<Vec<std::net::TcpListener>, ListenError> {
    let failed = |source| ListenError { address, source };
    // A probe without SO_REUSEPORT finds out whether anybody else has the port, of our user or not.
    let probe = socket(address, false).and_then(|socket| socket.local_addr()).map_err(failed)?;
    let address = probe.as_socket().unwrap_or(address);
    (0..count).map(|_| socket(address, true).map(Into::into).map_err(failed)).collect()
}

fn socket(address: SocketAddr, share: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_share_a_port_with_each_other_and_with_nobody_else() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let sockets = listen(any, 3).unwrap();
        let address = sockets[0].local_addr().unwrap();
        assert!(sockets.iter().all(|socket| socket.local_addr().unwrap() == address));
        assert_eq!(listen(address, 1).unwrap_err().source.kind(), io::ErrorKind::AddrInUse);
    }
}
