//! A client's vCard in the other version: every line is told there, in its words where that version has them.

use super::card::{Version, media_type};
use super::phonetic_name;
use super::write::line::{label, types, value};
use crate::text::{Component, Line, Parameter};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A year that stands for none.
const NO_YEAR: &str = "1604";

/// Names that differ: those of 3.0 and its clients, and those of 4.0.
const NAMES: [(&str, &str); 6] = [
    ("X-ADDRESSBOOKSERVER-KIND", "KIND"),
    ("X-ADDRESSBOOKSERVER-MEMBER", "MEMBER"),
    ("X-GENDER", "GENDER"),
    ("X-ANNIVERSARY", "ANNIVERSARY"),
    ("X-EVOLUTION-ANNIVERSARY", "ANNIVERSARY"),
    ("X-MS-INTERESTS", "HOBBY"),
];

/// Apple's labels of people, and RELATED's types.
const PEOPLE: [(&str, &str); 3] = [("spouse", "spouse"), ("child", "child"), ("assistant", "agent")];

/// Lines whose values are octets or links to them.
const MEDIA: [&str; 4] = ["PHOTO", "LOGO", "SOUND", "KEY"];
/// Lines whose values are days.
const DAYS: [&str; 5] = ["BDAY", "ANNIVERSARY", "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY", "DEATHDATE"];

/// The card in that version.
pub(super) fn to(version: Version, card: &Component) -> Component {
    let mut told = Component::new("VCARD");
    told.push(Line::raw("VERSION", if version == Version::V3 { "3.0" } else { "4.0" }));
    match version {
        Version::V3 => to3(card, &mut told),
        Version::V4 => to4(card, &mut told),
    }
    told
}

/// Whether a name does not say already how it is sorted.
fn takes_sort_string(name: &Line) -> bool {
    name.param("SORT-AS").is_none()
}

fn to4(card: &Component, told: &mut Component) {
    // Labels that became types.
    let mut said: Vec<String> = Vec::new();
    for line in &card.lines {
        let mut line = line.clone();
        rename(&mut line, card, |(three, four)| (three, four));
        match line.name.as_str() {
            "VERSION" => continue,
            "X-ABRELATEDNAMES" => {
                let label = label(card, &line).unwrap_or_default();
                if let Some((_, kind)) = PEOPLE.iter().find(|(known, _)| *known == label) {
                    said.extend(line.group.take().map(|group| group.to_ascii_lowercase()));
                    "RELATED".clone_into(&mut line.name);
                    line.params.clear();
                    line = line.with("TYPE", kind).with("VALUE", "text");
                }
            }
            "SORT-STRING" if card.lines_named("N").any(takes_sort_string) => continue,
            name if MEDIA.contains(&name) => media4(&mut line),
            name if DAYS.contains(&name) => day4(&mut line),
            _ => {}
        }
        if line.name == "N"
            && let Some(sort) = card.line("SORT-STRING")
            && takes_sort_string(&line)
        {
            line = line.with("SORT-AS", &sort.unescaped());
        }
        let preferred = types(&line).contains("pref");
        drop_types(&mut line, &["PREF", "INTERNET"]);
        if preferred && line.param("PREF").is_none() {
            line = line.with("PREF", "1");
        }
        told.push(line);
    }
    told.lines.retain(|line| {
        let group = line.group.as_ref().map(|group| group.to_ascii_lowercase());
        line.name != "X-ABLABEL" || group.is_none_or(|group| !said.contains(&group))
    });
    let is_company = card.value("X-ABSHOWAS").is_some_and(|word| word.trim().eq_ignore_ascii_case("COMPANY"));
    if is_company && told.line("KIND").is_none() {
        told.push(Line::raw("KIND", "org"));
    }
}

