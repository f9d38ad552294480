#!/usr/bin/env python3
"""thunderbird_session.py GATEWAY CONTROL USER PASSWORD
Thunderbird with a mail identity: it finds that the server sends invitations, invites, answers and asks for busy times. Its
own mail server is asked to send nothing, Exchange sends each message once."""
import sys

from checks import Checks, Gateway
from programs import Control
from thunderbird import Thunderbird, wait_until

url, control, user, password = sys.argv[1:5]
check, gateway, exchange = Checks(), Gateway(url, user, password), Control(control)
COLLEAGUE = "demo2@example.com"
colleague = Gateway(url, COLLEAGUE, password)


def calendar_of(who):
    home, _ = who.homes()
    [path] = [href for href, (_, kinds) in who.collections(home, "calendar").items()
              if kinds == ["VEVENT"] and href.endswith("/calendar/")]
    return path


def sent(who):
    """[(what, to)] that Exchange sent for somebody."""
    return [(mail["what"], mail["to"]) for mail in exchange.ask("GET", f"/dump/{who}")["sent"]]


def event(uid, lines):
    text = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VEVENT", f"UID:{uid}",
            "DTSTAMP:20270101T000000Z", *lines, "END:VEVENT", "END:VCALENDAR", ""]
    return "\r\n".join(text)


path, theirs = calendar_of(gateway), calendar_of(colleague)
status, _, _ = colleague.ask("PUT", theirs + "tb-asked.ics", event("tb-asked", [
    "DTSTART:20270302T090000Z", "DTEND:20270302T100000Z", "SUMMARY:Will you come", f"ORGANIZER:mailto:{COLLEAGUE}",
    f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{COLLEAGUE}", f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{user}"]),
    Content_Type="text/calendar")
check("a colleague invites", status == 201, status)
before_own, before_theirs = len(sent(user)), len(sent(COLLEAGUE))

thunderbird = Thunderbird(user)
try:
    calendar = thunderbird.add_calendar(url + path, user, password)
    members = len(gateway.members(path))
    check(f"all {members} members arrive",
          wait_until(lambda: len(thunderbird.items(calendar)) == members))
    own = thunderbird.run("return calendar(arguments[0]).getProperty('organizerId')", calendar)
    check("it organises as the mailbox's owner", own and own.lower() == f"mailto:{user}", own)
    [automatic, read_only] = thunderbird.properties(calendar, "capabilities.autoschedule.supported", "readOnly")
    check("it finds that the server schedules", automatic is True and not read_only, (automatic, read_only))

    thunderbird.invite(calendar, "tb-meeting", "Planning", "20270310T090000Z", "20270310T100000Z", user, [COLLEAGUE])
    check("the invitation is sent by Exchange once", wait_until(lambda: len(sent(user)) > before_own)
          and [to for _, to in sent(user)[before_own:]] == [[COLLEAGUE]], sent(user)[before_own:])
    guest = exchange.ask("GET", f"/dump/{COLLEAGUE}")
    check("the guest has it", any("Planning" in item["properties"].get("item:Subject", "")
                                  for folder in guest["folders"] for item in folder["items"]))

    answers = len(sent(user))
    answered_as = thunderbird.answer(calendar, "tb-asked", "ACCEPTED")
    check("it finds its user among the attendees", answered_as and answered_as.lower() == f"mailto:{user}", answered_as)
    check("the answer is sent by Exchange once", wait_until(lambda: len(sent(user)) > answers)
          and [to for _, to in sent(user)[answers:]] == [[COLLEAGUE]], sent(user)[answers:])
    seen = wait_until(lambda: b"PARTSTAT=ACCEPTED" in b"".join(
        line for line in colleague.ask("GET", theirs + "tb-asked.ics")[2].replace(b"\r\n ", b"").split(b"\r\n")
        if line.startswith(b"ATTENDEE") and user.encode() in line))
    check("the organiser sees it", seen)

    busy = thunderbird.busy(COLLEAGUE, "20270302T000000Z", "20270303T000000Z")
    check("busy times of a colleague are shown", ["20270302T090000Z", "20270302T100000Z"] in busy, busy)
    thunderbird.refresh(calendar)
    check("after a synchronization all is there still",
          {"tb-meeting", "tb-asked"} <= set(thunderbird.items(calendar)))
    check("nothing was sent twice", len(sent(user)) == before_own + 2 and len(sent(COLLEAGUE)) == before_theirs,
          (sent(user)[before_own:], sent(COLLEAGUE)[before_theirs:]))
    check("its own mail server is asked to send nothing", not thunderbird.mails.received,
          [mail[:300] for mail in thunderbird.mails.received])
except Exception:
    print(thunderbird.log())
    raise
finally:
    thunderbird.stop()
check.finish()
