//! Photos hang on the item: their octets are never changed.

use super::super::Attached;
use crate::convert::card::media_type;
use crate::model::object::MAX_PHOTO;
use crate::model::refusal::{Reason, Refusal};
use crate::text::Component;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Stands for the octets of a photo, which hang on the item.
pub const PHOTO_PLACE: &str = "X-EWS-ATT";

/// Takes the octets of a photo out of a card; links to pictures elsewhere stay.
pub fn take(card: &mut Component) -> Result<Option<Attached>, Refusal> {
    let Some(line) = card.lines.iter_mut().find(|line| line.name == "PHOTO") else { return Ok(None) };
    let encoded =
        line.param("ENCODING").is_some_and(|word| ["B", "BASE64"].contains(&word.to_uppercase().as_str()));
    let data = if encoded {
        Some(line.value.as_str())
    } else {
        line.value.trim().strip_prefix("data:").and_then(|rest| Some(rest.split_once(";base64,")?.1))
    };
    let Some(content) =
        data.and_then(|data| STANDARD.decode(data.split_whitespace().collect::<String>()).ok())
    else {
        return Ok(None);
    };
    if content.len() > MAX_PHOTO {
        let text = format!("a photo has at most {} MB: send a smaller one", MAX_PHOTO >> 20);
        return Err(Refusal::of_part(Reason::TooLarge, "PHOTO", text));
    }
    PHOTO_PLACE.clone_into(&mut line.value);
    let media_type = media_type(&content);
    let extension = match media_type.rsplit('/').next() {
        Some("jpeg") | None => "jpg",
        Some(other) => other,
    };
    Ok(Some(Attached {
        name: format!("ContactPicture.{extension}"),
        media_type: media_type.to_owned(),
        content,
        is_photo: true,
    }))
}
