//! Bodies: the text, and the HTML where it says more than the text.

use super::HtmlForm;
use crate::ews::types::Item;
use crate::text::Line;
use std::fmt::Write as _;

/// Elements that Exchange puts around any text.
const WRAPPERS: [&str; 9] = ["p", "br", "div", "span", "html", "head", "body", "meta", "style"];
/// What Exchange writes into HTML that it made of plain text.
const MADE_OF_TEXT: &str = "<!-- converted from text -->";

/// The body as text: LF, no white space at the end; `None` when there is none.
pub(super) fn text(item: &Item) -> Option<String> {
    let plain = || item.body().filter(|(kind, _)| kind.eq_ignore_ascii_case("Text")).map(|(_, text)| text);
    let text = item.text("TextBody").or_else(plain)?;
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    Some(text.trim_end().to_owned()).filter(|text| !text.is_empty())
}

/// The body as HTML, where it says more than the text does.
fn html(item: &Item) -> Option<String> {
    let (kind, html) = item.body()?;
    (kind.eq_ignore_ascii_case("HTML") && says_more(&html)).then(|| html.replace('\r', "").trim().to_owned())
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
