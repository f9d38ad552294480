//! What a server is and can, for people who set exdav up.

use super::Session;
use crate::ews::auth::Scheme;
use crate::ews::client::{Exchange, Repeat};
use crate::ews::error::Error;
use crate::ews::soap::{check, m, messages};
use crate::xml::Element;

impl Session {
    /// GetServerTimeZones: how many zones the server knows. MS-OXWSGTZ 3.1.4.1
    pub async fn count_time_zones(&self) -> Result<usize, Error> {
        let answer = self
            .call("GetServerTimeZones", Repeat::Freely, |w| {
                w.open(&m("GetServerTimeZones")).attribute("ReturnFullTimeZoneData", "false");
            })
            .await?;
        let message = messages(&answer).next().ok_or_else(|| super::missing("response message"))?;
        let zones = check(message)?.find("TimeZoneDefinitions");
        Ok(zones.map_or(0, |zones| Element::children(zones).count()))
    }
}

impl Exchange {
    /// The schemes that the server offers to one who has not signed in, in its order; none if it does not ask.
    pub async fn offered(&self) -> Result<Vec<Scheme>, Error> {
        self.knock().await.map(|answer| Scheme::all_offered(answer.headers()))
    }
}
