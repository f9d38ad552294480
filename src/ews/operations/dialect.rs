//! Changes in words that servers take which are not Exchange. See [`Behaviour`].

use super::super::field;
use super::super::product::Behaviour;
use super::super::types::write::{Change, Field, Value};
use std::borrow::Cow;

const STATUS: &str = "task:Status";
const PERCENT: &str = "task:PercentComplete";
const COMPLETED: &str = "task:CompleteDate";

/// What a new item is created with.
pub(super) fn of_creation(behaviour: Behaviour, changes: &[Change]) -> Cow<'_, [Change]> {
    if behaviour.derives_task_state || !changes.iter().any(is_state) {
        return Cow::Borrowed(changes);
    }
    let changes = whole_states(changes);
    Cow::Owned(changes.into_iter().filter(|change| change.value.is_some()).collect())
}

/// What an item is updated with.
pub(super) fn of_update(behaviour: Behaviour, changes: &[Change]) -> Cow<'_, [Change]> {
    let mut changes = Cow::Borrowed(changes);
    if !behaviour.clears_by_usual_means {
        changes = Cow::Owned(changes.iter().map(cleared).collect());
    }
    if !behaviour.derives_task_state && changes.iter().any(is_state) {
        changes = Cow::Owned(whole_states(&changes).into_iter().map(as_share).collect());
    }
    changes
}

/// Seen: gromox 3.10 takes neither the deletion of a body nor ReminderIsSet=false.
fn cleared(change: &Change) -> Change {
    let is = |uri| change.field == Field::Uri(uri);
    if is("item:Body") && change.value.is_none() {
        return Change::set("item:Body", Value::Body { is_html: false, text: String::new() });
    }
    if is("item:ReminderIsSet") && change.value == Some(Value::Text("false".to_owned())) {
        return Change::remove("item:ReminderIsSet");
    }
    change.clone()
}

fn is_state(change: &Change) -> bool {
    matches!(change.field, Field::Uri(STATUS | PERCENT | COMPLETED))
}

/// Each change of a task's state with what Exchange derives from it. MS-OXWSTASK 2.2.4.6; gromox (exch/ews/structures.cpp)
/// stores the three properties independently.
fn whole_states(changes: &[Change]) -> Vec<Change> {
    changes.iter().flat_map(whole_state).collect()
}

fn whole_state(change: &Change) -> Vec<Change> {
    let word = match &change.value {
        Some(Value::Text(word)) if is_state(change) => word.as_str(),
        _ => return vec![change.clone()],
    };
    let is_open = || Change::remove(COMPLETED);
    match (&change.field, word) {
        (Field::Uri(COMPLETED), _) => {
            vec![change.clone(), Change::text(PERCENT, "100"), Change::text(STATUS, "Completed")]
        }
        (Field::Uri(PERCENT), _) => vec![is_open(), change.clone(), Change::text(STATUS, "InProgress")],
        (_, "Completed") => vec![Change::text(PERCENT, "100"), change.clone()],
        (_, "NotStarted" | "InProgress") => vec![is_open(), Change::text(PERCENT, "0"), change.clone()],
        _ => vec![is_open(), change.clone()],
    }
}

/// A percentage as the share that it is stored as. Seen: gromox 3.10 stores what an update sends without dividing it, so
/// that 60 becomes 6000.
fn as_share(change: Change) -> Change {
    match (&change.field, &change.value) {
        (Field::Uri(PERCENT), Some(Value::Text(percent))) => match percent.parse::<f64>() {
            Ok(percent) => Change::extended(field::TASK_SHARE, Some((percent / 100.0).to_string())),
            Err(_) => change,
        },
        _ => change,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::super::product::Product;
    use super::*;

    #[test]
    fn a_state_is_sent_with_all_that_follows_from_it_where_the_server_derives_nothing() {
        let (gromox, exchange) = (Product::Grommunio.behaviour(), Product::Exchange2016.behaviour());
        for (sent, created, updated) in [
            (
                Change::text(PERCENT, "60"),
                vec![Change::text(PERCENT, "60"), Change::text(STATUS, "InProgress")],
                vec![
                    Change::remove(COMPLETED),
                    Change::extended(field::TASK_SHARE, Some("0.6".to_owned())),
                    Change::text(STATUS, "InProgress"),
                ],
            ),
            (
                Change::text(STATUS, "Completed"),
                vec![Change::text(PERCENT, "100"), Change::text(STATUS, "Completed")],
                vec![
                    Change::extended(field::TASK_SHARE, Some("1".to_owned())),
                    Change::text(STATUS, "Completed"),
                ],
            ),
            (
                Change::text(STATUS, "Deferred"),
                vec![Change::text(STATUS, "Deferred")],
                vec![Change::remove(COMPLETED), Change::text(STATUS, "Deferred")],
            ),
        ] {
            let sent = [sent];
            assert_eq!(of_creation(gromox, &sent).as_ref(), created);
            assert_eq!(of_update(gromox, &sent).as_ref(), updated);
            assert_eq!(of_creation(exchange, &sent).as_ref(), sent);
            assert_eq!(of_update(exchange, &sent).as_ref(), sent);
        }
    }
}
