//! TLS on the public port: rustls with ring.

use std::sync::Arc;

use parking_lot::RwLock;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::settings::TlsFiles;

/// A file that TLS cannot work with.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{why}")]
pub struct TlsError {
    /// Which: `certificate`, `key` or `client_authorities`.
    pub file: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl TlsError {
    fn new(file: &'static str, why: &impl ToString) -> Self {
        Self {
            file,
            why: why.to_string(),
        }
    }
}

/// What accepts TLS connections, which can be changed while it serves.
pub(crate) struct Certificates(RwLock<TlsAcceptor>);

impl Certificates {
    /// Of the files with which it begins.
    ///
    /// # Errors
    /// As `acceptor`.
    pub(crate) fn new(files: &TlsFiles) -> Result<Self, TlsError> {
        acceptor(files).map(RwLock::new).map(Self)
    }

    /// Takes other files for the connections that come from now on.
    ///
    /// # Errors
    /// As `acceptor`; then nothing has changed.
    pub(crate) fn replace(&self, files: &TlsFiles) -> Result<(), TlsError> {
        *self.0.write() = acceptor(files)?;
        Ok(())
    }

    /// What accepts the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.0.read().clone()
    }
}

/// Makes what accepts TLS connections, of gRPC's version and nothing older than TLS 1.2.
///
/// # Errors
/// When a file holds nothing usable, or certificate and key do not belong together.
fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let chain = certificates(&files.certificate, "certificate")?;
    let key = PrivateKeyDer::from_pem_slice(&files.key)
        .map_err(|error| TlsError::new("key", &format!("it holds no private key: {error}")))?;
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::new("certificate", &error))?;
    let builder = match &files.client_authorities {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(authorities, "client_authorities")? {
                roots
                    .add(certificate)
                    .map_err(|error| TlsError::new("client_authorities", &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| TlsError::new("client_authorities", &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| TlsError::new("key", &error))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(pem: &[u8], file: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Err(error) => Err(TlsError::new(file, &error)),
        Ok(none) if none.is_empty() => Err(TlsError::new(file, &"it holds no certificate")),
        Ok(certificates) => Ok(certificates),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_certificates_or_keys_are_named() {
        let files = TlsFiles {
            certificate: b"nothing".to_vec(),
            key: Vec::new(),
            client_authorities: None,
        };
        assert_eq!(acceptor(&files).err().unwrap().file, "certificate");
    }
}
