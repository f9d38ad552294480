#!/usr/bin/env python3
"""writers_session.py GATEWAY EWS USER PASSWORD
python-caldav and vdirsyncer write: an event is made and edited, an occurrence moved and deleted, a series deleted, a
meeting accepted by the second user, changed and cancelled. exchangelib reads what a colleague in Outlook sees."""
import datetime as dt
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import caldav
from checks import Checks
from exchangelib import DELEGATE, Account, Configuration, Credentials, EWSDateTime
from exchangelib.items import MeetingCancellation, MeetingRequest, MeetingResponse
from icalendar import Calendar

gateway, ews, user, password = sys.argv[1:5]
other = user.replace("@", "2@")
check = Checks()
UTC = dt.timezone.utc
monday = dt.date.today() + dt.timedelta(days=21 - dt.date.today().weekday())


def soon(condition, seconds=120):
    """The first true value of a condition; what others did is seen when the gateway next looks at Exchange."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            return None
        time.sleep(0.5)
    return value


def at(week, hour, day=0):
    date = monday + dt.timedelta(days=7 * week + day)
    return dt.datetime(date.year, date.month, date.day, hour, tzinfo=UTC)


def stamp(moment):
    return moment.strftime("%Y%m%dT%H%M%SZ")


def event(uid, *lines):
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"])


def calendar(*events):
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//writers//EN", *events, "END:VCALENDAR", ""])


def span(week, hour, day=0):
    start = at(week, hour, day)
    return [f"DTSTART:{stamp(start)}", f"DTEND:{stamp(start + dt.timedelta(hours=1))}"]


def account(name):
    credentials = Credentials(name, password)
    return Account(name, credentials=credentials, access_type=DELEGATE, autodiscover=False,
                   config=Configuration(service_endpoint=ews, credentials=credentials, auth_type="basic"))


outlook, guest = account(user), account(other)


def items(who, subject):
    return [item for item in who.calendar.all() if item.subject == subject]


def start(item):
    return dt.datetime.fromtimestamp(item.start.timestamp(), UTC)


def shown(subject):
    """What the calendar shows, occurrence by occurrence."""
    lower, upper = (EWSDateTime.fromtimestamp(moment.timestamp(), outlook.default_timezone)
                    for moment in (at(-1, 0), at(12, 0)))
    return sorted(start(item) for item in outlook.calendar.view(start=lower, end=upper) if item.subject == subject)


def letters(who, kind, subject):
    return [m for m in who.inbox.all() if isinstance(m, kind) and (m.subject or "").endswith(subject)]


class PythonCaldav:
    """python-caldav in the first calendar of a user."""

    def __init__(self, name):
        self.client = caldav.DAVClient(url=gateway, username=name, password=password)
        self.calendar = next(c for c in self.client.principal().calendars()
                             if str(c.url).rstrip("/").endswith("/calendar"))

    def make(self, uid, text):
        self.calendar.save_event(text)

    def read(self, uid):
        try:
            return self.calendar.event_by_uid(uid).data.replace("\r\n", "\n").replace("\n", "\r\n")
        except caldav.lib.error.NotFoundError:
            return None

    def change(self, uid, text):
        found = self.calendar.event_by_uid(uid)
        found.data = text
        found.save()

    def remove(self, uid):
        self.calendar.event_by_uid(uid).delete()


class Vdirsyncer:
    """A folder of files that vdirsyncer keeps like a user's calendar."""

    program = str(Path(sys.executable).parent / "vdirsyncer")

    def __init__(self, name):
        self.work = tempfile.TemporaryDirectory(prefix="vdirsyncer-")
        folder = Path(self.work.name)
        self.files = folder / "calendars" / "calendar"
        self.config = folder / "config"
        self.config.write_text(f"""
[general]
status_path = "{folder}/status/"
[pair t]
a = "here"
b = "there"
collections = ["calendar"]
[storage here]
type = "filesystem"
path = "{folder}/calendars/"
fileext = ".ics"
[storage there]
type = "caldav"
url = "{gateway}/"
username = "{name}"
password = "{password}"
""")
        self.run("discover")
        self.sync()

    def run(self, *arguments):
        done = subprocess.run([self.program, *arguments], input="y\n" * 20, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=300,
                              env=dict(os.environ, VDIRSYNCER_CONFIG=str(self.config), LC_ALL="C.UTF-8"))
        if done.returncode != 0:
            raise RuntimeError(done.stdout[-600:])

    def sync(self):
        self.run("sync")

    def find(self, uid):
        return next((f for f in self.files.glob("*.ics") if f"UID:{uid}" in f.read_text()), None)

    def make(self, uid, text):
        (self.files / f"{uid}.ics").write_bytes(text.encode())
        self.sync()

    def read(self, uid):
        self.sync()
        found = self.find(uid)
        return found and found.read_bytes().decode().replace("\r\n", "\n").replace("\n", "\r\n")

    def change(self, uid, text):
        self.find(uid).write_bytes(text.encode())
        self.sync()

    def remove(self, uid):
        self.find(uid).unlink()
        self.sync()


