//! Bodies: the text, and the HTML where it says more than the text.

use super::HtmlForm;
use crate::model::item::Item;
use crate::text::Line;
use html2text::render::RichAnnotation;
use std::fmt::Write as _;

/// Elements that Exchange puts around any text.
const WRAPPERS: [&str; 9] = ["p", "br", "div", "span", "html", "head", "body", "meta", "style"];
/// What Exchange writes into HTML that it made of plain text.
const MADE_OF_TEXT: &str = "<!-- converted from text -->";

/// Columns of a text that is made of HTML: more than any paragraph has, so that none is broken.
const COLUMNS: usize = 4_000;
/// Elements within elements that are laid out: what is deeper would take too much of the stack.
const MAX_DEPTH: usize = 200;
/// How many dashes are left of a ruled line.
const MAX_DASHES: usize = 20;

/// The body as text: LF, no white space at the end; `None` when there is none. Servers before Exchange 2013 give no
/// text of a body in HTML: it is made of it.
pub(super) fn text(item: &Item) -> Option<String> {
    told_text(item).or_else(|| {
        let (is_html, html) = item.body().filter(|body| body.text.is_none())?.stored.as_ref()?;
        is_html.then(|| text_of_html(html)).filter(|text| !text.is_empty())
    })
}

/// Whether the text is made of the HTML.
pub(super) fn is_of_html(item: &Item) -> bool {
    told_text(item).is_none() && text(item).is_some()
}

/// The text that Exchange itself gives: what fingerprints are made of.
pub(super) fn told_text(item: &Item) -> Option<String> {
    let body = item.body()?;
    let plain = || body.stored.as_ref().filter(|(is_html, _)| !is_html).map(|(_, text)| text);
    let text = body.text.as_ref().or_else(plain)?;
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    Some(text.trim_end().to_owned()).filter(|text| !text.is_empty())
}

/// What fingerprints know of the HTML: nothing where it says no more than the text.
pub(super) fn mark_up(item: &Item) -> String {
    html(item).unwrap_or_default()
}

