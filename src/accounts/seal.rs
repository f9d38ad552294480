//! Sealing: ChaCha20-Poly1305 with a key from a file, bound to the account that the secret belongs to. RFC 8439

use super::Error;
use super::book::write_private;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::path::PathBuf;

/// The key of all secrets.
pub struct Key(LessSafeKey);

const LENGTH: usize = 32;
const NO_RANDOM: Error = Error::System("the system has no random numbers");

/// Random octets.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut octets = [0; N];
    SystemRandom::new().fill(&mut octets).map_err(|_| NO_RANDOM)?;
    Ok(octets)
}

#[cfg(unix)]
fn is_open_to_others(path: &PathBuf) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o007 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &PathBuf) -> bool {
    false
}

impl Key {
    /// Reads the key's file; makes one if there is none, unless there are secrets that it could not open.
    pub fn load(path: &PathBuf, has_secrets: bool) -> Result<Self, Error> {
        let wrong = |reason: String| Error::File { path: path.clone(), reason };
        if is_open_to_others(path) {
            return Err(wrong("everybody may read the key of the accounts: chmod 600".to_owned()));
        }
        let octets = match std::fs::read_to_string(path) {
            Ok(text) => STANDARD
                .decode(text.trim())
                .ok()
                .filter(|octets| octets.len() == LENGTH)
                .ok_or_else(|| wrong("holds no key: 32 octets in base64".to_owned()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !has_secrets => {
                let octets = random::<LENGTH>()?.to_vec();
                write_private(path, STANDARD.encode(&octets).as_bytes()).map_err(|e| wrong(e.to_string()))?;
                octets
            }
            Err(error) => return Err(wrong(format!("the key of the accounts cannot be read: {error}"))),
        };
        let key =
            UnboundKey::new(&CHACHA20_POLY1305, &octets).map_err(|_| wrong("holds no key".to_owned()))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Nonce and sealed text, in base64. Nonces are random: far fewer than 2^32 secrets are ever sealed.
    pub fn seal(&self, account: &str, secret: &str) -> Result<String, Error> {
        let nonce = random::<NONCE_LEN>()?;
        let mut sealed = secret.as_bytes().to_vec();
        let bound = Aad::from(account.as_bytes());
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut sealed)
            .map_err(|_| NO_RANDOM)?;
        Ok(STANDARD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// The secret of this account.
    pub fn open(&self, account: &str, sealed: &str) -> Result<String, Error> {
        let opened = || {
            let octets = STANDARD.decode(sealed).ok()?;
            let (nonce, sealed) = octets.split_at_checked(NONCE_LEN)?;
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut sealed = sealed.to_vec();
            let plain = self.0.open_in_place(nonce, Aad::from(account.as_bytes()), &mut sealed).ok()?;
            String::from_utf8(plain.to_vec()).ok()
        };
        opened().ok_or_else(|| Error::Sealed(account.to_owned()))
    }
}
