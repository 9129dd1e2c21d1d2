//! A panic is written into the log, wherever that is.

use std::fs;

use flywheel_config::{Log, LogLevel};
use flywheel_server::Logging;

#[test]
fn a_panic_is_a_line_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let settings = Log { level: LogLevel::Info, file: Some(path.display().to_string()) };
    let logging = Logging::start(&settings).unwrap();
    let thread = std::thread::Builder::new().name("worker".to_owned());
    let ended = thread.spawn(|| panic!("\"quoted\"\nand on")).unwrap().join();
    assert!(ended.is_err());
    drop(logging.last_lines());
    let log = fs::read_to_string(path).unwrap();
    let line: serde_json::Value = serde_json::from_str(&log).unwrap();
    assert_eq!((line["level"].as_str(), line["thread"].as_str()), (Some("ERROR"), Some("worker")));
    let message = line["message"].as_str().unwrap();
    assert!(message.contains("panics.rs:") && message.ends_with("\"quoted\"\nand on"), "{message}");
}
