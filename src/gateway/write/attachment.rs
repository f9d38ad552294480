//! Managed attachments: files that are added to an object, replaced and removed by themselves. RFC 8607

use super::found::Found;
use super::{Conditions, Written};
use crate::convert::write::{Attached, Current, keep_attachments, needed};
use crate::convert::{self, AttachmentEdit, Context, Related};
use crate::gateway::{Error, Mailbox};
use crate::model::id::{CollectionId, ResourceName};
use crate::model::item::{Attachment, Change, Field, Item, ItemRef, Notify};
use crate::model::object::{Head, MAX_ATTACHMENTS};
use crate::model::refusal::{Reason, Refusal};
use crate::upstream::{ErrorKind, NewAttachment, Target};
use bytes::Bytes;
use std::sync::Arc;

/// A file that a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, for people.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Octets.
    pub content: Bytes,
}

/// What happens to the attachments of an object. RFC 8607 3.3.1
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachmentChange {
    /// `attachment-add`, to these instances.
    Add(File, Instances),
    /// `attachment-update` of this MANAGED-ID.
    Update(String, File),
    /// `attachment-remove` of this MANAGED-ID, from these instances.
    Remove(String, Instances),
}

/// The instances that a change is about. RFC 8607 3.3.2
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instances {
    /// The whole object.
    All,
    /// These: `M` is the master, all others are values of RECURRENCE-ID.
    These(Vec<String>),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedAttachment {
    /// The object.
    pub object: Written,
    /// MANAGED-ID and URL of a new attachment.
    pub new: Option<(String, String)>,
}

impl Mailbox {
    /// Adds, replaces or removes an attachment. Fails with [`Error::NotFound`], [`Error::Changed`] and
    /// [`Error::Refused`].
    ///
    /// Octets that hang there already under the same name are not added again: a client that did not get its answer
    /// repeats itself.
    pub async fn change_attachment(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        conditions: &Conditions,
        change: AttachmentChange,
    ) -> Result<ManagedAttachment, Error> {
        self.settle_before(id, name).await?;
        if !self.known_folder(id).await?.collection.rights.modify {
            return Err(Error::Denied("the folder is read-only for you".to_owned()));
        }
        let _lock = self.lock_object(id, name).await?;
        self.distrust_if_others_wrote(id);
        let folder = match self.folder_of_sought(id, name).await? {
            Some(folder) => folder,
            None => self.current_folder(id).await?,
        };
        if !folder.collection.rights.modify {
            return Err(Error::Denied("the folder is read-only for you".to_owned()));
        }
        self.refuse_hidden(id, name).await?;
        let known = self.get_known(id, name).await?.ok_or(Error::NotFound)?;
        conditions.judge(Some(&known.head))?;
        if let Some(entry) = self.entry(id, name).await? {
            Self::refuse_several(&entry)?;
        }
        let found = self.find_upstream(id, name, folder.collection.kind, conditions).await?;
        let found = found.ok_or(Error::NotFound)?;
        self.refuse_mailing(&found.item)?;
        let items = [(found.item.clone(), found.related.clone())];
        let context = self.follower().translation(id, &items).await?;
        if context.attachment_url.is_none() {
            return Err(Error::Denied(
                "attachments need `server.public_url` in the settings of exdav".to_owned(),
            ));
        }
        let text = self.get_known(id, name).await?.ok_or(Error::NotFound)?.body;
        let outcome = self.hang(&context, &found, &text, change).await;
        if outcome.is_err() {
            self.follower().invalidate(id);
        }
        let (edit, has_changed) = outcome?;
        let now = self.follower().fetch_one(found.item.class, &found.item.id.id).await?;
        let (item, related) = now.ok_or(Error::Changed)?;
        let new = edit.new_id().map(|id| {
            let managed_id = convert::managed_id(id);
            let url = context.attachment_url.as_ref().map(|url| url(name, &managed_id)).unwrap_or_default();
            (managed_id, url)
        });
        let (before, current) = (
            Current { item: &found.item, related: &found.related },
            Current { item: &item, related: &related },
        );
        let text = convert::with_attachments(&context, (&item, &related), name, &text, &edit);
        let keep = text.and_then(|text| keep_attachments(&context, &text, before, current));
        let item = self.say_so(item, keep, has_changed).await;
        let head = self.follower().record(id, item, related).await?.ok_or(Error::Changed)?;
        let Head { name, etag, schedule_tag, .. } = head;
        Ok(ManagedAttachment {
            object: Written { name, created: false, etag: Some(etag), schedule_tag },
            new,
        })
    }

    /// Does it in Exchange; whether there was anything to do.
    async fn hang(
        &self,
        context: &Context,
        found: &Found,
        text: &[u8],
        change: AttachmentChange,
    ) -> Result<(AttachmentEdit, bool), Error> {
        match change {
            AttachmentChange::Add(file, instances) => {
                let places = places(context, found, text, &instances)?;
                let (mut new, mut has_changed) = (Vec::new(), false);
                for place in &places {
                    let (id, is_new) = self.add(place, &file).await?;
                    new.push(id);
                    has_changed |= is_new;
                }
                if instances == Instances::All {
                    self.add_to_exceptions(found, &file).await?;
                }
                let rids = match instances {
                    Instances::All => None,
                    Instances::These(rids) => Some(rids),
                };
                Ok((AttachmentEdit::Add(new, rids), has_changed))
            }
            AttachmentChange::Update(managed_id, file) => {
                let (place, old) = holder(found, &managed_id)?;
                // First the new one: whatever happens then, nothing is lost.
                let (new, _) = self.add(place, &file).await?;
                if new != old.id {
                    self.take_off(std::slice::from_ref(&old.id)).await?;
                }
                let has_changed = new != old.id;
                Ok((AttachmentEdit::Replace(managed_id, new), has_changed))
            }
            AttachmentChange::Remove(managed_id, instances) => {
                let (place, old) = holder(found, &managed_id)?;
                let rids = match &instances {
                    Instances::All => None,
                    Instances::These(rids) => {
                        let places = self::places(context, found, text, &instances)?;
                        if places.iter().any(|wanted| wanted.id != place.id) {
                            let text = "these instances do not have this attachment by themselves";
                            return Err(Refusal::of_part(Reason::NoSuchInstance, "rid", text).into());
                        }
                        Some(rids.clone())
                    }
                };
                self.take_off(std::slice::from_ref(&old.id)).await?;
                if rids.is_none() {
                    self.take_off_exceptions(found, &old).await?;
                }
                Ok((AttachmentEdit::Remove(managed_id, rids), true))
            }
        }
    }

    /// Attaches a file unless it is there; gives Exchange's id of it, and whether it is new.
    async fn add(&self, place: &Item, file: &File) -> Result<(String, bool), Error> {
        let there = place.attachments();
        if let Some(known) = self.same_as(file, &there).await? {
            return Ok((known, false));
        }
        if there.iter().filter(|found| !found.is_inline).count() >= MAX_ATTACHMENTS {
            let text = format!("an object has at most {MAX_ATTACHMENTS} attachments");
            return Err(Refusal::new(Reason::TooManyAttachments, text).into());
        }
        let new = NewAttachment {
            name: file.name.clone(),
            content_type: file.media_type.clone(),
            is_contact_photo: false,
            content: file.content.to_vec(),
        };
        match self.follower().session().create_attachments(&place.id, &[new]).await {
            Ok((_, ids)) => ids.into_iter().next().map(|id| (id, true)).ok_or_else(|| {
                Error::Internal("Exchange does not tell the id of an attachment".to_owned(), None)
            }),
            Err(error) if error.is(&ErrorKind::Lost) => {
                // It may hang there all the same.
                let now = self.follower().fetch_one(place.class, &place.id.id).await?;
                let now = now.map(|(item, _)| item.attachments()).unwrap_or_default();
                self.same_as(file, &now).await?.map(|id| (id, true)).ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The attachment of this name with these octets.
    async fn same_as(&self, file: &File, there: &[Attachment]) -> Result<Option<String>, Error> {
        let namesakes: Vec<&str> =
            there.iter().filter(|a| a.name == file.name && !a.is_inline).map(|a| a.id.as_str()).collect();
        if namesakes.is_empty() {
            return Ok(None);
        }
        let contents = self.follower().session().attachments(&namesakes).await?;
        let same = namesakes
            .iter()
            .zip(contents)
            .find(|(_, content)| content.as_ref().is_ok_and(|c| *c == file.content));
        Ok(same.map(|(id, _)| (*id).to_owned()))
    }

    /// Exceptions that do not share the attachments of their series get their own.
    async fn add_to_exceptions(&self, found: &Found, file: &File) -> Result<(), Error> {
        if found.related.exceptions.is_empty() {
            return Ok(());
        }
        let now = self.follower().fetch_one(found.item.class, &found.item.id.id).await?;
        for exception in now.map(|(_, related)| related.exceptions).unwrap_or_default() {
            let has_it = |a: &Attachment| a.name == file.name && a.size >= file.content.len() as u64;
            if !exception.attachments().iter().any(has_it) {
                self.add(&exception, file).await?;
            }
        }
        Ok(())
    }

    async fn take_off(&self, ids: &[String]) -> Result<(), Error> {
        let nothing = ItemRef { id: String::new(), version: String::new() };
        match self.follower().session().delete_attachments(&nothing, ids).await {
            Err(error) if matches!(error.kind, ErrorKind::ItemNotFound | ErrorKind::AttachmentNotFound) => {
                Ok(())
            }
            Err(error) if error.is(&ErrorKind::Lost) => {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                let contents = self.follower().session().attachments(&ids).await?;
                if contents.iter().all(Result::is_err) { Ok(()) } else { Err(error.into()) }
            }
            outcome => Ok(outcome.map(drop)?),
        }
    }

    /// Copies that exceptions have of what the series no longer has.
    async fn take_off_exceptions(&self, found: &Found, old: &Attachment) -> Result<(), Error> {
        if found.related.exceptions.is_empty() {
            return Ok(());
        }
        let now = self.follower().fetch_one(found.item.class, &found.item.id.id).await?;
        let copies: Vec<String> = now
            .iter()
            .flat_map(|(_, related)| &related.exceptions)
            .flat_map(Item::attachments)
            .filter(|other| other.name == old.name && other.size == old.size)
            .map(|other| other.id)
            .collect();
        if copies.is_empty() { Ok(()) } else { self.take_off(&copies).await }
    }

    /// Lets the client's own text, where one is kept, say what has changed; guests of a meeting get the files with an
    /// update. Gives the item as it is then. RFC 8607 3.12.6
    async fn say_so(&self, item: Item, keep: Option<Vec<Change>>, has_changed: bool) -> Item {
        let is_own = item.filled(Field::OwnResponse).is_none_or(|own| own == "Organizer");
        let lists = [Field::Required, Field::Optional, Field::Resources];
        let has_guests = is_own && lists.into_iter().any(|list| !item.attendees(list).is_empty());
        let notify = if has_guests && has_changed { Notify::All } else { Notify::Nobody };
        let nothing_new = || {
            let name = item.text(Field::ClientName).unwrap_or_default();
            (notify != Notify::Nobody).then(|| vec![Change::optional(Field::ClientName, Some(name))])
        };
        let Some(changes) = keep.or_else(nothing_new) else { return item };
        let (target, session) = (Target::Item(item.id.clone()), self.follower().session());
        match session.update_item(item.class, &target, &changes, notify).await {
            Ok(id) => {
                let predicted = Item::predicted(item.class, Some(&item), id, &changes);
                if session.capabilities().stores_what_it_takes {
                    return predicted;
                }
                let found = self.follower().fetch_one(item.class, &item.id.id).await.ok().flatten();
                found.map_or(predicted, |(item, _)| item)
            }
            // The file is there all the same. Never a second time: that nobody was told is less than told twice.
            Err(error) => {
                tracing::warn!(%error, "whether guests were told of an attachment is not known");
                item
            }
        }
    }

    /// Puts into the context what a text with attachments is compared with.
    pub(super) async fn with_attachments(
        &self,
        context: &mut Context,
        body: &Bytes,
        current: Option<Current<'_>>,
    ) -> Result<(), Error> {
        let mut needed = needed(body, current);
        needed.contents.retain(|id| !context.contents.contains_key(id));
        let session = self.follower().session();
        if !needed.contents.is_empty() {
            let ids: Vec<&str> = needed.contents.iter().map(String::as_str).collect();
            let octets = session.attachments(&ids).await?;
            let contents = Arc::make_mut(&mut context.contents);
            contents.extend(
                needed.contents.iter().cloned().zip(octets).filter_map(|(id, o)| Some((id, o.ok()?.into()))),
            );
        }
        for managed_id in needed.elsewhere {
            let key = managed_id.clone();
            let found = self.mirror().run(move |mirror| mirror.attachment_anywhere(&key)).await?;
            let Some(found) = found else { continue };
            let Some(content) = session.attachments(&[&found.upstream]).await?.pop() else { continue };
            let content = content.map_err(Error::from)?;
            let borrowed =
                Attached { name: found.name, media_type: found.media_type, content, is_photo: false };
            Arc::make_mut(&mut context.elsewhere).insert(managed_id, borrowed);
        }
        Ok(())
    }
}

/// The items that instances mean.
fn places<'a>(
    context: &Context,
    found: &'a Found,
    text: &[u8],
    instances: &Instances,
) -> Result<Vec<&'a Item>, Error> {
    let Instances::These(rids) = instances else { return Ok(vec![&found.item]) };
    let mut places = Vec::new();
    for rid in rids {
        let place = match rid.as_str() {
            "M" => Some(&found.item),
            rid => convert::exception_named(context, &found.item, &found.related.exceptions, text, rid),
        };
        places.push(place.ok_or_else(|| {
            let text = "only the master (`M`) and occurrences that were changed already have attachments of \
                        their own: change the occurrence first, or leave `rid` away";
            Refusal::of_part(Reason::NoSuchInstance, rid.as_str(), text)
        })?);
    }
    Ok(places)
}

/// Where an attachment hangs.
fn holder<'a>(found: &'a Found, managed_id: &str) -> Result<(&'a Item, Attachment), Error> {
    let Related { exceptions, .. } = &found.related;
    let mut items = std::iter::once(&found.item).chain(exceptions);
    let holder = items.find_map(|item| {
        let mut all = item.attachments().into_iter();
        all.find(|a| convert::managed_id(&a.id) == managed_id).map(|attachment| (item, attachment))
    });
    holder.ok_or_else(|| {
        let text = "the object has no such attachment: read it again";
        Refusal::of_part(Reason::NoSuchAttachment, "managed-id", text).into()
    })
}
