//! TLS with a certificate and a key from files.

use super::Error;
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM: the certificate and those that lead to its root.
    pub certificate: PathBuf,
    /// PEM: PKCS #8, SEC 1 or PKCS #1.
    pub key: PathBuf,
}

impl Tls {
    pub(super) async fn read(&self) -> Result<RustlsConfig, Error> {
        let wrong = |path: &Path, reason: String| Error::Tls { path: path.to_owned(), reason };
        let octets = async |path: &Path| {
            tokio::fs::read(path).await.map_err(|error| wrong(path, format!("cannot be read: {error}")))
        };
        let chain = CertificateDer::pem_slice_iter(&octets(&self.certificate).await?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(&self.certificate, format!("is no PEM certificate: {error}")))?;
        if chain.is_empty() {
            return Err(wrong(&self.certificate, "holds no PEM certificate".to_owned()));
        }
        // The error's text says nothing of the key's octets.
        let key = PrivateKeyDer::from_pem_slice(&octets(&self.key).await?)
            .map_err(|_| wrong(&self.key, "holds no PEM private key".to_owned()))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map(rustls::ConfigBuilder::<ServerConfig, _>::with_no_client_auth)
            .and_then(|builder| builder.with_single_cert(chain, key))
            .map_err(|error| wrong(&self.certificate, format!("does not go with its key: {error}")))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(RustlsConfig::from_config(Arc::new(config)))
    }
}
