//! The built-in page.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use flywheel_testkit::{Http, Sdk, free_port, wait_until, workspace_folder};

use crate::chromium;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_message_typed_into_the_page_appears_in_its_list() {
    let scratch = tempfile::tempdir().unwrap();
    let port = free_port();
    let log = fs::File::create(scratch.path().join("log")).unwrap();
    let server = Command::new(env!("CARGO_BIN_EXE_flywheel"))
        .args(["serve", "--dev", "--http_server.port", &port.to_string()])
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let _server = Running(server);
    let http = Http::new(([127, 0, 0, 1], port).into());
    let up = wait_until(Duration::from_secs(20), || {
        http.request("GET", "/", &[], b"").is_ok_and(|response| response.status == 200)
    });
    assert!(up, "{}", fs::read_to_string(scratch.path().join("log")).unwrap());

    let pictures = workspace_folder().join("target/browser");
    fs::create_dir_all(&pictures).unwrap();
    let screenshot = pictures.join("demo.png");
    let arguments = [
        format!("url=http://127.0.0.1:{port}/"),
        format!("chromium={}", chromium().display()),
        format!("screenshot={}", screenshot.display()),
        format!("profile={}", scratch.path().join("profile").display()),
    ];
    Sdk::javascript().run("browser.mjs", &arguments, Duration::from_mins(3)).assert_all(&[
        "connected",
        "message-arrived",
        "text-is-not-markup",
        "latency-shown",
        "box-emptied",
        "clients-counted",
        "curl-line",
        "reconnected",
        "history-after-reload",
        "publishes-after-reload",
        "no-script-errors",
        "no-foreign-requests",
    ]);
    assert!(fs::metadata(&screenshot).unwrap().len() > 5_000, "the picture is empty");
}
