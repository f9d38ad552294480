//! Which SMTP addresses a mailbox has. The name that somebody signs in with is none of them by itself: it may be
//! `DOMAIN\user`, a bare name, or a user principal name with a domain of its own.
//!
//! **Invariant:** an address is taken for the user's only if Exchange says so: the directory has it beside the address that was
//! signed in with, or the mailbox behind it is the one that was opened.

use crate::model::item::Person;
use crate::text::address;
use crate::upstream::{Error, ErrorKind, Folder, FolderSelector, Scope, Session, WellKnownFolder};

/// Candidates whose mailboxes are compared with the one that was opened.
const MAX_COMPARED: usize = 4;

/// All addresses of the mailbox that `session` opened, the primary one first. `named` is the mailbox's address as the user or
/// the account wrote it, or a name that is no address; `folders` are its distinguished folders. Empty where none can be learned.
///
/// In the common case this is one call, a ResolveNames of the address. The directory tells three addresses of a person
/// (`EmailAddress1` to `3`). MS-OXWSRSLNM 3.1.4.1
pub(super) async fn addresses(
    session: &Session,
    named: &str,
    folders: &[Option<Folder>],
) -> Result<Vec<String>, Error> {
    let name = named.rsplit('\\').next().unwrap_or(named);
    let own = address::smtp(name);
    let local = name.split('@').next().unwrap_or(name);
    let mut words = vec![name];
    if local != name {
        words.push(local);
    }
    let mut is_answered = true;
    for word in words.into_iter().filter(|word| !word.is_empty()) {
        let mut people = match session.resolve_names(word, Scope::Directory).await {
            Ok(found) => found.people,
            // A server without a directory, or one that shows it to nobody.
            Err(error) if error.is_refusal() => {
                is_answered = false;
                break;
            }
            Err(error) => return Err(error),
        };
        let has =
            |person: &Person, own: &str| person.addresses().iter().any(|known| address::same(known, own));
        if let Some(person) = own.as_ref().and_then(|own| people.iter().find(|person| has(person, own))) {
            return Ok(person.addresses());
        }
        let is_local = |person: &Person| {
            person
                .addresses()
                .iter()
                .any(|known| known.split('@').next().is_some_and(|known| known.eq_ignore_ascii_case(local)))
        };
        people.sort_by_key(|person| !is_local(person));
        for person in people.iter().take(MAX_COMPARED) {
            if mailbox_of(session, &person.mailbox.address, folders).await? == Owner::User {
                return Ok(person.addresses());
            }
        }
    }
    let Some(own) = own else { return Ok(Vec::new()) };
    // Somebody whom the directory hides: the address counts unless Exchange says that it is none of this mailbox.
    let is_own = !is_answered || mailbox_of(session, &own, folders).await? != Owner::Other;
    Ok(if is_own { vec![own] } else { Vec::new() })
}

/// Whose mailbox an address leads to.
#[derive(Clone, Copy, PartialEq)]
enum Owner {
    User,
    Other,
    Unknown,
}

/// Ids of folders are unique, so one folder in common means one mailbox. MS-OXWSFOLD 3.1.4.6
async fn mailbox_of(session: &Session, address: &str, folders: &[Option<Folder>]) -> Result<Owner, Error> {
    let calendar = FolderSelector::Shared(WellKnownFolder::Calendar, address.to_owned());
    Ok(match session.folders(&[calendar]).await?.into_iter().next() {
        Some(Ok(found)) if folders.iter().flatten().any(|own| own.id == found.id) => Owner::User,
        Some(Ok(_)) => Owner::Other,
        Some(Err(error)) if error.is_transient() => return Err(error),
        Some(Err(error)) if error.is(&ErrorKind::MailboxNotFound) => Owner::Other,
        _ => Owner::Unknown,
    })
}
