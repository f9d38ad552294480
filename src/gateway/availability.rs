//! When people are busy: free/busy requests of scheduling clients. RFC 6638 5

use super::error::Error;
use super::mailbox::Mailbox;
use crate::model::refusal::{Reason, Refusal};
use crate::model::zone::Zone;
use crate::query::{self, BusyPeriod};
use crate::text::moment::{Zones, length};
use crate::text::{Component, Line, address};
use crate::upstream::{self, BusyTime, ErrorKind, MAX_DAYS, MAX_PEOPLE};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

/// Attendees of one request.
const MAX_ATTENDEES: usize = 200;
/// The longest time that is asked for.
const MAX_RANGE: SignedDuration = SignedDuration::from_hours(24 * 366);

/// What is known of one attendee.
#[derive(Clone, Debug, PartialEq)]
pub struct Availability {
    /// The calendar user address, as it was asked for.
    pub recipient: String,
    /// `2.0;Success` and the like. RFC 6638 11
    pub status: &'static str,
    /// VFREEBUSY with METHOD:REPLY, where the status is success.
    pub reply: Option<Bytes>,
}

const SUCCESS: &str = "2.0;Success";
const UNKNOWN: &str = "3.7;Invalid calendar user";
const NOT_TOLD: &str = "3.8;No authority";
const NO_DATA: &str = "5.3;No scheduling support for user";
const AWAY: &str = "5.1;Could not complete delivery";

/// A VFREEBUSY request.
struct Request {
    uid: Option<Line>,
    organizer: Line,
    attendees: Vec<Line>,
    from: Timestamp,
    to: Timestamp,
}

impl Mailbox {
    /// Answers a VFREEBUSY request: one answer for each attendee, in order.
    ///
    /// Fails with [`Error::Refused`] when the message is no such request, or not the user's.
    pub async fn availability(&self, message: &[u8]) -> Result<Vec<Availability>, Error> {
        let request = Request::read(message)?;
        if !self.is_own(&request.organizer.value) {
            let text = "the organiser of a free/busy request is who sends it";
            return Err(Refusal::of_part(Reason::ForeignOrganizer, "ORGANIZER", text).into());
        }
        let mut known: Vec<(String, Result<Vec<BusyTime>, upstream::Error>)> = Vec::new();
        for line in &request.attendees {
            if let Some(address) = asked(line).filter(|a| !known.iter().any(|(known, _)| known == a)) {
                known.push((address, Ok(Vec::new())));
            }
        }
        self.ask(&mut known, request.from, request.to).await?;
        let now = Timestamp::now();
        let answer = |line: &Line| {
            let found = asked(line).and_then(|a| known.iter().find(|(known, _)| *known == a));
            let (status, reply) = match found {
                None => (UNKNOWN, None),
                Some((_, Err(error))) => (status_of(error), None),
                Some((_, Ok(times))) if !times.is_empty() && times.iter().all(|t| t.status == "NoData") => {
                    (NO_DATA, None)
                }
                Some((_, Ok(times))) => (SUCCESS, Some(request.reply(line, times, now))),
            };
            Availability { recipient: line.value.trim().to_owned(), status, reply }
        };
        Ok(request.attendees.iter().map(answer).collect())
    }

    fn is_own(&self, user: &str) -> bool {
        let own = address::smtp(user);
        let is_own = |own: String| self.principal().addresses.iter().any(|known| address::same(known, &own));
        own.is_some_and(is_own) || user.trim_end_matches('/').ends_with(&self.principal().segment)
    }