def write(program, first, second):
    def told(name, condition):
        check(f"{program}: {name}", condition)

    def uid(name):
        return f"{program}-{name}"

    # One event
    title = f"{program} lunch"
    told("make an event", lambda: [first.make(uid("one"), calendar(event(
        uid("one"), *span(0, 11), f"SUMMARY:{title}", "LOCATION:Canteen", "X-MENU:soup")))])
    told("a colleague sees it", lambda: (lambda i: i.location == "Canteen" and start(i) == at(0, 11))(
        items(outlook, title)[0]))
    told("edit it", lambda: [first.change(uid("one"), first.read(uid("one")).replace("Canteen", "Garden")
                                          .replace(stamp(at(0, 11)), stamp(at(0, 10))))])
    told("a colleague sees the change, once", lambda: [
        (i.location, start(i)) for i in items(outlook, title)] == [("Garden", at(0, 10))])
    told("what Exchange has no field for is still there", lambda: "X-MENU:soup" in first.read(uid("one")))

    # A series
    title = f"{program} weekly"
    rule = [*span(0, 8, 1), "RRULE:FREQ=WEEKLY;COUNT=5", f"SUMMARY:{title}"]
    told("make a series", lambda: [first.make(uid("many"), calendar(event(uid("many"), *rule)))])
    told("it is shown five times", lambda: shown(title) == [at(week, 8, 1) for week in range(5)])
    moved = event(uid("many"), f"RECURRENCE-ID:{stamp(at(2, 8, 1))}", *span(2, 14, 2), f"SUMMARY:{title}")
    told("move an occurrence", lambda: [first.change(uid("many"), calendar(event(uid("many"), *rule), moved))])
    told("it is shown where it is now", lambda: shown(title) == sorted(
        [at(week, 8, 1) for week in (0, 1, 3, 4)] + [at(2, 14, 2)]))
    gone = [*rule, f"EXDATE:{stamp(at(3, 8, 1))}"]
    told("delete an occurrence", lambda: [first.change(uid("many"), calendar(event(uid("many"), *gone), moved))])
    told("it is not shown", lambda: shown(title) == sorted([at(week, 8, 1) for week in (0, 1, 4)] + [at(2, 14, 2)]))
    told("it is one series still", lambda: len(items(outlook, title)) == 1)
    told("delete the series", lambda: [first.remove(uid("many"))])
    told("nothing is shown", lambda: shown(title) == [] and not items(outlook, title))

    # A meeting
    title = f"{program} meeting"
    people = [f"ORGANIZER:mailto:{user}", f"ATTENDEE;ROLE=CHAIR;PARTSTAT=ACCEPTED:mailto:{user}",
              f"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{other}"]
    told("invite", lambda: [first.make(uid("meeting"), calendar(event(
        uid("meeting"), *span(1, 9), f"SUMMARY:{title}", *people)))])
    told("the guest has one invitation", lambda: len(letters(guest, MeetingRequest, title)) == 1
         and len(items(guest, title)) == 1)
    invitation = soon(lambda: second.read(uid("meeting")))
    told("the guest's client sees it", invitation)

    def accepted(text):
        parsed = Calendar.from_ical(text)
        for part in parsed.walk("VEVENT"):
            attendees = part["ATTENDEE"] if isinstance(part["ATTENDEE"], list) else [part["ATTENDEE"]]
            for attendee in attendees:
                if other in attendee.lower():
                    attendee.params["PARTSTAT"] = "ACCEPTED"
        return parsed.to_ical().decode()

    told("the guest accepts", lambda: [second.change(uid("meeting"), accepted(invitation))])
    told("the guest's calendar says so", lambda: [i.my_response_type for i in items(guest, title)] == ["Accept"])
    told("the organiser's calendar says so, too", lambda: [
        a.response_type for i in items(outlook, title) for a in i.required_attendees
        if a.mailbox.email_address == other] == ["Accept"])
    told("the organiser got one answer", lambda: len(letters(outlook, MeetingResponse, title)) == 1)
    told("the organiser's client shows it", soon(lambda: [
        a for part in Calendar.from_ical(first.read(uid("meeting"))).walk("VEVENT") for a in part["ATTENDEE"]
        if other in a.lower() and a.params.get("PARTSTAT") == "ACCEPTED"]))
    told("the organiser moves it", lambda: [first.change(uid("meeting"), first.read(uid("meeting")).replace(
        stamp(at(1, 9)), stamp(at(1, 15))).replace(stamp(at(1, 10)), stamp(at(1, 16))))])
    told("the guest has it at the new time, once", lambda: [
        start(i) for i in items(guest, title)] == [at(1, 15)])
    told("the organiser cancels", lambda: [first.remove(uid("meeting"))])
    told("the guest hears of it", lambda: len(letters(guest, MeetingCancellation, title)) == 1)
    told("and the organiser's calendar is free", lambda: not items(outlook, title))


for program, hand in (("python-caldav", PythonCaldav), ("vdirsyncer", Vdirsyncer)):
    write(program, hand(user), hand(other))
check.finish()
