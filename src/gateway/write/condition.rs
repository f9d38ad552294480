//! What a client wants to be true before it writes.

use crate::gateway::Error;
use crate::model::id::{ETag, ScheduleTag};
use crate::model::object::Head;
use jiff::Timestamp;

/// A list of entity tags, or any at all.
#[derive(Clone, Debug, PartialEq)]
pub enum Tags {
    /// `*`: there is a resource.
    Any,
    /// One of these. Weak ones never match and are left out.
    These(Vec<ETag>),
}

impl Tags {
    fn fit(&self, current: Option<&Head>) -> bool {
        match (self, current) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::These(tags), Some(head)) => tags.contains(&head.etag),
        }
    }
}

/// Whether an entity tag is, or is not, that of the resource.
#[derive(Clone, Debug, PartialEq)]
pub struct TagTest {
    /// The tag.
    pub tag: ETag,
    /// It must be another one, or none.
    pub is_negated: bool,
}

/// The conditions of a writing request. RFC 9110 13.1, RFC 6638 8.3
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// `If-Match`
    pub if_match: Option<Tags>,
    /// `If-None-Match`
    pub if_none_match: Option<Tags>,
    /// `If-Unmodified-Since`: counts only without `If-Match`, to the second.
    pub unmodified_since: Option<Timestamp>,
    /// `If-Schedule-Tag-Match`
    pub if_schedule_tag_match: Option<ScheduleTag>,
    /// What `If` asks of the resource's tag: one of the lists has to hold as a whole. RFC 4918 10.4.3
    pub lists: Option<Vec<Vec<TagTest>>>,
}

impl Conditions {
    /// Whether a condition speaks of the state in which the resource is, not only of whether it is there.
    pub(super) fn is_of_state(&self) -> bool {
        self.if_match.is_some()
            || self.unmodified_since.is_some()
            || self.if_schedule_tag_match.is_some()
            || self.lists.is_some()
    }

    /// Judges a resource that is there and has neither tags nor a time of change: a collection.
    pub fn judge_untagged(&self) -> Result<(), Error> {
        let met = matches!(self.if_match, None | Some(Tags::Any))
            && self.if_none_match != Some(Tags::Any)
            && self.if_schedule_tag_match.is_none()
            && self.a_list_holds(None);
        if met { Ok(()) } else { Err(Error::Changed) }
    }

    /// Judges what is there now; `None` when there is nothing. Fails with [`Error::Changed`].
    pub fn judge(&self, current: Option<&Head>) -> Result<(), Error> {
        let Self { if_match, if_none_match, unmodified_since, if_schedule_tag_match, .. } = self;
        let is_newer = |since: &Timestamp| {
            current.is_some_and(|head| head.last_modified.as_second() > since.as_second())
        };
        let tag = current.and_then(|head| head.schedule_tag.as_ref());
        let met = if_match.as_ref().is_none_or(|tags| tags.fit(current))
            && (if_match.is_some() || !unmodified_since.as_ref().is_some_and(is_newer))
            && !if_none_match.as_ref().is_some_and(|tags| tags.fit(current))
            && if_schedule_tag_match.as_ref().is_none_or(|wanted| tag == Some(wanted))
            && self.a_list_holds(current.map(|head| &head.etag));
        if met { Ok(()) } else { Err(Error::Changed) }
    }

    fn a_list_holds(&self, etag: Option<&ETag>) -> bool {
        let holds = |test: &TagTest| (etag == Some(&test.tag)) != test.is_negated;
        self.lists.as_ref().is_none_or(|lists| lists.iter().any(|list| list.iter().all(holds)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn conditions_hold_for_what_is_there_and_what_is_not() {
        let head = Head {
            name: "x.ics".parse().unwrap(),
            etag: ETag("a".into()),
            schedule_tag: Some(ScheduleTag("s".into())),
            last_modified: jiff::Timestamp::UNIX_EPOCH,
            size: 1,
        };
        let these = |tags: &[&str]| Some(Tags::These(tags.iter().map(|t| ETag((*t).into())).collect()));
        let met = |conditions: Conditions, current| conditions.judge(current).is_ok();
        let none = Conditions::default;
        assert!(met(none(), None) && met(none(), Some(&head)));
        let create = Conditions { if_none_match: Some(Tags::Any), ..none() };
        assert!(met(create.clone(), None) && !met(create, Some(&head)));
        let update = Conditions { if_match: these(&["b", "a"]), ..none() };
        assert!(!met(update.clone(), None) && met(update, Some(&head)));
        assert!(!met(Conditions { if_match: these(&["b"]), ..none() }, Some(&head)));
        assert!(!met(Conditions { if_match: these(&[]), ..none() }, Some(&head)));
        let schedule =
            |tag: &str| Conditions { if_schedule_tag_match: Some(ScheduleTag(tag.into())), ..none() };
        assert!(
            met(schedule("s"), Some(&head)) && !met(schedule("t"), Some(&head)) && !met(schedule("s"), None)
        );
        let test = |tag: &str, is_negated| TagTest { tag: ETag(tag.into()), is_negated };
        let lists = |lists: Vec<Vec<TagTest>>| Conditions { lists: Some(lists), ..none() };
        assert!(!met(lists(Vec::new()), Some(&head)));
        let other = lists(vec![vec![test("a", true)], vec![test("a", false), test("b", true)]]);
        assert!(met(other.clone(), Some(&head)) && met(other, None));
        let not_this = lists(vec![vec![test("a", true)]]);
        assert!(!met(not_this.clone(), Some(&head)) && met(not_this.clone(), None));
        assert!(not_this.judge_untagged().is_ok());
        assert!(lists(vec![vec![test("a", false)]]).judge_untagged().is_err());
    }
}
