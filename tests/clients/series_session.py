#!/usr/bin/env python3
"""series_session.py GATEWAY EWS USER PASSWORD
A colleague's client writes into Exchange, a CalDAV client reads the same through the gateway: exchangelib makes a
weekly series with one moved and one deleted occurrence, attendees and a reminder; python-caldav expands it."""
import json
import os
import subprocess
import sys
import time

from checks import Checks

gateway, ews, user, password = sys.argv[1:5]
check = Checks()

WRITE = r'''
import datetime as dt, json, sys
from zoneinfo import ZoneInfo
from exchangelib import Account, Attendee, CalendarItem, Configuration, Credentials, DELEGATE, EWSDateTime, EWSTimeZone, Mailbox
from exchangelib.recurrence import Recurrence, WeeklyPattern
from exchangelib.items import SEND_TO_NONE
ews, user, password = sys.argv[1:4]
account = Account(user, credentials=Credentials(user, password), access_type=DELEGATE, autodiscover=False,
                  config=Configuration(service_endpoint=ews, credentials=Credentials(user, password), auth_type="basic"))
zone = EWSTimeZone("America/New_York")
day = dt.date.today() + dt.timedelta(days=3)
start = EWSDateTime(day.year, day.month, day.day, 9, 30, tzinfo=zone)
item = CalendarItem(account=account, folder=account.calendar, subject="Weekly with the team", location="Room 7",
    body="Agenda", start=start, end=start + dt.timedelta(minutes=45), categories=["Team"],
    required_attendees=[Attendee(mailbox=Mailbox(email_address="bob@example.com", name="Bob"))],
    optional_attendees=[Attendee(mailbox=Mailbox(email_address="carla@example.com", name="Carla"))],
    reminder_is_set=True, reminder_minutes_before_start=20,
    recurrence=Recurrence(pattern=WeeklyPattern(interval=1, weekdays=[start.strftime("%A")]), start=day, number=30))
item.save(send_meeting_invitations=SEND_TO_NONE)
moved = item.occurrence(index=3)
moved.refresh()
expected = []
for week in range(30):
    wall = dt.datetime(day.year, day.month, day.day, 9, 30, tzinfo=ZoneInfo("America/New_York")) + dt.timedelta(weeks=week)
    if week == 4:
        continue
    if week == 2:
        wall = wall + dt.timedelta(days=1, hours=2)
    expected.append(wall.astimezone(dt.timezone.utc).isoformat())
moved.start = moved.start + dt.timedelta(days=1, hours=2)
moved.end = moved.end + dt.timedelta(days=1, hours=2)
moved.subject = "Weekly, moved"
moved.save(update_fields=["start", "end", "subject"], send_meeting_invitations=SEND_TO_NONE)
item.occurrence(index=5).delete(send_meeting_cancellations=SEND_TO_NONE)
item.refresh()
print(json.dumps({"uid": item.uid, "day": str(day), "expected": expected}))
'''

READ = r'''
import datetime as dt, json, sys
import caldav
gateway, user, password, day = sys.argv[1:5]
start = dt.datetime.fromisoformat(day).replace(tzinfo=dt.timezone.utc) - dt.timedelta(days=2)
with caldav.DAVClient(url=gateway, username=user, password=password) as client:
    calendar = next(c for c in client.principal().calendars() if "VEVENT" in c.get_supported_components())
    found = calendar.search(event=True, start=start, end=start + dt.timedelta(days=260), server_expand=True)
    mine = [p for e in found for p in e.icalendar_instance.walk("VEVENT") if str(p["SUMMARY"]).startswith("Weekly")
            and str(p.get("LOCATION", "")) == "Room 7"]
    uid = str(mine[0]["UID"])
    whole = calendar.event_by_uid(uid).icalendar_instance
master = next(p for p in whole.walk("VEVENT") if "RECURRENCE-ID" not in p)
override = next(p for p in whole.walk("VEVENT") if "RECURRENCE-ID" in p)
alarm = master.walk("VALARM")[0]
print(json.dumps({
    "uid": uid, "starts": sorted(p["DTSTART"].dt.astimezone(dt.timezone.utc).isoformat() for p in mine),
    "zone": master["DTSTART"].params.get("TZID"), "override": str(override["SUMMARY"]),
    "attendees": sorted(str(a).lower() for a in master["ATTENDEE"]), "organizer": str(master["ORGANIZER"]).lower(),
    "trigger": str(alarm["TRIGGER"].dt), "minutes": (master["DTEND"].dt - master["DTSTART"].dt).seconds // 60,
    "overrides": sum("RECURRENCE-ID" in p for p in whole.walk("VEVENT"))}))
'''


def python(variable, program, *arguments):
    done = subprocess.run([os.environ[variable], "-c", program, *arguments], capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(done.stderr[-900:])
    return json.loads(done.stdout.strip().splitlines()[-1])


# The mirror is filled before the change, so that the change has to find its way in.
subprocess.run(["curl", "-s", "-o", "/dev/null", "-u", f"{user}:{password}", f"{gateway}/"], check=True)
written = check("exchangelib writes the series", lambda: python("EXDAV_EXCHANGELIB_PYTHON", WRITE, ews, user, password))


def seen():
    """What python-caldav reads, once the change has come: at the latest when the freshness window is over."""
    end = time.monotonic() + 120
    while True:
        try:
            return python("EXDAV_CALDAV_PYTHON", READ, gateway, user, password, written["day"])
        except RuntimeError:
            if time.monotonic() > end:
                raise
            time.sleep(1)


read = check("python-caldav reads it", seen)
if written and read:
    check("the UID is Exchange's", read["uid"] == written["uid"], read["uid"])
    check("the same 29 instances at the same times", read["starts"] == sorted(written["expected"]),
          str(sorted(set(read["starts"]) ^ set(written["expected"]))))
    check("one override, with its own title", read["overrides"] == 1 and read["override"] == "Weekly, moved", str(read))
    check("the zone has its IANA name", read["zone"] == "America/New_York", str(read["zone"]))
    check("attendees and organiser", read["organizer"] == f"mailto:{user}"
          and "mailto:bob@example.com" in read["attendees"] and "mailto:carla@example.com" in read["attendees"], str(read))
    check("the reminder is 20 minutes before", read["trigger"] == "-1 day, 23:40:00", read["trigger"])
    check("it lasts 45 minutes", read["minutes"] == 45, str(read["minutes"]))
check.finish()
