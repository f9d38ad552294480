//! What a server is and can, for people who set exdav up.

use super::Session;
use crate::upstream::ews::auth::Scheme;
use crate::upstream::ews::client::{CROWDED, Exchange, Repeat};
use crate::upstream::ews::error::Error;
use crate::upstream::ews::soap::{check, m, messages};
use crate::upstream::{FolderSelector, WellKnownFolder};
use crate::xml::Element;
use futures_util::future::join_all;
use reqwest::Url;
use std::time::Duration;

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

/// What became of requests that were sent at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConcurrencyProbe {
    /// Those that were answered.
    pub served: usize,
    /// Those that were too many at once.
    pub crowded: usize,
    /// Those that the server was too busy for.
    pub busy: usize,
    /// The longest quiet that it asked for.
    pub back_off: Option<Duration>,
}

impl Session {
    /// As many small requests at once as the settings allow: what the throttling policy makes of them. It cannot be read.
    pub async fn crowd(&self) -> Result<ConcurrencyProbe, Error> {
        let ask = || self.get_folders(&[FolderSelector::WellKnown(WellKnownFolder::Calendar)]);
        let mut crowd = ConcurrencyProbe::default();
        for answer in join_all((0..self.concurrency()).map(|_| ask())).await {
            match answer {
                Ok(_) => crowd.served += 1,
                Err(error) if error.is(CROWDED) => crowd.crowded += 1,
                Err(Error::Busy { back_off }) => {
                    crowd.busy += 1;
                    crowd.back_off = crowd.back_off.max(back_off);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(crowd)
    }
}

impl Exchange {
    /// The schemes that the endpoint offers to one who has not signed in, in its order; none if it does not ask.
    pub async fn offered(&self, endpoint: &Url) -> Result<Vec<Scheme>, Error> {
        self.knock(endpoint).await.map(|answer| Scheme::all_offered(answer.headers()))
    }
}
