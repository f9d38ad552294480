//! Names as they are spoken: Exchange's Yomi fields, `N;PHONETIC` (RFC 9554 4.6), and the lines that clients of vCard
//! 3.0 know. A client gets them back in the words that it wrote them in.

use crate::text::{Component, Line, escape, split_structured};

/// The lines of 3.0, by their component of N.
const LINES: [(&str, usize); 2] = [("X-PHONETIC-LAST-NAME", 0), ("X-PHONETIC-FIRST-NAME", 1)];

/// Whether a line is the name as it is spoken.
pub(super) fn is_spoken(line: &Line) -> bool {
    line.name == "N" && line.param("PHONETIC").is_some()
}

/// Takes over into the client's `N;PHONETIC` what Exchange says of it; gives what is left to be told. Nothing happens
/// where the client has another spelling.
pub(super) fn merge_phonetic_name(text: &mut Component, mut fresh: Component) -> Component {
    let is_known = |line: &Line| LINES.iter().any(|(name, _)| *name == line.name);
    let Some(at) = text.lines.iter().position(is_spoken).filter(|_| !text.lines.iter().any(is_known)) else {
        return fresh;
    };
    let now = LINES.map(|(name, part)| (part, fresh.line(name).map(Line::unescaped).unwrap_or_default()));
    fresh.lines.retain(|line| !is_known(line));
    if now.iter().all(|(_, spoken)| spoken.is_empty()) {
        text.lines.remove(at);
        return fresh;
    }
    let Some(line) = text.lines.get_mut(at) else { return fresh };
    let mut parts = split_structured(&line.value);
    parts.resize(parts.len().max(2), Vec::new());
    let mut is_new = false;
    for (part, spoken) in now {
        if let Some(list) = parts.get_mut(part).filter(|list| list.join(" ").trim() != spoken) {
            *list = vec![spoken];
            is_new = true;
        }
    }
    if is_new {
        let told = |list: &Vec<String>| list.iter().map(|word| escape(word)).collect::<Vec<_>>().join(",");
        line.value = parts.iter().map(told).collect::<Vec<_>>().join(";");
    }
    fresh
}

/// `N;PHONETIC` for clients of 3.0, who have one N.
pub(super) fn lines_of_3(line: &Line) -> impl Iterator<Item = Line> + use<> {
    let parts = split_structured(&line.value);
    LINES.into_iter().rev().filter_map(move |(name, part)| {
        let spoken = parts.get(part)?.join(" ");
        (!spoken.trim().is_empty()).then(|| Line::text(name, spoken.trim()))
    })
}
