//! Accounts of exdav's own: app passwords, and how each account reaches its mailbox at Exchange.
//!
//! One file, written as a whole and put into place at once, so that a running server and the command line can share it.
//! Unlike the mirror it is *not* disposable. App passwords are kept as argon2id hashes; what Exchange needs is sealed
//! with a key from another file.
//!
//! **Invariant:** no password or token is in the file in clear, nor in an error or a `Debug` text.
//! **Invariant:** the file is never half written, and never written by two at once.

mod book;
mod password;
mod seal;

use book::{Book, Entry, Reach};
use seal::Key;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Where accounts are kept.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The file; empty: there are no accounts.
    pub path: PathBuf,
    /// The file with the sealing key; empty: beside the accounts, with `.key` at the end.
    pub key: PathBuf,
}

/// What can go wrong with the file.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is such an account already.
    #[error("there is an account `{0}` already")]
    Exists(String),
    /// There is no such account, or it has no such password.
    #[error("there is no `{0}`; `exdav user list` shows what there is")]
    Unknown(String),
    /// A secret was sealed with another key, or somebody changed it.
    #[error(
        "the secrets of `{0}` cannot be opened: is it another key file than the one they were sealed with?"
    )]
    Sealed(String),
    /// The system has no random numbers, or no memory for a hash.
    #[error("{0}")]
    System(&'static str),
}

/// Somebody who may sign in to exdav with app passwords.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The sign-in name, folded.
    pub name: String,
    /// The SMTP address of the mailbox.
    pub mailbox: String,
    /// How the mailbox is reached.
    pub upstream: Upstream,
}

/// How an account reaches its mailbox. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Upstream {
    /// The service account or application of the settings impersonates it.
    Service,
    /// With the mailbox's own password.
    Password {
        /// The sign-in name at Exchange.
        login: String,
        /// Its password.
        password: String,
    },
    /// With the tokens of somebody who signed in by `exdav login`: the refresh token.
    Tokens(Option<String>),
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "by the service account",
            Self::Password { .. } => "by a password",
            Self::Tokens(Some(_)) => "by tokens",
            Self::Tokens(None) => "by tokens, not signed in yet (exdav login)",
        })
    }
}

/// What of an account may be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The account.
    pub account: Account,
    /// Labels of its app passwords.
    pub passwords: Vec<String>,
}

/// The accounts. Cheap to clone.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    path: PathBuf,
    key: Key,
    read: Mutex<Option<(Stamp, Arc<Book>)>>,
}

/// Another one after each change of the file.
type Stamp = Option<(SystemTime, u64)>;

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accounts({})", self.0.path.display())
    }
}

/// Names are the same whatever the case of their ASCII letters.
fn folded(name: &str) -> String {
    name.trim().to_ascii_lowercase()
}

