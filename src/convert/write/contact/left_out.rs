//! What a client leaves out of a card because it does not know it, and what it leaves as it was beside what it changed.

use super::line::{label, value};
use super::places::TWINS;
use crate::convert::contact::GROUPS;
use crate::text::{Component, Line};
use std::collections::BTreeSet;

/// Programs that know the lines of Apple: what these leave out is meant to go.
const APPLE: &str = "Apple";

/// Makes a client's card say what it means. `served` is what the client was given last.
///
/// Who leaves out each line that begins with `X-` does not know any of them: labels of lines that stayed, and lines of
/// which Exchange has a field, are as they were. Of lines that say one thing in several dialects those that stayed go
/// where one was changed.
pub fn settle(card: &mut Component, served: &Component) {
    let is_own = |line: &Line| line.name.starts_with("X-");
    let knows = card.lines.iter().any(is_own) || card.value("PRODID").is_some_and(|id| id.contains(APPLE));
    if !knows && served.lines.iter().any(is_own) {
        put_back(card, served);
    }
    for twins in TWINS {
        let said = |card: &Component, name: &str| card.line(name).map(Line::unescaped);
        let news: Vec<Option<String>> = twins
            .iter()
            .filter(|name| card.line(name).is_some() && said(card, name) != said(served, name))
            .map(|name| said(card, name))
            .collect();
        let Some(new) = news.first() else { continue };
        let stale: Vec<&str> = twins
            .iter()
            .filter(|name| said(card, name) == said(served, name) && said(card, name) != *new)
            .copied()
            .collect();
        card.lines.retain(|line| !stale.contains(&line.name.as_str()));
    }
}

fn put_back(card: &mut Component, served: &Component) {
    let is_field = |line: &Line| GROUPS.iter().any(|(_, names)| names.contains(&line.name.as_str()));
    let is_label = |line: &Line| line.name == "X-ABLABEL";
    let group = |line: &Line| line.group.as_deref().map(str::to_ascii_lowercase);
    let mut groups: BTreeSet<String> = BTreeSet::new();
    for line in served.lines.iter().filter(|line| line.name.starts_with("X-") && is_field(line)) {
        groups.extend(group(line));
        card.push(line.clone());
    }
    let labelled = served.lines.iter().filter(|line| !is_label(line) && label(served, line).is_some());
    for old in labelled.filter(|line| !line.name.starts_with("X-")) {
        let same = |line: &&mut Line| line.name == old.name && value(line) == value(old);
        if let Some(line) = card.lines.iter_mut().find(same) {
            line.group.clone_from(&old.group);
            groups.extend(group(old));
        }
    }
    let labels = served.lines.iter().filter(|line| is_label(line));
    let labels: Vec<Line> =
        labels.filter(|line| group(line).is_some_and(|name| groups.contains(&name))).cloned().collect();
    card.lines.extend(labels);
}
