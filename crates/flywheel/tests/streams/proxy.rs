//! Streams behind a proxy that keeps connections open on both sides.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use flywheel_testkit::{Server, Stream, free_port, wait_until};

use super::{Way, encoded, get, post, server};

struct HaProxy {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl HaProxy {
    fn start(server: &Server) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let config = format!(
            "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
             frontend in\n bind 127.0.0.1:{port}\n default_backend out\n\
             backend out\n http-reuse always\n server one {}\n",
            server.address()
        );
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, config).unwrap();
        let program =
            ["/usr/sbin/haproxy", "/usr/bin/haproxy"].into_iter().find(|path| Path::new(path).exists());
        let program = program.expect("HAProxy is missing: install the package `haproxy`");
        let child = Command::new(program)
            .args(["-db", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let proxy = Self { child, address, _folder: folder };
        let up = wait_until(Duration::from_secs(20), || std::net::TcpStream::connect(address).is_ok());
        assert!(up, "HAProxy did not start");
        proxy
    }
}

#[test]
fn a_proxy_that_keeps_connections_carries_streams_and_commands_over_and_over() {
    let server = server(|_| ());
    let proxy = HaProxy::start(&server);
    let commands = "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"lobby\"}}";
    let sse = format!("/connection/sse?cf_connect={}", encoded(commands));
    let mut stream = Stream::open(proxy.address, get("/health").as_bytes()).unwrap();
    for round in 0..5 {
        stream.rest();
        let request = if round % 2 == 0 { get(&sse) } else { post("/connection/http_stream", "", commands) };
        // On the client's side it is one connection all the time.
        stream = stream.again(request.as_bytes()).unwrap();
        let way = Way::of(&stream.until("}}\n"));
        stream.until(r#"{"id":2,"subscribe":{}}"#);
        let publish = r#"{"id":3,"publish":{"channel":"lobby","data":7}}"#;
        let body = serde_json::json!({"session": way.session, "node": way.node, "data": publish}).to_string();
        let answer = Stream::open(proxy.address, post("/emulation", "", &body).as_bytes()).unwrap();
        assert_eq!(answer.status, 204);
        stream.until(r#"{"push":{"channel":"lobby","pub":{"data":7"#);
        stream.until(r#"{"id":3,"publish":{}}"#);
        server.api("disconnect", r#"{"user":""}"#);
        stream.until("3503");
    }
    assert!(stream.rest().contains("force disconnect"));
}
