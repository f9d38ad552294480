//! Subscribing to what happens in a mailbox, and listening to it.

use super::super::client::{Repeat, Session};
use super::super::error::Error;
use super::super::soap::{check, m, messages};
use super::super::streaming::EventStream;
use super::super::types::name as t;
use super::missing;

/// What is of interest: an item or a folder comes, changes or goes.
const EVENTS: [&str; 5] = ["CreatedEvent", "ModifiedEvent", "DeletedEvent", "MovedEvent", "CopiedEvent"];

/// Minutes after which a connection is made anew; the server allows no more. docs/EXCHANGE.md, Limits
const MINUTES: &str = "30";

impl Session {
    /// Subscribe to all folders of the mailbox, to be streamed; gives the SubscriptionId. MS-OXWSNTIF 3.1.4.3
    pub async fn subscribe(&self) -> Result<String, Error> {
        let answer = self
            .call("Subscribe", Repeat::Never, |w| {
                w.open(&m("Subscribe")).open(&m("StreamingSubscriptionRequest"));
                w.attribute("SubscribeToAllFolders", "true").open(&t("EventTypes"));
                for event in EVENTS {
                    w.leaf(&t("EventType"), event);
                }
            })
            .await?;
        let message = check(messages(&answer).next().ok_or_else(|| missing("response message"))?)?;
        let id = message.find("SubscriptionId").map(|id| id.text().trim().to_owned());
        id.ok_or_else(|| missing("SubscriptionId"))
    }

    /// Unsubscribe: the server may forget it. MS-OXWSNTIF 3.1.4.4
    pub async fn unsubscribe(&self, subscription: &str) -> Result<(), Error> {
        let answer = self
            .call("Unsubscribe", Repeat::Never, |w| {
                w.open(&m("Unsubscribe")).leaf(&m("SubscriptionId"), subscription);
            })
            .await?;
        check(messages(&answer).next().ok_or_else(|| missing("response message"))?).map(drop)
    }

    /// GetStreamingEvents: listens to subscriptions, at most [`crate::upstream::MAX_SUBSCRIPTIONS`]. MS-OXWSNTIF 3.1.4.2
    pub async fn listen(&self, subscriptions: &[String]) -> Result<EventStream, Error> {
        let response = self
            .hold(|w| {
                w.open(&m("GetStreamingEvents")).open(&m("SubscriptionIds"));
                for id in subscriptions {
                    w.leaf(&t("SubscriptionId"), id);
                }
                w.close().leaf(&m("ConnectionTimeout"), MINUTES);
            })
            .await?;
        Ok(EventStream::new(response))
    }
}
