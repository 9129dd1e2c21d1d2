use std::sync::Arc;

use rustls_native_certs::load_native_certs;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::fetch::FetchError;

/// Whose certificates are believed.
#[derive(Debug, Clone, Default)]
pub enum Roots {
    /// Those that the system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` choose others.
    #[default]
    System,
    /// These authorities, each in DER.
    Only(Vec<Vec<u8>>),
}

impl Roots {
    /// Reads the system's certificates if need be, which takes some milliseconds.
    pub(crate) fn connector(&self) -> Result<TlsConnector, FetchError> {
        let mut store = RootCertStore::empty();
        match self {
            Self::System => {
                let (_added, _unreadable) = store.add_parsable_certificates(load_native_certs().certs);
            }
            Self::Only(roots) => {
                let roots = roots.iter().map(|root| CertificateDer::from(root.clone()));
                let (_added, _unreadable) = store.add_parsable_certificates(roots);
            }
        }
        if store.is_empty() {
            return Err(FetchError::NoRoots);
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| FetchError::Tls(error.to_string()))?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}