    /// Everybody for the whole time: Exchange takes so many at once and so long a time.
    async fn ask(
        &self,
        known: &mut [(String, Result<Vec<BusyTime>, upstream::Error>)],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<(), Error> {
        let session = self.follower().session();
        let windows = windows(from, to);
        let people: Vec<String> = known.iter().map(|(address, _)| address.clone()).collect();
        let questions = people.chunks(MAX_PEOPLE).enumerate().flat_map(|(at, chunk)| {
            windows.iter().map(move |window| (at * MAX_PEOPLE, chunk.to_vec(), *window))
        });
        let questions: Vec<(usize, Vec<String>, (Timestamp, Timestamp))> = questions.collect();
        let mut answers = stream::iter(questions)
            .map(|(first, chunk, (from, to))| {
                let session = &session;
                async move {
                    let addresses: Vec<&str> = chunk.iter().map(String::as_str).collect();
                    (first, session.availability(&addresses, from, to).await)
                }
            })
            .buffered(session.concurrency());
        while let Some((first, answer)) = answers.next().await {
            let answer = answer.map_err(|error| self.note(error.into()))?;
            for ((_, all), times) in known.iter_mut().skip(first).zip(answer) {
                match (all, times) {
                    (Ok(all), Ok(times)) => all.extend(times),
                    (all @ Ok(_), Err(error)) => *all = Err(error),
                    (Err(_), _) => {}
                }
            }
        }
        Ok(())
    }
}

fn windows(from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let longest = SignedDuration::from_hours(24 * MAX_DAYS);
    let mut windows = Vec::new();
    let mut start = from;
    while start < to {
        let end = start.checked_add(longest).map_or(to, |end| end.min(to));
        windows.push((start, end));
        start = end;
    }
    windows
}

fn status_of(error: &upstream::Error) -> &'static str {
    match error.kind {
        ErrorKind::BusyTimesNotGranted => NOT_TOLD,
        ErrorKind::NoBusyTimes => NO_DATA,
        _ if error.is_refusal() => UNKNOWN,
        _ => AWAY,
    }
}

/// What Exchange is asked for: the same for all spellings of an address.
fn asked(attendee: &Line) -> Option<String> {
    address::of_line(attendee).map(|address| address::key(&address))
}

impl Request {
    fn read(message: &[u8]) -> Result<Self, Error> {
        let invalid = |text: &str| Refusal::new(Reason::InvalidData, text);
        let other = |text: &str| Refusal::new(Reason::NoMessage, text);
        let calendar = Component::parse(message).map_err(|error| invalid(&error.to_string()))?;
        if calendar.name != "VCALENDAR" {
            return Err(invalid("this is no iCalendar object").into());
        }
        let is_request = calendar.value("METHOD").is_some_and(|m| m.trim().eq_ignore_ascii_case("REQUEST"));
        let mut asked = calendar.children.iter().filter(|child| child.name != "VTIMEZONE");
        let (Some(busy), None, true) =
            (asked.next().filter(|c| c.name == "VFREEBUSY"), asked.next(), is_request)
        else {
            let text =
                "the outbox takes one VFREEBUSY with METHOD:REQUEST: invitations are sent by storing events";
            return Err(other(text).into());
        };
        let zones = Zones::new(&calendar, &Zone::Utc);
        let moment = |name| busy.line(name).and_then(|line| zones.moment(line));
        let start = moment("DTSTART");
        let end = moment("DTEND").or_else(|| start.as_ref()?.after(busy.value("DURATION").and_then(length)?));
        let (Some(start), Some(end)) = (start, end) else {
            return Err(invalid("a free/busy request has DTSTART and DTEND").into());
        };
        let (from, to) = (zones.instant(&start), zones.instant(&end));
        if to <= from {
            return Err(invalid("DTEND is after DTSTART").into());
        }
        if to.duration_since(from) > MAX_RANGE {
            return Err(other("at most a year is told at once").into());
        }
        let attendees: Vec<Line> = busy.lines_named("ATTENDEE").cloned().collect();
        if attendees.is_empty() || attendees.len() > MAX_ATTENDEES {
            return Err(other(&format!("a free/busy request has 1 to {MAX_ATTENDEES} attendees")).into());
        }
        let organizer = busy.line("ORGANIZER").cloned();
        let organizer = organizer.ok_or_else(|| invalid("a free/busy request has an ORGANIZER"))?;
        Ok(Self { uid: busy.line("UID").cloned(), organizer, attendees, from, to })
    }

    /// RFC 5546 3.3.3
    fn reply(&self, attendee: &Line, times: &[BusyTime], now: Timestamp) -> Bytes {
        let periods = times.iter().filter_map(|time| {
            let kind = match time.status.as_str() {
                "Tentative" => "BUSY-TENTATIVE",
                "OOF" | "NoData" => "BUSY-UNAVAILABLE",
                "Free" => return None,
                _ => "BUSY",
            };
            Some(BusyPeriod { kind, start: time.start, end: time.end })
        });
        let mut calendar = query::busy_time(periods, self.from, self.to, now);
        calendar.push(Line::raw("METHOD", "REPLY"));
        for busy in &mut calendar.children {
            busy.lines.retain(|line| line.name != "UID" || self.uid.is_none());
            busy.lines.splice(0..0, self.uid.clone());
            busy.push(self.organizer.clone());
            busy.push(attendee.clone());
        }
        Bytes::from(calendar.write())
    }
}
