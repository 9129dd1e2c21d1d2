use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Http, Response};
use crate::process::{bare_command, fresh_log};
use crate::{free_port, open_files, resident_bytes, set, wait_until};

/// How long a server may take until it is healthy.
const START: Duration = Duration::from_secs(30);

/// A running server with a folder of its own; killed when dropped.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    folder: TempDir,
    config: Value,
    address: SocketAddr,
    child: Child,
    exit: Option<i32>,
}

impl Server {
    /// Starts the binary with this configuration on a free port of 127.0.0.1 and waits until `/health` answers.
    ///
    /// The health endpoint is switched on, address and port are filled in.
    /// Panics with the log when the server does not come up.
    pub fn start(binary: &str, config: Value) -> Self {
        Self::start_with(binary, config, &[])
    }

    /// As [`start`](Self::start), with more arguments behind `--config <file>`.
    pub fn start_with(binary: &str, mut config: Value, arguments: &[&str]) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        set(&mut config, "http_server.address", json!("127.0.0.1"));
        set(&mut config, "http_server.port", json!(address.port()));
        set(&mut config, "health.enabled", json!(true));
        let folder = tempfile::tempdir().unwrap();
        let binary = PathBuf::from(binary);
        fs::write(folder.path().join("config.json"), serde_json::to_vec_pretty(&config).unwrap()).unwrap();
        let child = spawn(&binary, folder.path(), arguments);
        let mut server = Self { binary, folder, config, address, child, exit: None };
        server.wait_healthy();
        server
    }

    /// Kills the server, starts it anew on the same port and waits until it is healthy. The log starts over.
    pub fn restart(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Starts a server that was stopped, on the same port.
    pub fn start_again(&mut self) {
        self.exit = None;
        self.child = spawn(&self.binary, self.folder.path(), &[]);
        self.wait_healthy();
    }

    /// Ends the process at once.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        self.child.wait().unwrap();
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The configuration it was started with.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// The file with the configuration; writing it has no effect before a reload.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("config.json")
    }

    /// Everything it has written to standard output and standard error so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("log")).unwrap()).into_owned()
    }

    /// Calls the server API with the configured key; returns status and body.
    pub fn api(&self, method: &str, body: &str) -> (u16, String) {
        let key = self.config["http_api"]["key"].as_str().unwrap_or_default();
        let response =
            self.request("POST", &format!("/api/{method}"), &[("X-API-Key", key)], body.as_bytes());
        (response.status, response.text())
    }

    /// Calls the server API and returns the result; panics when it is not one.
    pub fn api_result(&self, method: &str, params: &Value) -> Value {
        let (status, body) = self.api(method, &params.to_string());
        let mut answer: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status} {body}"));
        assert!(status == 200 && answer["result"].is_object(), "{method} {params}: {status} {body}");
        answer["result"].take()
    }

    /// One HTTP request; panics when there is no response.
    pub fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        Http::new(self.address)
            .request(method, target, headers, body)
            .unwrap_or_else(|error| panic!("{method} {target}: {error}\n{}", self.log()))
    }

    /// What the server says of its readiness.
    pub fn readiness(&self) -> Response {
        self.request("GET", "/health/ready", &[], b"")
    }

    /// Whether it says that it is ready.
    pub fn is_ready(&self) -> bool {
        self.readiness().status == 200
    }

    /// Bytes of memory that it holds.
    pub fn resident_bytes(&self) -> u64 {
        resident_bytes(self.pid())
    }

    /// Files and sockets that it has open.
    pub fn open_files(&self) -> usize {
        open_files(self.pid())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end and returns the exit code; `None` when it is still running after the time or died of a signal.
    pub fn wait_exit(&mut self, within: Duration) -> Option<i32> {
        let child = &mut self.child;
        let exit = &mut self.exit;
        let ended = wait_until(within, || {
            child.try_wait().unwrap().is_some_and(|status| {
                *exit = status.code();
                true
            })
        });
        if ended { self.exit } else { None }
    }

    /// Waits for its end and returns the number of the signal that it died of, if it did.
    pub fn wait_death(&mut self, within: Duration) -> Option<i32> {
        let child = &mut self.child;
        let mut signal = None;
        let ended = wait_until(within, || {
            child.try_wait().unwrap().is_some_and(|status| {
                signal = status.signal();
                true
            })
        });
        signal.filter(|_| ended)
    }

    fn wait_healthy(&mut self) {
        let http = Http::new(self.address);
        let mut ended = None;
        let healthy = wait_until(START, || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
                || http
                    .request("GET", "/health", &[], b"")
                    .is_ok_and(|response| response.status == 200 && response.text().trim() == "{}")
        });
        if !healthy || ended.is_some() {
            self.kill();
            panic!("the server did not become healthy ({ended:?}); its log:\n{}", self.log());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Kill first, so that a failing test never leaves a process behind; both fail only when it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<_> = log.lines().rev().take(40).collect();
            let tail: Vec<_> = tail.into_iter().rev().collect();
            drop(std::io::Write::write_all(
                &mut std::io::stderr(),
                format!("--- last lines of the server's log ---\n{}\n", tail.join("\n")).as_bytes(),
            ));
        }
    }
}

fn spawn(binary: &Path, folder: &Path, arguments: &[&str]) -> Child {
    let (out, err) = fresh_log(&folder.join("log"));
    let config = folder.join("config.json");
    bare_command(binary, &[], folder)
        .arg("--config")
        .arg(config)
        .args(arguments)
        .stdout(out)
        .stderr(err)
        .spawn()
        .unwrap_or_else(|error| panic!("starting {}: {error}", binary.display()))
}
