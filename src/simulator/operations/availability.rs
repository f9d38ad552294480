//! GetUserAvailability: when people are busy. MS-OXWSAVAIL 3.1.4.1

use super::Call;
use super::find::occurrences;
use crate::simulator::calendar::write::instant;
use crate::simulator::element::{Element, Space};
use crate::simulator::field;
use crate::simulator::mailbox::Mailbox;
use crate::simulator::permissions::{self, Reading};
use crate::simulator::soap::Fault;
use crate::simulator::view::View;
use crate::simulator::world::Refusal;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Mailboxes of one request. docs/EXCHANGE.md, Limits
const MAX_PEOPLE: usize = 100;
/// The longest window. docs/EXCHANGE.md, Limits
const MAX_DAYS: i64 = 42;

/// What is asked of each mailbox.
struct Question {
    from: Timestamp,
    to: Timestamp,
    zone: TimeZone,
    minutes: i64,
    view: String,
}

/// From, to, busy status, and `CalendarEventDetails` where these are granted.
type Busy = (Timestamp, Timestamp, String, Option<Element>);

/// `CalendarEventDetails`: of private items only that they are. MS-OXWSAVAIL 2.2.4.5
fn details(view: &View) -> Element {
    let text = |field| view.stored(field).map(|e| e.text.trim().to_owned()).unwrap_or_default();
    let is_private = text(field::SENSITIVITY) == "Private";
    let open = |field| if is_private { String::new() } else { text(field) };
    Element::new("CalendarEventDetails")
        .push(Element::of("Subject", open(field::SUBJECT)))
        .push(Element::of("Location", open(field::LOCATION)))
        .push(Element::value("IsMeeting", view.stored(field::REQUIRED_ATTENDEES).is_some()))
        .push(Element::value("IsRecurring", view.stored(field::RECURRENCE).is_some()))
        .push(Element::value("IsException", false))
        .push(Element::value("IsReminderSet", text(field::REMINDER_IS_SET) == "true"))
        .push(Element::value("IsPrivate", is_private))
}

/// One answer for each mailbox, in the order asked.
pub fn answer(call: &mut Call<'_>) -> Result<Element, Fault> {
    let people: Vec<&Element> =
        call.request.child("MailboxDataArray").into_iter().flat_map(|list| &list.children).collect();
    let question = Question::read(call)?;
    let asks = call.world.mailboxes.get(call.caller).map_or("", |mailbox| mailbox.address.as_str());
    let answers = people.iter().map(|person| {
        let address = person.at(&["Email", "Address"]).map(|a| a.text.trim()).unwrap_or_default();
        let outcome = match call.world.mailbox(address) {
            Some(mailbox) if permissions::busy_times(mailbox, asks) == Reading::None => Err(Refusal::new(
                "ErrorNoFreeBusyAccess",
                "The requester does not have sufficient permissions to perform the operation.",
            )),
            Some(mailbox) => Ok(question.of(mailbox, permissions::busy_times(mailbox, asks))),
            // Known, and without a mailbox here: nothing is in the calendar.
            None if call.world.person(address).is_some() => Ok(question.of_nobody()),
            None => Err(Refusal::new(
                "ErrorMailRecipientNotFound",
                "Unable to resolve e-mail address to an Active Directory object.",
            )),
        };
        response(outcome)
    });
    let all = Element::message("FreeBusyResponseArray").push_all(answers);
    Ok(Element::message("GetUserAvailabilityResponse").push(all))
}

fn response(outcome: Result<Element, Refusal>) -> Element {
    let text = |name, text: &str| Element { text: text.to_owned(), ..Element::message(name) };
    let message = Element::message("ResponseMessage");
    let (message, view) = match outcome {
        Ok(view) => {
            (message.with("ResponseClass", "Success").push(text("ResponseCode", "NoError")), Some(view))
        }
        Err(refusal) => {
            let message = message
                .with("ResponseClass", "Error")
                .push(text("MessageText", &refusal.text))
                .push(text("ResponseCode", refusal.code))
                .push(text("DescriptiveLinkKey", "0"));
            let none = Element::of("FreeBusyViewType", "None");
            (message, Some(Element { space: Space::Messages, ..Element::new("FreeBusyView") }.push(none)))
        }
    };
    Element::message("FreeBusyResponse").push(message).push_some(view)
}

