//! One user at an upstream: what can be asked for, and what can be changed.

use super::error::{Error, ErrorKind};
use super::folder::{Folder, FolderChange, FolderEdit, FolderProperty, FolderSelector, WellKnownFolder};
use super::item::{Answer, Disposal, Fetched, ItemChange, NewAttachment, Page, Relocate, Target};
use super::listening::{EventStream, SharedAccount, SubscriptionGroup};
use super::people::{BusyTime, Resolved, Scope, SharedTime};
use crate::model::capabilities::Capabilities;
use crate::model::collection::CollectionKind;
use crate::model::item::{Change, Field, Item, ItemClass, ItemRef, Notify};
use async_trait::async_trait;
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One user at an upstream. Cheap to clone.
pub type Session = Arc<dyn UserSession>;

/// What an upstream does for one user. Answers for several things come in the order asked, one for each.
///
/// Calls that only read may be sent again by the upstream; those that change something never are, unless it is certain that
/// nothing was begun.
#[async_trait]
pub trait UserSession: fmt::Debug + Send + Sync {
    /// What exdav can rely on there.
    fn capabilities(&self) -> Capabilities;

    /// Calls that may be under way at once.
    fn concurrency(&self) -> usize;

    /// How long one call may take, pauses included.
    fn patience(&self) -> Duration;

    /// What the upstream's clock showed in its last answer, if it tells.
    fn server_time(&self) -> Option<Timestamp>;

    /// The mailbox that is asked, where its SMTP address is known.
    fn mailbox(&self) -> Option<&str>;

    /// The account that asks, if it may ask for others too, and where: one connection can listen to mailboxes that the same
    /// account reaches at the same endpoint. `None` also while the endpoint is not known.
    fn shared_account(&self) -> Option<SharedAccount>;

    /// The same user, for whom an upstream that cannot be reached is not tried again: somebody waits to learn why.
    fn giving_up_at_once(&self) -> Session;

    /// The same user, for whom nothing is sent again after a pause: what was seen before it may no longer be so.
    fn asking_once(&self) -> Session;

    /// An item as text that [`UserSession::unpack`] reads again.
    fn pack(&self, item: &Item) -> String;

    /// The item that was packed; `None`: it is none of this upstream.
    fn unpack(&self, text: &str) -> Option<Item>;

    /// Folders, by what names them.
    async fn folders(&self, folders: &[FolderSelector]) -> Result<Vec<Result<Folder, Error>>, Error>;

    /// Changes of the whole folder tree since a cursor; `None`: from nothing on.
    async fn folder_changes(&self, cursor: Option<&str>) -> Result<Page<FolderChange>, Error>;

    /// Changes of a folder's contents since a cursor: ids and versions.
    async fn item_changes(&self, folder: &str, cursor: Option<&str>) -> Result<Page<ItemChange>, Error>;

    /// Items with all that is read of their class.
    async fn items(&self, class: ItemClass, ids: &[&str]) -> Result<Vec<Fetched>, Error>;

    /// The items of a folder of which one of these fields has this value: texts that are kept on items, and the UID of events.
    /// For single questions only: it may cost a walk through the folder.
    async fn find_items(
        &self,
        folder: &str,
        wanted: &[(Field, String)],
    ) -> Result<Vec<(ItemRef, ItemClass)>, Error>;

    /// Contents of attachments. An attached item comes as text.
    async fn attachments(&self, ids: &[&str]) -> Result<Vec<Result<Vec<u8>, Error>>, Error>;

    /// Makes a folder below another; gives its id.
    async fn create_folder(
        &self,
        parent: WellKnownFolder,
        kind: CollectionKind,
        display_name: &str,
        properties: &[(FolderProperty, String)],
    ) -> Result<String, Error>;

    /// Changes a folder: all edits or none.
    async fn update_folder(
        &self,
        folder: &str,
        kind: CollectionKind,
        edits: &[FolderEdit],
    ) -> Result<(), Error>;

    /// Removes a folder with everything in it; it can be found in the deleted items.
    async fn delete_folder(&self, folder: &str) -> Result<(), Error>;

    /// Makes an item in a folder.
    async fn create_item(
        &self,
        folder: &str,
        class: ItemClass,
        changes: &[Change],
        notify: Notify,
    ) -> Result<ItemRef, Error>;

