use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A certificate authority of its own, a certificate for 127.0.0.1 and localhost, and one for clients.
#[derive(Debug)]
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// Makes them; panics when `openssl` is missing.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Self { folder };
        made.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 30 \
             -subj /CN=flywheel-test-authority -addext basicConstraints=critical,CA:TRUE",
        );
        made.issue(
            "server",
            "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n",
        );
        made.issue("client", "extendedKeyUsage=clientAuth\n");
        made
    }

    fn issue(&self, name: &str, extensions: &str) {
        fs::write(self.path(&format!("{name}.ext")), extensions).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out {name}.csr \
             -subj /CN=flywheel-test-{name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days 30 -extfile {name}.ext"
        ));
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .output()
            .unwrap_or_else(|error| panic!("openssl: {error}; run `apt-get install --yes openssl`"));
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of all of it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// The server's certificate and key.
    pub fn server(&self) -> (PathBuf, PathBuf) {
        (self.path("server.pem"), self.path("server.key"))
    }

    /// What makes a server or a Sentinel listen with TLS on `port`, as lines of its configuration.
    pub(super) fn lines(&self, port: u16, client_auth: bool) -> String {
        let (certificate, key) = self.server();
        format!(
            "tls-port {port}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients {}\n",
            certificate.display(),
            key.display(),
            self.authority().display(),
            if client_auth { "yes" } else { "no" },
        )
    }

    /// A client's certificate and key.
    pub fn client(&self) -> (PathBuf, PathBuf) {
        (self.path("client.pem"), self.path("client.key"))
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}