impl Question {
    fn read(call: &Call<'_>) -> Result<Self, Fault> {
        let wrong = |code, text| Err(Fault::new(code, text));
        let people = call.request.child("MailboxDataArray").map_or(0, |list| list.children.len());
        let Some(options) = call.request.child("FreeBusyViewOptions") else {
            return wrong("ErrorMissingArgument", "FreeBusyViewOptions or SuggestionsViewOptions is needed.");
        };
        let zone = match (call.request.child("TimeZone"), &call.zone) {
            (Some(zone), _) => of_biases(zone),
            (None, Some((_, zone))) => Some(zone.clone()),
            (None, None) => None,
        };
        let Some(zone) = zone else {
            return wrong("ErrorTimeZone", "The time zone is missing or not valid.");
        };
        if people == 0 {
            return wrong("ErrorMailboxDataArrayEmpty", "The mailbox data array is empty.");
        }
        if people > MAX_PEOPLE {
            return wrong("ErrorMailboxDataArrayTooBig", "The mailbox data array is too big.");
        }
        let at = |name| options.at(&["TimeWindow", name]).and_then(|e| instant(e.text.trim(), &zone));
        let (Some(from), Some(to)) = (at("StartTime"), at("EndTime")) else {
            return wrong("ErrorInvalidTimeInterval", "The time window is not valid.");
        };
        if to <= from {
            return wrong("ErrorInvalidTimeInterval", "The end is not after the start.");
        }
        if to.duration_since(from) > SignedDuration::from_hours(24 * MAX_DAYS) {
            return wrong("ErrorTimeIntervalTooBig", "The time window is longer than is allowed.");
        }
        let minutes = options.child_text("MergedFreeBusyIntervalInMinutes").unwrap_or("30");
        let minutes = minutes.trim().parse().unwrap_or(0);
        if !(5..=1440).contains(&minutes) {
            return wrong("ErrorInvalidMergedFreeBusyInterval", "The interval is 5 to 1440 minutes.");
        }
        let view = options.child_text("RequestedView").unwrap_or("FreeBusyMerged").trim().to_owned();
        if view.is_empty() || view == "None" {
            return wrong("ErrorInvalidFreeBusyViewType", "The view is not valid.");
        }
        Ok(Self { from, to, zone, minutes, view })
    }

    fn of(&self, mailbox: &Mailbox, granted: Reading) -> Element {
        // Whoever may see less is answered with less. MS-OXWSAVAIL 2.2.5.2
        let is_detailed = self.view.starts_with("Detailed") && granted != Reading::TimeOnly;
        let mut events: Vec<Busy> = Vec::new();
        if let Some(calendar) = mailbox.distinguished("calendar") {
            for (start, end, view) in occurrences(mailbox, calendar, self.from, self.to) {
                let status = view.stored(field::LEGACY_FREE_BUSY_STATUS).map(|e| e.text.trim().to_owned());
                let details = is_detailed.then(|| details(&view));
                events.push((start, end, status.unwrap_or_else(|| "Busy".to_owned()), details));
            }
        }
        events.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
        self.view(&events, is_detailed)
    }

    fn of_nobody(&self) -> Element {
        self.view(&[], false)
    }

    fn view(&self, events: &[Busy], is_detailed: bool) -> Element {
        let local = |at: &Timestamp| {
            let at = at.to_zoned(self.zone.clone()).datetime();
            at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
        };
        let listed = events.iter().map(|(start, end, status, details)| {
            Element::new("CalendarEvent")
                .push(Element::of("StartTime", local(start)))
                .push(Element::of("EndTime", local(end)))
                .push(Element::of("BusyType", status.clone()))
                .push_some(details.clone())
        });
        let less = self.view.replace("Detailed", "FreeBusy");
        let shown = if is_detailed { self.view.clone() } else { less };
        let merged = self.view.ends_with("Merged") || self.view == "MergedOnly";
        let list = Element::new("CalendarEventArray").push_all(listed);
        Element { space: Space::Messages, ..Element::new("FreeBusyView") }
            .push(Element::of("FreeBusyViewType", shown))
            .push_some(merged.then(|| Element::of("MergedFreeBusy", self.digits(events))))
            .push_some((self.view != "MergedOnly").then_some(list))
    }

    /// One digit for each interval. docs/EXCHANGE.md, Free and busy times
    fn digits(&self, events: &[Busy]) -> String {
        let step = SignedDuration::from_mins(self.minutes);
        let mut digits = String::new();
        let mut at = self.from;
        while at < self.to {
            let next = at.saturating_add(step).unwrap_or(self.to);
            let worst = events
                .iter()
                .filter(|(start, end, ..)| *start < next && *end > at)
                .map(|(_, _, status, _)| match status.as_str() {
                    "Tentative" => '1',
                    "Busy" => '2',
                    "OOF" => '3',
                    "WorkingElsewhere" => '4',
                    _ => '0',
                })
                .max();
            digits.push(worst.unwrap_or('0'));
            at = next;
        }
        digits
    }
}

/// A zone of two biases, positive to the west. MS-OXWSAVAIL 2.2.4.16
fn of_biases(zone: &Element) -> Option<TimeZone> {
    let number = |path: &[&str]| zone.at(path).and_then(|e| e.text.trim().parse::<i32>().ok());
    let bias = number(&["Bias"])?;
    let minutes = |name| Some(bias + number(&[name, "Bias"])?);
    let (standard, daylight) = (minutes("StandardTime")?, minutes("DaylightTime")?);
    if standard == daylight || number(&["DaylightTime", "Month"])? == 0 {
        let offset = jiff::tz::Offset::from_seconds(-60 * standard).ok()?;
        return Some(TimeZone::fixed(offset));
    }
    let offset = |minutes: i32| {
        format!("{}{:02}:{:02}", if minutes < 0 { "-" } else { "" }, minutes.abs() / 60, minutes.abs() % 60)
    };
    let change = |name| {
        const DAYS: [&str; 7] =
            ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
        let day = zone.at(&[name, "DayOfWeek"])?.text.trim().to_owned();
        let day = DAYS.iter().position(|known| *known == day)?;
        let time = zone.at(&[name, "Time"])?.text.trim().to_owned();
        Some(format!("M{}.{}.{day}/{time}", number(&[name, "Month"])?, number(&[name, "DayOrder"])?))
    };
    let rules = format!(
        "<STD>{}<DST>{},{},{}",
        offset(standard),
        offset(daylight),
        change("DaylightTime")?,
        change("StandardTime")?
    );
    TimeZone::posix(&rules).ok()
}