impl Accounts {
    /// The accounts of the settings, if they name a file. The key is made when there is none yet.
    pub fn open(settings: &Settings) -> Result<Option<Self>, Error> {
        if settings.path.as_os_str().is_empty() {
            return Ok(None);
        }
        let mut key = settings.key.clone();
        if key.as_os_str().is_empty() {
            key = settings.path.clone();
            key.as_mut_os_string().push(".key");
        }
        let accounts = settings.path.exists();
        let inner =
            Inner { path: settings.path.clone(), key: Key::load(&key, accounts)?, read: Mutex::default() };
        Ok(Some(Self(Arc::new(inner))))
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    fn stamp(&self) -> Stamp {
        let about = std::fs::metadata(&self.0.path).ok()?;
        Some((about.modified().ok()?, about.len()))
    }

    fn book(&self) -> Result<Arc<Book>, Error> {
        let stamp = self.stamp();
        let mut read = self.0.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, book)) = &*read
            && *at == stamp
        {
            return Ok(Arc::clone(book));
        }
        let book = Arc::new(Book::read(&self.0.path)?);
        *read = Some((stamp, Arc::clone(&book)));
        Ok(book)
    }

    /// Changes with the account's passwords and mailbox; `None`: there is no such account.
    pub fn fingerprint(&self, name: &str) -> Result<Option<u64>, Error> {
        let book = self.book()?;
        let Some(entry) = book.entries.get(&folded(name)) else { return Ok(None) };
        let mut hasher = DefaultHasher::new();
        entry.mailbox.hash(&mut hasher);
        entry.passwords.iter().for_each(|password| password.hash.hash(&mut hasher));
        Ok(Some(hasher.finish()))
    }

    /// All accounts, by name.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        let book = self.book()?;
        let listed = |(name, entry): (&String, &Entry)| {
            let passwords = entry.passwords.iter().map(|password| password.label.clone()).collect();
            Ok(Listed { account: self.account(name, entry)?, passwords })
        };
        book.entries.iter().map(listed).collect()
    }

    /// The account, if one of its app passwords is this one. Takes some 20 ms and 19 MiB: not for async workers.
    pub fn verify(&self, name: &str, password: &str) -> Result<Option<Account>, Error> {
        let name = folded(name);
        let book = self.book()?;
        let Some(entry) = book.entries.get(&name) else {
            password::fits_none(password);
            return Ok(None);
        };
        let hashes: Vec<&str> = entry.passwords.iter().map(|password| password.hash.as_str()).collect();
        if password::fits_one(password, &hashes) { self.account(&name, entry).map(Some) } else { Ok(None) }
    }

    /// The account of that name, whoever asks.
    pub fn find(&self, name: &str) -> Result<Option<Account>, Error> {
        let name = folded(name);
        let book = self.book()?;
        book.entries.get(&name).map(|entry| self.account(&name, entry)).transpose()
    }

    fn account(&self, name: &str, entry: &Entry) -> Result<Account, Error> {
        let open = |sealed: &str| self.0.key.open(name, sealed);
        let upstream = match &entry.reach {
            Reach::Service => Upstream::Service,
            Reach::Password { login, sealed } => {
                Upstream::Password { login: login.clone(), password: open(sealed)? }
            }
            Reach::Tokens { sealed } => Upstream::Tokens(sealed.as_deref().map(open).transpose()?),
        };
        Ok(Account { name: name.to_owned(), mailbox: entry.mailbox.clone(), upstream })
    }

    fn reach(&self, name: &str, upstream: &Upstream) -> Result<Reach, Error> {
        Ok(match upstream {
            Upstream::Service => Reach::Service,
            Upstream::Password { login, password } => {
                Reach::Password { login: login.clone(), sealed: self.0.key.seal(name, password)? }
            }
            Upstream::Tokens(token) => Reach::Tokens {
                sealed: token.as_deref().map(|token| self.0.key.seal(name, token)).transpose()?,
            },
        })
    }

    /// Makes an account, without app passwords yet.
    pub fn add(&self, name: &str, mailbox: &str, upstream: &Upstream) -> Result<(), Error> {
        let name = folded(name);
        let reach = self.reach(&name, upstream)?;
        let entry = Entry { mailbox: mailbox.trim().to_owned(), reach, passwords: Vec::new() };
        Book::change(&self.0.path, |book| {
            if book.entries.contains_key(&name) {
                return Err(Error::Exists(name));
            }
            book.entries.insert(name, entry);
            Ok(())
        })
    }

    /// From now on the account reaches its mailbox in another way.
    pub fn set_upstream(&self, name: &str, upstream: &Upstream) -> Result<(), Error> {
        let name = folded(name);
        let reach = self.reach(&name, upstream)?;
        Book::change(&self.0.path, |book| {
            book.entries.get_mut(&name).ok_or(Error::Unknown(name))?.reach = reach;
            Ok(())
        })
    }

    /// Makes an app password and gives it, this one time.
    pub fn add_password(&self, name: &str, label: &str) -> Result<String, Error> {
        let name = folded(name);
        let (password, hash) = password::make()?;
        let kept = book::AppPassword { label: label.to_owned(), hash };
        Book::change(&self.0.path, |book| {
            let entry = book.entries.get_mut(&name).ok_or(Error::Unknown(name))?;
            if entry.passwords.iter().any(|password| password.label == kept.label) {
                return Err(Error::Exists(kept.label));
            }
            entry.passwords.push(kept);
            Ok(())
        })?;
        Ok(password)
    }

    /// Takes an app password back.
    pub fn remove_password(&self, name: &str, label: &str) -> Result<(), Error> {
        let name = folded(name);
        Book::change(&self.0.path, |book| {
            let entry = book.entries.get_mut(&name).ok_or(Error::Unknown(name))?;
            let before = entry.passwords.len();
            entry.passwords.retain(|password| password.label != label);
            if entry.passwords.len() == before { Err(Error::Unknown(label.to_owned())) } else { Ok(()) }
        })
    }

    /// Removes an account with all that belongs to it here.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let name = folded(name);
        Book::change(&self.0.path, |book| book.entries.remove(&name).map(drop).ok_or(Error::Unknown(name)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn accounts(folder: &Path) -> Accounts {
        let settings = Settings { path: folder.join("accounts.json"), key: PathBuf::new() };
        Accounts::open(&settings).unwrap().unwrap()
    }

    #[test]
    fn an_app_password_opens_its_account_until_it_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let accounts = accounts(folder.path());
        accounts.add("Alice@Example.com", "alice@example.com", &Upstream::Service).unwrap();
        let phone = accounts.add_password("alice@example.com", "phone").unwrap();
        let laptop = accounts.add_password("ALICE@example.com", "laptop").unwrap();
        for password in [&phone, &laptop] {
            let account = accounts.verify("alice@EXAMPLE.com", password).unwrap().unwrap();
            assert_eq!(
                (account.mailbox.as_str(), account.upstream),
                ("alice@example.com", Upstream::Service)
            );
        }
        assert_eq!(accounts.verify("alice@example.com", "wrong").unwrap(), None);
        assert_eq!(accounts.verify("bob@example.com", &phone).unwrap(), None);
        // Another process, such as the command line, takes one back.
        self::accounts(folder.path()).remove_password("alice@example.com", "phone").unwrap();
        assert_eq!(accounts.verify("alice@example.com", &phone).unwrap(), None);
        assert!(accounts.verify("alice@example.com", &laptop).unwrap().is_some());
    }

    #[test]
    fn secrets_are_sealed_and_open_only_with_their_key_and_for_their_account() {
        let folder = tempfile::tempdir().unwrap();
        let accounts = accounts(folder.path());
        let upstream = Upstream::Password { login: "CORP\\alice".to_owned(), password: "s3cret".to_owned() };
        accounts.add("alice", "alice@example.com", &upstream).unwrap();
        accounts.add("bob", "bob@example.com", &Upstream::Tokens(Some("t0ken".to_owned()))).unwrap();
        assert_eq!(accounts.find("alice").unwrap().unwrap().upstream, upstream);
        let path = folder.path().join("accounts.json");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("s3cret") && !text.contains("t0ken"));
        assert!(!format!("{:?}", accounts.list().unwrap()).contains("s3cret"));
        // Bob's file entry gets Alice's secret: it does not open.
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let sealed = json["alice"]["reach"]["password"]["sealed"].clone();
        json["bob"]["reach"]["tokens"]["sealed"] = sealed;
        std::fs::write(&path, json.to_string()).unwrap();
        assert!(matches!(accounts.find("bob"), Err(Error::Sealed(_))));
        // Without the key nothing is overwritten by a new one.
        std::fs::remove_file(folder.path().join("accounts.json.key")).unwrap();
        let settings = Settings { path, key: PathBuf::new() };
        assert!(matches!(Accounts::open(&settings), Err(Error::File { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_the_files() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        accounts(folder.path()).add("alice", "alice@example.com", &Upstream::Service).unwrap();
        for name in ["accounts.json", "accounts.json.key"] {
            let about = std::fs::metadata(folder.path().join(name)).unwrap();
            assert_eq!(about.permissions().mode() & 0o077, 0, "{name}");
        }
    }
}