/// The text that HTML shows; links are told behind their words, as Exchange does it.
pub(super) fn text_of_html(html: &str) -> String {
    let laid_out = (depth(html) <= MAX_DEPTH)
        .then(|| html2text::config::rich().no_table_borders().lines_from_read(html.as_bytes(), COLUMNS).ok());
    let Some(lines) = laid_out.flatten() else { return without_tags(html) };
    let mut text = String::with_capacity(html.len() / 2);
    for line in lines {
        let mut open: Option<(String, String)> = None;
        for part in line.tagged_strings() {
            let link = part.tag.iter().find_map(|tag| match tag {
                RichAnnotation::Link(url) => Some(url.clone()),
                _ => None,
            });
            match (&mut open, link) {
                (Some((url, words)), Some(link)) if *url == link => words.push_str(&part.s),
                (_, link) => {
                    close(&mut text, open.take());
                    match link {
                        Some(link) => open = Some((link, part.s.clone())),
                        None => text.push_str(&part.s),
                    }
                }
            }
        }
        close(&mut text, open.take());
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    // A ruled line is as wide as the page.
    let ruled = "─".repeat(MAX_DASHES);
    let text: Vec<&str> =
        text.split('\n').map(|line| if line.starts_with(&ruled) { ruled.as_str() } else { line }).collect();
    text.join("\n").trim().to_owned()
}

/// Ends a link.
fn close(text: &mut String, link: Option<(String, String)>) {
    let Some((url, words)) = link else { return };
    text.push_str(&words);
    let is_said = words.trim().is_empty() || url.ends_with(words.trim()) || url.starts_with('#');
    if !is_said {
        let _ = write!(text, "<{url}>");
    }
}

/// How deep elements lie within each other, at most.
fn depth(html: &str) -> usize {
    let (mut depth, mut most) = (0_usize, 0);
    for (at, _) in html.match_indices('<') {
        match html.as_bytes().get(at + 1) {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(first) if first.is_ascii_alphabetic() => {
                let name: String = html
                    .get(at + 1..)
                    .unwrap_or_default()
                    .chars()
                    .take_while(char::is_ascii_alphanumeric)
                    .collect();
                if !VOID.iter().any(|void| void.eq_ignore_ascii_case(&name)) {
                    depth += 1;
                    most = most.max(depth);
                }
            }
            _ => {}
        }
    }
    most
}

/// Elements that hold nothing.
const VOID: [&str; 8] = ["br", "hr", "img", "input", "link", "meta", "col", "wbr"];

/// The text between tags.
fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len() / 2);
    for part in html.split('<') {
        text.push_str(part.split_once('>').map_or(part, |(_, rest)| rest));
        text.push(' ');
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The body as HTML, where it says more than the text does.
fn html(item: &Item) -> Option<String> {
    let (is_html, html) = item.body()?.stored.as_ref()?;
    (*is_html && says_more(html)).then(|| html.replace('\r', "").trim().to_owned())
}

/// Whether there is mark-up beyond paragraphs.
fn says_more(html: &str) -> bool {
    if html.contains(MADE_OF_TEXT) {
        return false;
    }
    html.match_indices('<').any(|(at, _)| {
        let tag = html.get(at + 1..).unwrap_or_default().trim_start_matches('/');
        let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect();
        !name.is_empty() && !WRAPPERS.iter().any(|wrapper| wrapper.eq_ignore_ascii_case(&name))
    })
}

/// DESCRIPTION, and its HTML in the form that is wanted.
pub(super) fn lines(item: &Item, form: HtmlForm) -> Vec<Line> {
    let mut description = text(item).map(|text| Line::text("DESCRIPTION", &text));
    let html = html(item).filter(|_| form != HtmlForm::None);
    let other = html.and_then(|html| match form {
        HtmlForm::XAltDesc => Some(Line::text("X-ALT-DESC", &html).with("FMTTYPE", "text/html")),
        HtmlForm::StyledDescription => {
            Some(Line::text("STYLED-DESCRIPTION", &html).with("VALUE", "TEXT").with("FMTTYPE", "text/html"))
        }
        HtmlForm::Altrep => {
            let line = description.take().unwrap_or_else(|| Line::text("DESCRIPTION", ""));
            description = Some(line.with("ALTREP", &format!("data:text/html,{}", percent_encoded(&html))));
            None
        }
        HtmlForm::None => None,
    });
    description.into_iter().chain(other).collect()
}

fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            let _ = write!(out, "%{octet:02X}");
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::convert::{Context, Related, render};
    use crate::model::item::{Field, ItemClass, ItemRef, Value};

    fn item(class: ItemClass, html: &str) -> Item {
        let id = ItemRef { id: "a".to_owned(), version: "b".to_owned() };
        let fields = vec![
            (Field::Subject, Value::Text("x".to_owned())),
            (Field::Body, Value::html_body(html.to_owned())),
            (Field::Start, Value::Time("2027-06-10T10:00:00Z".parse().unwrap())),
        ];
        Item::new(class, id, fields)
    }

    #[test]
    fn a_body_that_a_server_gives_as_html_alone_has_a_description() {
        let html = "<html><head><style>p { color: red }</style></head><body><p>Hello <b>dear</b> all &amp; <i>others</i>,</p>\
                    <p>see <a href=\"https://example.com/x\">the plan</a></p><ul><li>one</li><li>two</li></ul></body></html>";
        for class in [ItemClass::CalendarItem, ItemClass::Task, ItemClass::Contact] {
            let rendered =
                render(&Context::of("demo@example.com"), &item(class, html), &Related::default()).unwrap();
            let text = String::from_utf8(rendered.body.to_vec()).unwrap().replace("\r\n ", "");
            for part in ["Hello dear all & others\\,", "the plan<https://example.com/x>", "one", "two"] {
                assert!(text.contains(part), "{part} in {text}");
            }
            let text = text.split("X-ALT-DESC").next().unwrap();
            assert!(
                !text.contains("color: red") && (text.contains("DESCRIPTION:") || text.contains("NOTE:")),
                "{text}"
            );
        }
    }

    #[test]
    fn html_of_any_depth_is_read_without_harm() {
        let deep = format!("{}words{}", "<div>".repeat(100_000), "</div>".repeat(100_000));
        assert_eq!(text_of_html(&deep), "words");
        assert_eq!(text_of_html("<p>a<br>b</p>"), "a\nb");
        assert_eq!(text_of_html(""), "");
    }
}
