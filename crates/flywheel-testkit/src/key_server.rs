use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a [`KeyServer`] answers with, byte for byte.
#[derive(Clone, Debug)]
pub struct Reply {
    bytes: Vec<u8>,
    delay: Duration,
    held_open: bool,
}

impl Reply {
    /// Status 200 with this JSON.
    pub fn ok(body: &str) -> Self {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        Self::raw(&(head + body))
    }

    /// This status without a body.
    pub fn status(status: u16) -> Self {
        Self::raw(&format!("HTTP/1.1 {status} Status\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
    }

    /// Exactly this, after which the connection is closed.
    pub fn raw(text: &str) -> Self {
        Self { bytes: text.as_bytes().to_vec(), delay: Duration::ZERO, held_open: false }
    }

    /// Not before this time.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Without closing the connection afterwards.
    #[must_use]
    pub fn held_open(self) -> Self {
        Self { held_open: true, ..self }
    }

    /// What goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }
}

/// An HTTP server in this process that answers every request in the same way and counts them.
///
/// It ends with the process: what a test leaves behind waits for connections that do not come.
#[derive(Debug)]
pub struct KeyServer {
    address: SocketAddr,
    reply: Arc<Mutex<Reply>>,
    requests: Arc<AtomicUsize>,
}

impl KeyServer {
    /// A server on a free port of 127.0.0.1.
    pub fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let reply = Arc::new(Mutex::new(reply));
        let requests = Arc::new(AtomicUsize::new(0));
        let (replies, counter) = (Arc::clone(&reply), Arc::clone(&requests));
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                counter.fetch_add(1, Ordering::SeqCst);
                let reply = replies.lock().unwrap().clone();
                if reply.held_open {
                    held.extend(stream.try_clone());
                }
                std::thread::spawn(move || answer(&stream, &reply));
            }
        });
        Self { address, reply, requests }
    }

    /// The address of its document.
    pub fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    /// Answers differently from now on.
    pub fn now_answers(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    /// Number of requests so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(stream: &TcpStream, reply: &Reply) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let _head = lines.by_ref().take_while(|line| !line.is_empty()).count();
    std::thread::sleep(reply.delay);
    // The client may have gone away, which is its right.
    drop({ stream }.write_all(&reply.bytes));
}
