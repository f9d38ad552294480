//! The directory, and when people are busy. MS-OXWSRSLNM, MS-OXWSAVAIL

use super::missing;
use crate::upstream::ews::client::{Repeat, Session};
use crate::upstream::ews::error::Error;
use crate::upstream::ews::soap::{check, m, messages};
use crate::upstream::ews::types::{self, name as t, person};
use crate::upstream::{BusyTime, Resolved, Scope, SharedTime};
use crate::xml::{Element, Writer};
use jiff::Timestamp;

/// Minutes that one digit of a merged view stands for.
const INTERVAL: i64 = 15;

impl Session {
    /// ResolveNames with all that the directory tells. MS-OXWSRSLNM 3.1.4.1
    ///
    /// FindPeople (Exchange 2013 and later) would page beyond a hundred. Nobody who types a name reads that far, and this
    /// is at every server, and tells phones and addresses in the same answer.
    pub async fn resolve_names(&self, entry: &str, scope: Scope) -> Result<Resolved, Error> {
        let scope = match scope {
            Scope::Directory => "ActiveDirectory",
            Scope::DirectoryAndContacts => "ActiveDirectoryContacts",
        };
        let answer = self
            .call("ResolveNames", Repeat::Freely, |w| {
                w.open(&m("ResolveNames"))
                    .attribute("ReturnFullContactData", "true")
                    .attribute("SearchScope", scope)
                    .attribute("ContactDataShape", "AllProperties");
                w.leaf(&m("UnresolvedEntry"), entry);
            })
            .await?;
        let message = messages(&answer).next().ok_or_else(|| missing("response message"))?;
        let code = message.find("ResponseCode").map(|code| code.text().trim().to_owned());
        match code.as_deref() {
            Some("ErrorNameResolutionNoResults") => {
                return Ok(Resolved { people: Vec::new(), is_complete: true });
            }
            // A warning that there are several: they follow.
            Some("ErrorNameResolutionMultipleResults") => {}
            _ => drop(check(message)?),
        }
        let set = message.find("ResolutionSet").ok_or_else(|| missing("ResolutionSet"))?;
        let people = set.children().filter_map(person).collect();
        let is_complete = set.attribute("IncludesLastItemInRange") != Some("false");
        Ok(Resolved { people, is_complete })
    }