fn to3(card: &Component, told: &mut Component) {
    let mut groups = 0;
    for line in &card.lines {
        let mut line = line.clone();
        rename(&mut line, card, |(three, four)| (four, three));
        let mut after: Vec<Line> = Vec::new();
        match line.name.as_str() {
            "VERSION" => continue,
            "X-ADDRESSBOOKSERVER-KIND" if line.value.trim().eq_ignore_ascii_case("org") => {
                line = Line::raw("X-ABShowAs", "COMPANY");
            }
            // Other kinds are nothing that 3.0 knows.
            "X-ADDRESSBOOKSERVER-KIND" if !line.value.trim().eq_ignore_ascii_case("group") => {
                "KIND".clone_into(&mut line.name);
            }
            "TEL" if line.value.trim().to_ascii_lowercase().starts_with("tel:") => {
                line.value = value(&line);
                line.params.retain(|p| p.name != "VALUE");
            }
            "EMAIL" if line.value.trim().to_ascii_lowercase().starts_with("mailto:") => {
                line.value = value(&line);
            }
            "RELATED" if line.param("VALUE").is_some_and(|kind| kind.eq_ignore_ascii_case("text")) => {
                let kinds = types(&line);
                if let Some((label, _)) = PEOPLE.iter().find(|(_, kind)| kinds.contains(*kind)) {
                    groups += 1;
                    let group = format!("related{groups}");
                    let label = format!("_$!<{}>!$_", capital(label));
                    after.push(Line::raw("X-ABLabel", label).in_group(&group));
                    line = Line::raw("X-ABRELATEDNAMES", line.value).in_group(&group);
                }
            }
            // 3.0 has one N.
            "N" if phonetic_name::is_spoken(&line) => {
                told.lines.extend(phonetic_name::lines_of_3(&line));
                continue;
            }
            "N" => {
                if let Some(sort) = line.param("SORT-AS").map(str::to_owned) {
                    line.params.retain(|p| p.name != "SORT-AS");
                    after.push(Line::text("SORT-STRING", &sort));
                }
            }
            "ADR" => {
                if let Some(text) = line.param("LABEL").map(str::to_owned) {
                    let kinds: Vec<Parameter> =
                        line.params.iter().filter(|p| p.name == "TYPE").cloned().collect();
                    line.params.retain(|p| p.name != "LABEL");
                    after.push(Line { params: kinds, ..Line::text("LABEL", &text) });
                }
            }
            name if MEDIA.contains(&name) => media3(&mut line),
            name if DAYS.contains(&name) => day3(&mut line),
            _ => {}
        }
        if line.param("PREF") == Some("1") {
            line.params.retain(|p| p.name != "PREF");
            line = line.with("TYPE", "PREF");
        }
        told.push(line);
        told.lines.append(&mut after);
    }
}

/// Gives a line the other version's name, unless the card has that name already.
fn rename(
    line: &mut Line,
    card: &Component,
    way: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) {
    let row =
        NAMES.iter().map(|row| way(*row)).find(|(from, to)| line.name == *from && card.line(to).is_none());
    if let Some((_, to)) = row {
        to.clone_into(&mut line.name);
    }
}

fn drop_types(line: &mut Line, words: &[&str]) {
    for param in line.params.iter_mut().filter(|p| p.name == "TYPE" || p.name.is_empty()) {
        "TYPE".clone_into(&mut param.name);
        let values = param.values.iter().flat_map(|value| value.split(','));
        param.values = values
            .filter(|v| !words.iter().any(|word| v.trim().eq_ignore_ascii_case(word)))
            .map(str::to_owned)
            .collect();
    }
    line.params.retain(|p| p.name != "TYPE" || !p.values.is_empty());
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string()).unwrap_or_default() + letters.as_str()
}

