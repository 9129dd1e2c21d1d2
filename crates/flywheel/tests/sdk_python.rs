//! The published Python SDK against the server.

mod sdk;

use flywheel_testkit::{sdk_folder, workspace_folder};

/// One script, one encoding.
fn check(encoding: &str) {
    let python = workspace_folder().join("target/sdk-venv/bin/python");
    sdk::check(&python, "sdk.py", &sdk_folder("python"), &python, encoding);
}

#[test]
fn the_python_sdk_works_in_json() {
    check("json");
}

#[test]
fn the_python_sdk_works_in_protobuf() {
    check("protobuf");
}
