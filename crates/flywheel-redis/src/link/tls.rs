use std::fmt;
use std::sync::Arc;

use rustls_native_certs::load_native_certs;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// What encryption is made of, in PEM. Empty means none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Authorities to believe; empty means those of the system.
    pub server_ca: String,
    /// Certificate, with those it depends on, to show to the server.
    pub cert: String,
    /// Key of the certificate.
    pub key: String,
    /// Name that the server's certificate must bear; empty means the host that is dialled.
    pub server_name: String,
    /// Believe any certificate. For tests only.
    pub insecure_skip_verify: bool,
}

/// Without the key.
impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("server_name", &self.server_name)
            .field("insecure_skip_verify", &self.insecure_skip_verify)
            .finish_non_exhaustive()
    }
}

/// Why encryption cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// There is no authority to believe.
    #[error("no certificate authority: {0}")]
    NoRoots(&'static str),
    /// A text is no certificate or no key.
    #[error("{what} is not valid PEM: {reason}")]
    Pem {
        /// Which one.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error("a client certificate needs both the certificate and its key")]
    HalfIdentity,
    /// A certificate or key that cannot be used.
    #[error("{0}")]
    Unusable(String),
}

/// Encryption that was set up. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    server_name: Option<ServerName<'static>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads certificates and keys; those of the system take some milliseconds.
    ///
    /// # Errors
    /// [`TlsError`] says which text is wrong.
    pub fn new(settings: &TlsSettings) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let unusable = |error: Error| TlsError::Unusable(error.to_string());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = if settings.insecure_skip_verify {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(settings)?), provider);
            let verifier = verifier.build().map_err(|error| TlsError::Unusable(error.to_string()))?;
            builder.with_webpki_verifier(verifier)
        };
        let config = match (settings.cert.is_empty(), settings.key.is_empty()) {
            (true, true) => builder.with_no_client_auth(),
            (false, false) => {
                let chain = certificates("the client certificate", &settings.cert)?;
                let key = PrivateKeyDer::from_pem_slice(settings.key.as_bytes());
                let key = key.map_err(|error| pem("the client key", &error))?;
                builder.with_client_auth_cert(chain, key).map_err(unusable)?
            }
            _ => return Err(TlsError::HalfIdentity),
        };
        let server_name = match settings.server_name.as_str() {
            "" => None,
            name => Some(server_name(name)?),
        };
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), server_name })
    }

    pub(super) fn connector(&self) -> &TlsConnector {
        &self.connector
    }

    /// The name to ask for at `host`.
    pub(super) fn name_for(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        self.server_name.clone().map_or_else(|| server_name(host), Ok)
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned())
        .map_err(|_| TlsError::Unusable(format!("{name:?} is no name a certificate could bear")))
}

fn roots(settings: &TlsSettings) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    if settings.server_ca.is_empty() {
        let (_added, _unreadable) = store.add_parsable_certificates(load_native_certs().certs);
        if store.is_empty() {
            return Err(TlsError::NoRoots("the system has none"));
        }
        return Ok(store);
    }
    for certificate in certificates("the server's authority", &settings.server_ca)? {
        store.add(certificate).map_err(|error| TlsError::Unusable(error.to_string()))?;
    }
    Ok(store)
}

fn certificates(what: &'static str, text: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(TlsError::Pem { what, reason: "there is no certificate in it".into() })
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(pem(what, &error)),
    }
}

fn pem(what: &'static str, error: &impl fmt::Display) -> TlsError {
    TlsError::Pem { what, reason: error.to_string() }
}

/// Believes everybody, but not that a peer has a key that it does not have.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
