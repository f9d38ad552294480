//! App passwords: made here, kept as argon2id. RFC 9106

use super::Error;
use super::seal::random;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

/// Letters and digits that nobody mistakes for one another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Groups of four, 100 bits in all.
const LENGTH: usize = 20;

/// A new password and its hash.
pub fn make() -> Result<(String, String), Error> {
    let mut password = String::new();
    for (at, octet) in random::<LENGTH>()?.into_iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            password.push('-');
        }
        let letter = LETTERS.get(usize::from(octet) % LETTERS.len()).copied().unwrap_or(b'a');
        password.push(char::from(letter));
    }
    let hash = Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &random::<16>()?)
        .map_err(|_| Error::System("no memory for a password hash"))?;
    Ok((password, hash.to_string()))
}

/// Whether it is one of the passwords. All are tried, whichever fits.
pub fn fits_one(password: &str, hashes: &[&str]) -> bool {
    let fits = |hash: &&&str| {
        PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    };
    hashes.iter().filter(fits).count() > 0
}

/// Takes as long as [`fits_one`] with one password.
pub fn fits_none(password: &str) {
    let _ = Argon2::default().hash_password_with_salt(password.as_bytes(), &[0; 16]);
}
