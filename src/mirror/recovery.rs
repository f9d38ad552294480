//! A file that cannot be used any more is opened again, or set aside to be filled anew. Nothing is lost: Exchange is the
//! truth.
//!
//! **Invariant:** nobody ever reads from a file that was begun anew behind his back: an empty one looks as if all had been
//! deleted. A damaged mirror is dead for good, and whoever needs one opens another.

use super::store::{Error, Mirror, open_file};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What is wrong with an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    /// It failed to read or to write, as on a full disk: redb takes nothing more until it is opened again.
    Closed,
    /// Something broke off in the middle: the file is looked through.
    Suspect,
    /// What lies there is not what was written.
    Damaged,
}

/// A file that could not be opened is not tried more often.
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

impl Error {
    fn harm(&self) -> Option<Damage> {
        match self {
            Self::Damaged(_) => Some(Damage::Damaged),
            Self::Full(_) => Some(Damage::Closed),
            Self::Store(error) => match **error {
                redb::Error::Io(_)
                | redb::Error::PreviousIo
                | redb::Error::DatabaseClosed
                | redb::Error::LockPoisoned(_) => Some(Damage::Closed),
                _ => None,
            },
            Self::Forgotten
            | Self::Folder(_)
            | Self::Taken(_)
            | Self::Outdated(_)
            | Self::NoCollection(_)
            | Self::Interrupted(_)
            | Self::Replaced => None,
        }
    }
}

/// Lays a damaged file beside, in the place of one that was laid there before.
pub(super) fn set_aside(path: &Path) -> std::io::Result<()> {
    std::fs::rename(path, path.with_extension("damaged"))
}

impl Mirror {
    /// Whether it was damaged and is of no use any more; another one can be opened.
    pub fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Acquire)
    }

    /// Works on the file, and heals what turns out to be wrong with it. Blocks.
    pub(super) fn work<T>(&self, work: impl FnOnce(&Self) -> Result<T, Error>) -> Result<T, Error> {
        let (seen, outcome) = loop {
            self.open_again()?;
            let _among_others = self.gate.read().unwrap_or_else(PoisonError::into_inner);
            // It may have gone to rest just now.
            if !self.is_closed() {
                break (self.opened.load(Ordering::Acquire), catch_unwind(AssertUnwindSafe(|| work(self))));
            }
        };
        self.touch();
        let (harm, outcome) = match outcome {
            Ok(outcome) => (outcome.as_ref().err().and_then(Error::harm), outcome),
            Err(_) => (Some(Damage::Suspect), Err(Error::Interrupted("it broke off".to_owned()))),
        };
        if let (Some(harm), Err(error)) = (harm, &outcome) {
            self.heal(harm, seen, error);
        }
        outcome
    }

    fn open_again(&self) -> Result<(), Error> {
        if self.is_dead() {
            return Err(Error::Replaced);
        }
        let is_closed = self.db.read().unwrap_or_else(PoisonError::into_inner).is_none();
        let tried = *self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if is_closed && tried.is_none_or(|at| at.elapsed() > BETWEEN_TRIES) {
            let seen = self.opened.load(Ordering::Acquire);
            self.heal(Damage::Closed, seen, &Error::Interrupted("it was closed".to_owned()));
        }
        Ok(())
    }

    /// The caller saw the file as it was opened the `seen`th time.
    fn heal(&self, harm: Damage, seen: u64, why: &Error) {
        let _alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        if self.is_dead() || self.opened.load(Ordering::Acquire) != seen {
            return;
        }
        // Nobody else has it: it is closed here.
        *self.db.write().unwrap_or_else(PoisonError::into_inner) = None;
        let was_resting =
            self.tried.lock().unwrap_or_else(PoisonError::into_inner).replace(Instant::now()).is_none();
        let opened = match harm {
            Damage::Damaged => Err(Error::Damaged(why.to_string())),
            Damage::Closed | Damage::Suspect => {
                catch_unwind(AssertUnwindSafe(|| self.look_through(harm == Damage::Suspect)))
                    .unwrap_or_else(|_| Err(Error::Damaged("it cannot be looked through".to_owned())))
            }
        };
        match opened {
            Ok(db) => {
                *self.db.write().unwrap_or_else(PoisonError::into_inner) = Some(db);
                self.opened.fetch_add(1, Ordering::Release);
                if !was_resting {
                    self.tell(|| tracing::warn!(%why, "the mirror's file was opened again"));
                }
            }
            Err(Error::Damaged(what)) => {
                self.is_dead.store(true, Ordering::Release);
                let aside = set_aside(&self.path).err();
                tracing::error!(%what, ?aside, "the mirror is damaged: it is set aside and filled anew");
            }
            Err(error) => self.tell(|| tracing::error!(%error, "the mirror's file cannot be opened")),
        }
    }

    fn look_through(&self, is_doubtful: bool) -> Result<redb::Database, Error> {
        let (mut db, epoch) = open_file(&self.path, &self.settings, &self.rendering)?;
        if epoch != self.epoch {
            return Err(Error::Damaged("it is another file".to_owned()));
        }
        if is_doubtful && !db.check_integrity().is_ok_and(|is_sound| is_sound) {
            return Err(Error::Damaged("it is not whole".to_owned()));
        }
        Ok(db)
    }

    /// Once in a while: a full disk stays full for a time.
    fn tell(&self, line: impl FnOnce()) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|at| at.elapsed() > Duration::from_mins(1)) {
            *told = Some(Instant::now());
            line();
        }
    }
}
