//! Pages in a real browser.
#![expect(clippy::expect_used, reason = "helpers fail the test")]

mod page;
mod transports;

use std::path::PathBuf;

use flywheel_testkit::installed;

/// The program of the browser.
fn chromium() -> PathBuf {
    installed(&["chromium", "chromium-browser", "google-chrome"])
        .expect("a browser is missing: install the package `chromium`, then run `cargo xtask setup`")
}