    /// GetUserAvailability for at most [`crate::upstream::MAX_PEOPLE`] and [`crate::upstream::MAX_DAYS`]: one answer for each address, in the order asked.
    /// MS-OXWSAVAIL 3.1.4.1
    pub async fn availability(
        &self,
        addresses: &[&str],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Result<Vec<BusyTime>, Error>>, Error> {
        let answers = self.free_busy(addresses, from, to, "FreeBusyMerged").await?;
        Ok(answers.iter().map(|answer| busy_times(answer, from)).collect())
    }

    /// What somebody's calendar shows to the session's user between two moments, at most [`crate::upstream::MAX_DAYS`] apart; an error when
    /// nothing is granted.
    pub async fn shared_times(
        &self,
        address: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<SharedTime>, Error> {
        let answers = self.free_busy(&[address], from, to, "Detailed").await?;
        shared_times(answers.first().ok_or_else(|| missing("FreeBusyResponse"))?)
    }

    async fn free_busy(
        &self,
        addresses: &[&str],
        from: Timestamp,
        to: Timestamp,
        view: &str,
    ) -> Result<Vec<Element>, Error> {
        let answer = self
            .call("GetUserAvailability", Repeat::Freely, |w| {
                w.open(&m("GetUserAvailabilityRequest"));
                utc(w);
                w.open(&m("MailboxDataArray"));
                for address in addresses {
                    w.open(&t("MailboxData")).open(&t("Email")).leaf(&t("Address"), address).close();
                    w.leaf(&t("AttendeeType"), "Required").leaf(&t("ExcludeConflicts"), "false").close();
                }
                w.close().open(&t("FreeBusyViewOptions")).open(&t("TimeWindow"));
                w.leaf(&t("StartTime"), &local(from)).leaf(&t("EndTime"), &local(to)).close();
                w.leaf(&t("MergedFreeBusyIntervalInMinutes"), &INTERVAL.to_string());
                w.leaf(&t("RequestedView"), view);
            })
            .await?;
        let answers = answer.find("FreeBusyResponseArray").into_iter().flat_map(Element::children);
        let answers: Vec<Element> = answers.cloned().collect();
        if answers.len() == addresses.len() { Ok(answers) } else { Err(missing("FreeBusyResponse")) }
    }
}

/// A zone without bias, so that all times are UTC. docs/EXCHANGE.md, Free and busy times
fn utc(w: &mut Writer) {
    w.open(&t("TimeZone")).leaf(&t("Bias"), "0");
    for (name, month) in [("StandardTime", "10"), ("DaylightTime", "4")] {
        w.open(&t(name)).leaf(&t("Bias"), "0").leaf(&t("Time"), "02:00:00").leaf(&t("DayOrder"), "5");
        w.leaf(&t("Month"), month).leaf(&t("DayOfWeek"), "Sunday").close();
    }
    w.close();
}

fn local(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

fn busy_times(answer: &Element, from: Timestamp) -> Result<Vec<BusyTime>, Error> {
    check(answer.find("ResponseMessage").ok_or_else(|| missing("ResponseMessage"))?)?;
    let Some(view) = answer.find("FreeBusyView") else { return Ok(Vec::new()) };
    let times: Vec<BusyTime> = match view.find("CalendarEventArray") {
        Some(events) => events
            .children()
            .filter_map(|event| {
                let at = |local| types::time(&event.find(local)?.text());
                let status = event.find("BusyType")?.text().trim().to_owned();
                Some(BusyTime { start: at("StartTime")?, end: at("EndTime")?, status })
            })
            .collect(),
        // Whoever may see no more is told digits.
        None => view.find("MergedFreeBusy").map(|merged| of_digits(&merged.text(), from)).unwrap_or_default(),
    };
    Ok(times.into_iter().filter(|time| time.status != "Free").collect())
}

fn shared_times(answer: &Element) -> Result<Vec<SharedTime>, Error> {
    check(answer.find("ResponseMessage").ok_or_else(|| missing("ResponseMessage"))?)?;
    let events = answer.find("FreeBusyView").and_then(|view| view.find("CalendarEventArray"));
    let shown = |event: &Element| {
        let at = |local| types::time(&event.find(local)?.text());
        let details = event.find("CalendarEventDetails");
        let text =
            |local| details?.find(local).map(|e| e.text().trim().to_owned()).filter(|text| !text.is_empty());
        Some(SharedTime {
            start: at("StartTime")?,
            end: at("EndTime")?,
            status: event.find("BusyType")?.text().trim().to_owned(),
            subject: text("Subject"),
            location: text("Location"),
            is_private: text("IsPrivate").as_deref() == Some("true"),
        })
    };
    Ok(events.into_iter().flat_map(Element::children).filter_map(shown).collect())
}

/// `MergedFreeBusy`: one digit for each interval. docs/EXCHANGE.md, Free and busy times
fn of_digits(digits: &str, from: Timestamp) -> Vec<BusyTime> {
    let mut times: Vec<BusyTime> = Vec::new();
    let mut at = from;
    for digit in digits.trim().chars() {
        let Ok(next) = at.checked_add(jiff::SignedDuration::from_mins(INTERVAL)) else { break };
        let status = match digit {
            '0' => "Free",
            '1' => "Tentative",
            '2' => "Busy",
            '3' => "OOF",
            _ => "NoData",
        };
        match times.last_mut().filter(|last| last.status == status) {
            Some(last) => last.end = next,
            None => times.push(BusyTime { start: at, end: next, status: status.to_owned() }),
        }
        at = next;
    }
    times
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn digits_become_stretches_of_time() {
        let from: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let busy: Vec<_> =
            of_digits("0221", from).into_iter().map(|t| (t.start.to_string(), t.status)).collect();
        let at = |time: &str, status: &str| (format!("2026-03-02T{time}:00Z"), status.to_owned());
        assert_eq!(busy, [at("08:00", "Free"), at("08:15", "Busy"), at("08:45", "Tentative")]);
    }
}
