//! The published JavaScript SDK against the server.

mod sdk;

use std::path::Path;

use flywheel_testkit::{run, sdk_folder};

/// One script, one encoding.
fn check(encoding: &str) {
    let folder = sdk_folder("js");
    let needs = folder.join("node_modules/centrifuge/package.json");
    let found =
        run(Path::new("/bin/sh"), &["-c", "command -v node"], &folder, std::time::Duration::from_secs(10));
    let node = found.stdout.trim();
    assert!(
        !node.is_empty(),
        "Node.js is missing: install version 20 or later, then run `cargo xtask setup`"
    );
    sdk::check(Path::new(node), "sdk.mjs", &folder, &needs, encoding);
}

#[test]
fn the_javascript_sdk_works_in_json() {
    check("json");
}

#[test]
fn the_javascript_sdk_works_in_protobuf() {
    check("protobuf");
}
