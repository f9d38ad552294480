//! Changes in words that servers take which are not Exchange. See [`Capabilities`].

use super::super::field;
use super::super::types::write::{Setting, settings};
use crate::model::capabilities::Capabilities;
use crate::model::item::{Change, Field, ItemClass, Value};

/// What a new item is created with.
pub(super) fn of_creation(capabilities: Capabilities, class: ItemClass, changes: &[Change]) -> Vec<Setting> {
    let changes = changes.iter().flat_map(|change| whole_state(capabilities, change));
    changes.filter(|change| change.value.is_some()).flat_map(|change| settings(class, &change)).collect()
}

/// What an item is updated with.
pub(super) fn of_update(capabilities: Capabilities, class: ItemClass, changes: &[Change]) -> Vec<Setting> {
    let changes = changes.iter().map(|change| cleared(capabilities, change));
    let changes = changes.flat_map(|change| whole_state(capabilities, &change));
    changes
        .flat_map(|change| as_share(capabilities, &change).unwrap_or_else(|| settings(class, &change)))
        .collect()
}

/// Seen: gromox 3.10 takes neither the deletion of a body nor ReminderIsSet=false.
fn cleared(capabilities: Capabilities, change: &Change) -> Change {
    match (change.field, &change.value) {
        _ if capabilities.clears_by_usual_means => change.clone(),
        (Field::Body, None) => Change::set(Field::Body, Value::text_body(String::new())),
        (Field::ReminderSet, Some(Value::Flag(false))) => Change::remove(Field::ReminderSet),
        _ => change.clone(),
    }
}

/// A change of a task's state with what Exchange derives from it. MS-OXWSTASK 2.2.4.6; gromox (exch/ews/structures.cpp)
/// stores the three properties independently.
fn whole_state(capabilities: Capabilities, change: &Change) -> Vec<Change> {
    let own = change.clone();
    if capabilities.derives_task_state || change.value.is_none() {
        return vec![own];
    }
    let percent = |percent: &str| Change::text(Field::Percent, percent);
    let status = |word: &str| Change::text(Field::Status, word);
    let is_open = || Change::remove(Field::CompletedDay);
    match (change.field, &change.value) {
        (Field::CompletedDay, _) => vec![own, percent("100"), status("Completed")],
        (Field::Percent, _) => vec![is_open(), own, status("InProgress")],
        (Field::Status, Some(Value::Text(word))) => match word.as_str() {
            "Completed" => vec![percent("100"), own],
            "NotStarted" | "InProgress" => vec![is_open(), percent("0"), own],
            _ => vec![is_open(), own],
        },
        _ => vec![own],
    }
}

/// A percentage as the share that it is stored as. Seen: gromox 3.10 stores what an update sends without dividing it, so
/// that 60 becomes 6000.
fn as_share(capabilities: Capabilities, change: &Change) -> Option<Vec<Setting>> {
    match (change.field, &change.value) {
        (Field::Percent, Some(Value::Text(percent))) if !capabilities.derives_task_state => {
            let share = percent.parse::<f64>().ok()? / 100.0;
            Some(vec![Setting::extended(field::TASK_SHARE, &share.to_string())])
        }
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::super::product::Product;
    use super::*;

    #[test]
    fn a_state_is_sent_with_all_that_follows_from_it_where_the_server_derives_nothing() {
        let (gromox, exchange) = (Product::Grommunio.capabilities(), Product::Exchange2016.capabilities());
        let percent = |percent: &str| Change::text(Field::Percent, percent);
        let status = |word: &str| Change::text(Field::Status, word);
        let is_open = || Change::remove(Field::CompletedDay);
        let wire = |changes: &[Change]| {
            changes.iter().flat_map(|change| settings(ItemClass::Task, change)).map(told).collect::<Vec<_>>()
        };
        let share = |share: &str| vec![told(Setting::extended(field::TASK_SHARE, share))];
        for (sent, created, updated) in [
            (
                percent("60"),
                wire(&[percent("60"), status("InProgress")]),
                [wire(&[is_open()]), share("0.6"), wire(&[status("InProgress")])].concat(),
            ),
            (
                status("Completed"),
                wire(&[percent("100"), status("Completed")]),
                [share("1"), wire(&[status("Completed")])].concat(),
            ),
            (status("Deferred"), wire(&[status("Deferred")]), wire(&[is_open(), status("Deferred")])),
        ] {
            let sent = [sent];
            let all = |settings: Vec<Setting>| settings.into_iter().map(told).collect::<Vec<_>>();
            assert_eq!(all(of_creation(gromox, ItemClass::Task, &sent)), created);
            assert_eq!(all(of_update(gromox, ItemClass::Task, &sent)), updated);
            assert_eq!(all(of_creation(exchange, ItemClass::Task, &sent)), wire(&sent));
            assert_eq!(all(of_update(exchange, ItemClass::Task, &sent)), wire(&sent));
        }
    }

    fn told(setting: Setting) -> (crate::upstream::ews::types::table::At, Option<crate::xml::Element>) {
        (setting.at, setting.element)
    }
}