/// Octets become a data URI. RFC 6350 6.2.4
fn media4(line: &mut Line) {
    let is_encoded =
        line.param("ENCODING").is_some_and(|word| ["B", "BASE64"].contains(&word.to_uppercase().as_str()));
    if !is_encoded {
        line.params
            .retain(|p| !(p.name == "VALUE" && p.values.iter().any(|v| v.eq_ignore_ascii_case("uri"))));
        return;
    }
    let kind = line.param("TYPE").unwrap_or_default().to_lowercase();
    let media = match (line.name.as_str(), kind.as_str()) {
        ("KEY", "pgp") => "application/pgp-keys".to_owned(),
        ("KEY", _) => "application/pkix-cert".to_owned(),
        ("SOUND", kind) => format!("audio/{}", if kind.is_empty() { "basic" } else { kind }),
        (_, "") => {
            let head: String = line.value.chars().filter(|c| !c.is_whitespace()).take(16).collect();
            media_type(&STANDARD.decode(head).unwrap_or_default()).to_owned()
        }
        (_, kind) => format!("image/{kind}"),
    };
    line.params.retain(|p| !["ENCODING", "TYPE", "VALUE"].contains(&p.name.as_str()));
    line.value = format!("data:{media};base64,{}", line.value.trim());
}

/// A data URI becomes octets, another one stays a link. RFC 2426 3.1.4
fn media3(line: &mut Line) {
    let text = line.value.trim().replace("\\,", ",");
    let data = text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let Some((media, data)) = data else {
        if line.param("VALUE").is_none() && line.param("ENCODING").is_none() {
            *line = line.clone().with("VALUE", "uri");
        }
        return;
    };
    let kind = match media.rsplit('/').next().unwrap_or_default().split(';').next().unwrap_or_default() {
        "pgp-keys" => "PGP".to_owned(),
        "pkix-cert" | "x-x509-ca-cert" => "X509".to_owned(),
        other => other.to_uppercase(),
    };
    line.value = data.to_owned();
    *line = line.clone().with("ENCODING", "b");
    if !kind.is_empty() && line.param("TYPE").is_none() {
        *line = line.clone().with("TYPE", &kind);
    }
}

/// `1985-04-12` → `19850412`, a year that stands for none → `--0412`. RFC 6350 4.3.1
fn day4(line: &mut Line) {
    if line.param("VALUE").is_some_and(|kind| kind.eq_ignore_ascii_case("text")) {
        return;
    }
    let text = line.value.trim();
    let (day, time) = text.split_once('T').map_or((text, None), |(day, time)| (day, Some(time)));
    let digits: String = day.chars().filter(char::is_ascii_digit).collect();
    let is_whole =
        digits.len() == 8 && day.chars().all(|c| c.is_ascii_digit() || c == '-') && !day.starts_with("--");
    if !is_whole {
        return;
    }
    let without_year = line.param("X-APPLE-OMIT-YEAR").is_some() || digits.starts_with(NO_YEAR);
    let day = if without_year { format!("--{}", digits.get(4..).unwrap_or_default()) } else { digits };
    line.value = match time {
        Some(time) => format!("{day}T{}", time.replace(':', "")),
        None => day,
    };
    line.params.retain(|p| p.name != "X-APPLE-OMIT-YEAR" && p.name != "VALUE");
}

