//! Which certificates are believed: those that an authority vouches for, or one and no other, whoever signed it.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use rustls_platform_verifier::Verifier;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Looks at the certificate that a server shows. The server must still prove that it has its key.
#[derive(Debug)]
pub(super) struct CertificateVerifier {
    whom: Whom,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
enum Whom {
    /// The certificate with this SHA-256.
    One([u8; 32]),
    /// Those that the authorities of the system vouch for, or one's own.
    Authorities(Box<Authorities>),
}

/// Some hundred files of the system: they are read when the first certificate is looked at, not when the program starts.
#[derive(Debug)]
struct Authorities {
    own: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    read: OnceLock<Verifier>,
}

impl Authorities {
    fn read(&self) -> Result<&Verifier, Error> {
        if let Some(read) = self.read.get() {
            return Ok(read);
        }
        let read = Verifier::new_with_extra_roots(self.own.iter().cloned(), Arc::clone(&self.provider))?;
        Ok(self.read.get_or_init(|| read))
    }
}

/// The server showed another certificate.
#[derive(Debug)]
struct Other([u8; 32]);

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another certificate than exchange.pin names, its SHA-256 is ")?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl std::error::Error for Other {}

impl CertificateVerifier {
    /// Believes one certificate.
    pub(super) fn of_one(pin: [u8; 32], provider: &CryptoProvider) -> Self {
        Self { whom: Whom::One(pin), algorithms: provider.signature_verification_algorithms }
    }

    /// Believes the authorities of the system and these. Fails if one of these is none.
    pub(super) fn of_authorities(
        own: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let mut all = RootCertStore::empty();
        own.iter().try_for_each(|authority| all.add(authority.clone()))?;
        let authorities = Authorities { own, provider: Arc::clone(provider), read: OnceLock::new() };
        let whom = Whom::Authorities(Box::new(authorities));
        Ok(Self { whom, algorithms: provider.signature_verification_algorithms })
    }
}

impl ServerCertVerifier for CertificateVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let pin = match &self.whom {
            Whom::Authorities(authorities) => {
                return authorities.read()?.verify_server_cert(certificate, chain, name, stapled, now);
            }
            Whom::One(pin) => pin,
        };
        let found: [u8; 32] = Sha256::digest(certificate).into();
        if found == *pin {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::Other(OtherError(Arc::new(Other(found)))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