    /// Changes items or occurrences, one after the other. Where the upstream judges versions, [`ErrorKind::Conflict`] for one
    /// that is no longer what the call is based on.
    async fn update_items(
        &self,
        class: ItemClass,
        changes: &[(Target, Vec<Change>)],
        notify: Notify,
    ) -> Result<Vec<Result<ItemRef, Error>>, Error>;

    /// Changes one item or occurrence.
    async fn update_item(
        &self,
        class: ItemClass,
        target: &Target,
        changes: &[Change],
        notify: Notify,
    ) -> Result<ItemRef, Error> {
        let all = self.update_items(class, &[(target.clone(), changes.to_vec())], notify).await?;
        let none = || Error::new(ErrorKind::Unintelligible, "there is no answer to a change");
        all.into_iter().next().ok_or_else(none)?
    }

    /// Deletes items or occurrences, whatever they have become since they were looked at.
    async fn delete_items(
        &self,
        targets: &[Target],
        disposal: Disposal,
        notify: Notify,
    ) -> Result<Vec<Result<(), Error>>, Error>;

    /// Moves or copies an item into another folder; gives its new id where the upstream tells.
    async fn relocate_item(
        &self,
        how: Relocate,
        item: &ItemRef,
        folder: &str,
    ) -> Result<Option<ItemRef>, Error>;

    /// Attaches octets; gives the item's new version and the ids of the attachments.
    async fn create_attachments(
        &self,
        item: &ItemRef,
        new: &[NewAttachment],
    ) -> Result<(ItemRef, Vec<String>), Error>;

    /// Removes attachments; gives the item's new version.
    async fn delete_attachments(&self, item: &ItemRef, ids: &[String]) -> Result<ItemRef, Error>;

    /// The ids and starts of occurrences: what an upstream means by their numbers.
    async fn occurrence_starts(
        &self,
        targets: &[Target],
    ) -> Result<Vec<Result<(ItemRef, Option<Timestamp>), Error>>, Error>;

    /// The ids of occurrences: an answer to an invitation takes no other name of them.
    async fn occurrence_ids(&self, targets: &[Target]) -> Result<Vec<Result<ItemRef, Error>>, Error>;

    /// Answers an invitation; `tell` sends the answer to the organiser.
    async fn answer(&self, item: &ItemRef, answer: Answer, comment: &str, tell: bool) -> Result<(), Error>;

    /// People whom a name may mean, with all that the directory tells.
    async fn resolve_names(&self, name: &str, scope: Scope) -> Result<Resolved, Error>;

    /// The SMTP address behind a name, if exactly one is meant.
    async fn resolve_name(&self, name: &str) -> Result<Option<String>, Error> {
        match self.resolve_names(name, Scope::DirectoryAndContacts).await {
            Ok(found) => match found.people.as_slice() {
                [one] if found.is_complete => Ok(Some(one.mailbox.address.clone())),
                // Nobody, or several: nothing that could be relied on.
                _ => Ok(None),
            },
            Err(error) if error.is_refusal() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// When people are busy: at most [`super::MAX_PEOPLE`] of them and [`super::MAX_DAYS`] days.
    async fn availability(
        &self,
        addresses: &[&str],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Result<Vec<BusyTime>, Error>>, Error>;

    /// What somebody's calendar shows to the session's user between two moments, at most [`super::MAX_DAYS`] days apart; an
    /// error when nothing is granted.
    async fn shared_times(
        &self,
        address: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<SharedTime>, Error>;

    /// Subscribes to all folders of the mailbox; gives the id of the subscription.
    async fn subscribe(&self, group: &Arc<SubscriptionGroup>) -> Result<String, Error>;

    /// The upstream may forget a subscription.
    async fn unsubscribe(&self, group: &Arc<SubscriptionGroup>, subscription: &str) -> Result<(), Error>;

    /// Listens to subscriptions of a group, at most [`super::MAX_SUBSCRIPTIONS`].
    async fn listen(
        &self,
        group: &Arc<SubscriptionGroup>,
        subscriptions: &[String],
    ) -> Result<Box<dyn EventStream>, Error>;
}
