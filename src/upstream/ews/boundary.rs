//! Exchange as one of the upstreams: each call is the operation of the same sense, each error one of [`upstream::Error`].

use super::Exchange;
use super::client::Session;
use super::types::{document, parse_item};
use crate::model::capabilities::Capabilities;
use crate::model::collection::CollectionKind;
use crate::model::item::{Change, Field, Item, ItemClass, ItemRef, Notify};
use crate::upstream::{
    self, Access, Answer, BusyTime, Disposal, Ended, Error, EventStream, Fetched, Folder, FolderChange,
    FolderEdit, FolderProperty, FolderSelector, ItemChange, NewAttachment, Notification, Page, Relocate,
    Resolved, Scope, SharedAccount, SharedTime, SubscriptionGroup, Target, Unreachable, Upstream,
    UserSession, WellKnownFolder,
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

#[async_trait]
impl Upstream for Exchange {
    fn name(&self) -> &str {
        self.name()
    }

    fn session(&self, access: &Access<'_>) -> Result<upstream::Session, Unreachable> {
        Ok(Arc::new(self.session(self.credentials(access)?)))
    }

    async fn look(&self) {
        let Ok(endpoint) = self.name().parse() else {
            return tracing::info!("Exchange is looked for with the first sign-in: {}", self.name());
        };
        match self.offered(&endpoint).await {
            Ok(offered) => {
                let offered: Vec<String> = offered.iter().map(ToString::to_string).collect();
                tracing::info!("Exchange answers at {endpoint}; sign-in: {}", offered.join(", "));
            }
            Err(error) => tracing::warn!(%error, "Exchange does not answer at {endpoint}"),
        }
    }
}

/// The answers for several things.
fn each<T>(answers: Vec<Result<T, super::Error>>) -> Vec<Result<T, Error>> {
    answers.into_iter().map(|answer| answer.map_err(Error::from)).collect()
}

#[async_trait]
impl UserSession for Session {
    fn capabilities(&self) -> Capabilities {
        self.capabilities()
    }

    fn concurrency(&self) -> usize {
        self.concurrency()
    }

    fn patience(&self) -> Duration {
        self.patience()
    }

    fn server_time(&self) -> Option<Timestamp> {
        self.server_time()
    }

    fn mailbox(&self) -> Option<&str> {
        self.mailbox()
    }

    fn shared_account(&self) -> Option<SharedAccount> {
        self.shared_account()
    }

    fn giving_up_at_once(&self) -> upstream::Session {
        Arc::new(self.giving_up_at_once())
    }

    fn asking_once(&self) -> upstream::Session {
        Arc::new(self.asking_once())
    }

    fn pack(&self, item: &Item) -> String {
        document(item)
    }

    fn unpack(&self, text: &str) -> Option<Item> {
        parse_item(text)
    }

    async fn folders(&self, folders: &[FolderSelector]) -> Result<Vec<Result<Folder, Error>>, Error> {
        Ok(each(self.get_folders(folders).await?))
    }

    async fn folder_changes(&self, cursor: Option<&str>) -> Result<Page<FolderChange>, Error> {
        Ok(self.sync_hierarchy(cursor).await?)
    }

    async fn item_changes(&self, folder: &str, cursor: Option<&str>) -> Result<Page<ItemChange>, Error> {
        Ok(self.sync_items(folder, cursor).await?)
    }

    async fn items(&self, class: ItemClass, ids: &[&str]) -> Result<Vec<Fetched>, Error> {
        Ok(each(self.get_items(class, ids).await?))
    }

    async fn find_items(
        &self,
        folder: &str,
        wanted: &[(Field, String)],
    ) -> Result<Vec<(ItemRef, ItemClass)>, Error> {
        Ok(self.find_items(folder, wanted).await?)
    }

    async fn attachments(&self, ids: &[&str]) -> Result<Vec<Result<Vec<u8>, Error>>, Error> {
        Ok(each(self.get_attachments(ids).await?))
    }

    async fn create_folder(
        &self,
        parent: WellKnownFolder,
        kind: CollectionKind,
        display_name: &str,
        properties: &[(FolderProperty, String)],
    ) -> Result<String, Error> {
        Ok(self.create_folder(parent, kind, display_name, properties).await?)
    }

    async fn update_folder(
        &self,
        folder: &str,
        kind: CollectionKind,
        edits: &[FolderEdit],
    ) -> Result<(), Error> {
        Ok(self.update_folder(folder, kind, edits).await?)
    }

    async fn delete_folder(&self, folder: &str) -> Result<(), Error> {
        Ok(self.delete_folder(folder).await?)
    }

    async fn create_item(
        &self,
        folder: &str,
        class: ItemClass,
        changes: &[Change],
        notify: Notify,
    ) -> Result<ItemRef, Error> {
        Ok(self.create_item(folder, class, changes, notify).await?)
    }

    async fn update_items(
        &self,
        class: ItemClass,
        changes: &[(Target, Vec<Change>)],
        notify: Notify,
    ) -> Result<Vec<Result<ItemRef, Error>>, Error> {
        Ok(each(self.update_items(class, changes, notify).await?))
    }

    async fn delete_items(
        &self,
        targets: &[Target],
        disposal: Disposal,
        notify: Notify,
    ) -> Result<Vec<Result<(), Error>>, Error> {
        Ok(each(self.delete_items(targets, disposal, notify).await?))
    }

    async fn relocate_item(
        &self,
        how: Relocate,
        item: &ItemRef,
        folder: &str,
    ) -> Result<Option<ItemRef>, Error> {
        Ok(self.relocate_item(how, item, folder).await?)
    }

    async fn create_attachments(
        &self,
        item: &ItemRef,
        new: &[NewAttachment],
    ) -> Result<(ItemRef, Vec<String>), Error> {
        Ok(self.create_attachments(item, new).await?)
    }

    async fn delete_attachments(&self, item: &ItemRef, ids: &[String]) -> Result<ItemRef, Error> {
        Ok(self.delete_attachments(item, ids).await?)
    }

    async fn occurrence_starts(
        &self,
        targets: &[Target],
    ) -> Result<Vec<Result<(ItemRef, Option<Timestamp>), Error>>, Error> {
        Ok(each(self.occurrence_starts(targets).await?))
    }

    async fn occurrence_ids(&self, targets: &[Target]) -> Result<Vec<Result<ItemRef, Error>>, Error> {
        Ok(each(self.occurrence_ids(targets).await?))
    }

    async fn answer(&self, item: &ItemRef, answer: Answer, comment: &str, tell: bool) -> Result<(), Error> {
        Ok(self.answer(item, answer, comment, tell).await?)
    }

    async fn resolve_names(&self, name: &str, scope: Scope) -> Result<Resolved, Error> {
        Ok(self.resolve_names(name, scope).await?)
    }

    async fn availability(
        &self,
        addresses: &[&str],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Result<Vec<BusyTime>, Error>>, Error> {
        Ok(each(self.availability(addresses, from, to).await?))
    }

    async fn shared_times(
        &self,
        address: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<SharedTime>, Error> {
        Ok(self.shared_times(address, from, to).await?)
    }

    async fn subscribe(&self, group: &Arc<SubscriptionGroup>) -> Result<String, Error> {
        Ok(self.within(group).subscribe().await?)
    }

    async fn unsubscribe(&self, group: &Arc<SubscriptionGroup>, subscription: &str) -> Result<(), Error> {
        Ok(self.within(group).unsubscribe(subscription).await?)
    }

    async fn listen(
        &self,
        group: &Arc<SubscriptionGroup>,
        subscriptions: &[String],
    ) -> Result<Box<dyn EventStream>, Error> {
        Ok(Box::new(self.within(group).listen(subscriptions).await?))
    }
}

#[async_trait]
impl EventStream for super::EventStream {
    async fn next(&mut self, until: Instant) -> Result<Notification, Ended> {
        Ok(self.next(until).await?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::upstream::ews::{Credentials, Settings};

    #[test]
    fn a_packed_item_comes_back_as_it_was() {
        let text = "<t:Task xmlns:t='http://schemas.microsoft.com/exchange/services/2006/types'>\
                    <t:ItemId Id='a' ChangeKey='b'/><t:Subject>one &amp; two&#13;\n three </t:Subject>\
                    <t:Body BodyType='Text'> </t:Body></t:Task>";
        let settings = Settings { url: "http://localhost/".to_owned(), ..Settings::default() };
        let session = Exchange::new(settings).unwrap().session(Credentials::password("a", "b"));
        let item = session.unpack(text).unwrap();
        assert_eq!(session.unpack(&session.pack(&item)).unwrap(), item);
        assert_eq!(session.unpack("no item"), None);
    }
}
