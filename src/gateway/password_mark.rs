//! Marks of passwords that were accepted: sixteen bits of a salted argon2id hash.
//!
//! A mark tells a password from nearly all guesses, also after a restart. It opens nothing. It is too short to find the
//! password by it: of the passwords that somebody tries against a stolen mark, one in 65,536 fits.

use argon2::{Algorithm, Argon2, Params, Version};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};

/// Kilobytes for a hash: about a millisecond, also while somebody sends many guesses.
const MEMORY: u32 = 1024;
/// Passwords of one name that are marked: an account has one for each device.
const MAX_MARKS: usize = 16;

/// The marks of one name.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Marks {
    salt: [u8; 16],
    /// The latest last.
    marks: Vec<u16>,
}

impl Marks {
    /// Whether the password may be one that was accepted.
    pub(super) fn fit(&self, password: &str) -> bool {
        !self.marks.is_empty() && mark(&self.salt, password).is_some_and(|mark| self.marks.contains(&mark))
    }

    /// These marks and that of a password that was accepted; `None` without random numbers or memory.
    pub(super) fn with(&self, password: &str, others_stay_good: bool) -> Option<Self> {
        let mut salt = self.salt;
        if self.marks.is_empty() {
            SystemRandom::new().fill(&mut salt).ok()?;
        }
        let new = mark(&salt, password)?;
        let mut marks = if others_stay_good { self.marks.clone() } else { Vec::new() };
        marks.retain(|mark| *mark != new);
        marks.push(new);
        let superfluous = marks.len().saturating_sub(MAX_MARKS);
        marks.drain(..superfluous);
        Some(Self { salt, marks })
    }
}

fn mark(salt: &[u8], password: &str) -> Option<u16> {
    let params = Params::new(MEMORY, 1, 1, None).ok()?;
    let mut hash = [0; Params::DEFAULT_OUTPUT_LEN];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password.as_bytes(), salt, &mut hash).ok()?;
    hash.first_chunk().copied().map(u16::from_be_bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_fits_its_password_alone_and_differs_from_name_to_name() {
        let marks = Marks::default().with("Sommer 2026!", false).unwrap();
        assert!(marks.fit("Sommer 2026!"));
        assert_eq!((0..200).filter(|n| marks.fit(&format!("guess {n}"))).count(), 0);
        assert!(!Marks::default().fit(""));
        let other = Marks::default().with("Sommer 2026!", false).unwrap();
        assert_ne!(marks.salt, other.salt);
    }

    #[test]
    fn a_person_has_one_password_and_an_account_several() {
        let first = Marks::default().with("first", true).unwrap();
        let both = first.with("second", true).unwrap();
        assert!(both.fit("first") && both.fit("second"));
        let changed = both.with("third", false).unwrap();
        assert!(changed.fit("third") && !changed.fit("second"));
        let many = (0..50).fold(first, |marks, n| marks.with(&format!("device {n}"), true).unwrap());
        assert_eq!(many.marks.len(), MAX_MARKS);
        assert!(many.fit("device 49") && !many.fit("first"));
    }
}