/// `19850412` → `1985-04-12`, `--0412` → Apple's year that stands for none.
fn day3(line: &mut Line) {
    if line.param("VALUE").is_some_and(|kind| kind.eq_ignore_ascii_case("text")) {
        return;
    }
    let text = line.value.trim().to_owned();
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    match text.strip_prefix("--").map(|rest| rest.replace('-', "")) {
        Some(rest) if rest.len() == 4 && digits(&rest) => {
            let (month, day) = rest.split_at(2);
            line.value = format!("{NO_YEAR}-{month}-{day}");
            *line = line.clone().with("X-APPLE-OMIT-YEAR", NO_YEAR);
        }
        None if text.len() == 8 && digits(&text) => {
            let (year, rest) = text.split_at(4);
            let (month, day) = rest.split_at(2);
            line.value = format!("{year}-{month}-{day}");
        }
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn told(version: Version, lines: &str) -> Vec<String> {
        let own = if version == Version::V3 { "4.0" } else { "3.0" };
        let text =
            format!("BEGIN:VCARD\r\nVERSION:{own}\r\n{}\r\nEND:VCARD\r\n", lines.replace('\n', "\r\n"));
        let card = to(version, &Component::parse(text.as_bytes()).unwrap());
        card.write()
            .replace("\r\n ", "")
            .lines()
            .skip(2)
            .filter(|l| *l != "END:VCARD")
            .map(str::to_owned)
            .collect()
    }

    /// What 3.0 says, and what 4.0 says of the same.
    const BOTH: [(&str, &str); 9] = [
        ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29", "BDAY:--0229"),
        ("BDAY:1985-04-12", "BDAY:19850412"),
        ("X-ANNIVERSARY:2011-06-18", "ANNIVERSARY:20110618"),
        ("X-GENDER:O\\;text", "GENDER:O\\;text"),
        ("PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=", "PHOTO:data:image/png;base64,iVBORw0KGgo="),
        ("PHOTO;VALUE=uri:https://example.org/x.jpg", "PHOTO:https://example.org/x.jpg"),
        ("ORG:Example AG;Forschung;Labor 3", "ORG:Example AG;Forschung;Labor 3"),
        ("EMAIL;TYPE=WORK;TYPE=PREF:a@example.net", "EMAIL;TYPE=WORK;PREF=1:a@example.net"),
        (
            "item1.EMAIL:a@example.net\nitem1.X-ABLABEL:Ferienhaus",
            "item1.EMAIL:a@example.net\nitem1.X-ABLABEL:Ferienhaus",
        ),
    ];

    #[test]
    fn what_one_version_says_the_other_says_in_its_words() {
        for (three, four) in BOTH {
            assert_eq!(told(Version::V4, three).join("\n"), four);
            assert_eq!(told(Version::V3, four).join("\n"), three);
        }
    }

    #[test]
    fn what_only_one_version_has_is_not_lost_in_the_other() {
        assert_eq!(
            told(Version::V4, "N:Harten;Rene;;;\nSORT-STRING:Harten"),
            ["N;SORT-AS=Harten:Harten;Rene;;;"]
        );
        assert_eq!(
            told(Version::V4, "N;SORT-AS=Rene:Harten;Rene;;;\nSORT-STRING:Harten"),
            ["N;SORT-AS=Rene:Harten;Rene;;;", "SORT-STRING:Harten"]
        );
        assert_eq!(
            told(Version::V3, "N;SORT-AS=Harten:Harten;Rene;;;"),
            ["N:Harten;Rene;;;", "SORT-STRING:Harten"]
        );
        assert_eq!(told(Version::V4, "X-ABSHOWAS:COMPANY"), ["X-ABSHOWAS:COMPANY", "KIND:org"]);
        assert_eq!(told(Version::V3, "KIND:org"), ["X-ABShowAs:COMPANY"]);
        assert_eq!(
            told(Version::V3, "ADR;TYPE=home;LABEL=Street:;;Street;;;;"),
            ["ADR;TYPE=home:;;Street;;;;", "LABEL;TYPE=home:Street"]
        );
        assert_eq!(
            told(
                Version::V4,
                "i.X-ABRELATEDNAMES:Pat\ni.X-ABLABEL:_$!<Spouse>!$_\nj.X-ABRELATEDNAMES:Lou\nj.X-ABLABEL:Tutor"
            ),
            ["RELATED;TYPE=spouse;VALUE=text:Pat", "j.X-ABRELATEDNAMES:Lou", "j.X-ABLABEL:Tutor"]
        );
        assert_eq!(
            told(Version::V3, "RELATED;VALUE=text;TYPE=spouse:Pat\nRELATED;TYPE=friend:urn:uuid:x"),
            [
                "related1.X-ABRELATEDNAMES:Pat",
                "related1.X-ABLabel:_$!<Spouse>!$_",
                "RELATED;TYPE=friend:urn:uuid:x"
            ]
        );
        assert_eq!(
            told(Version::V3, "PHOTO:data:image/png;base64\\,iVBORw0KGgo="),
            ["PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgo="]
        );
        assert_eq!(
            told(Version::V3, "N;ALTID=1:a;;;;\nN;ALTID=1:b;;;;"),
            ["N;ALTID=1:a;;;;", "N;ALTID=1:b;;;;"]
        );
    }
}
