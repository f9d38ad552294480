#!/usr/bin/env python3
"""curl_session.py GATEWAY CONTROL USER PASSWORD
What a person with curl does first, and what must not leak. EXDAV_DEMO_OUTPUT holds what the demo printed."""
import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request

from checks import Checks, Gateway

gateway_url, control_url, user, password = sys.argv[1:5]
check, gateway = Checks(), Gateway(gateway_url, user, password)
FRESHNESS = 15  # seconds: the default of the settings


def calls():
    with urllib.request.urlopen(control_url + "/stats") as answer:
        stats = json.load(answer)
    # To listen to a mailbox is no answer to a poll.
    return sum(v for k, v in stats.get("operations", stats).items()
               if isinstance(v, int) and k not in ("Subscribe", "Unsubscribe", "GetStreamingEvents"))


printed = re.findall(r"^\s*(curl .*)$", os.environ["EXDAV_DEMO_OUTPUT"], re.M)
check("the demo prints three curl commands", len(printed) == 3, str(printed))
for command in printed:
    done = subprocess.run(shlex.split(command) + ["--silent", "--show-error", "--fail"], capture_output=True, text=True)
    good = done.returncode == 0 and re.search(r"BEGIN:VCALENDAR|BEGIN:VCARD|multistatus", done.stdout)
    check(f"runs as printed: {command[:60]}…", bool(good), done.stderr + done.stdout[:200])

status, headers, text = gateway.ask("GET", "/")
check("GET / helps a person", status == 200 and headers["Content-Type"].startswith("text/plain"), str(status))
for service, mark in (("caldav", "calendar-access"), ("carddav", "addressbook")):
    status, headers, _ = gateway.ask("PROPFIND", f"/.well-known/{service}", Depth="0")
    check(f"/.well-known/{service} redirects", status in (301, 308) and headers["Location"], str(status))
    status, headers, _ = gateway.ask("OPTIONS", "/dav/")
    check(f"OPTIONS announces {mark}", status == 200 and mark in headers["DAV"].replace(" ", "").split(","), str(status))

calendar_home, card_home = gateway.homes()
calendars = gateway.collections(calendar_home, "calendar")
books = gateway.collections(card_home, "addressbook")
check("calendars and task lists are listed", any("VEVENT" in c for _, c in calendars.values())
      and any("VTODO" in c for _, c in calendars.values()), str(calendars))
check("address books are listed", len(books) >= 2, str(books))
check("no collection mixes events and tasks", all(len(c) == 1 for _, c in calendars.values()))

for href in [*calendars, *books]:
    members = gateway.members(href)
    status, headers, whole = gateway.ask("GET", href)
    is_card = href in books
    begin = b"BEGIN:VCARD" if is_card else b"BEGIN:VCALENDAR"
    check(f"GET {href} is one stream", status == 200 and (not members or whole.startswith(begin))
          and (is_card or whole.count(begin) == 1), f"{status} {whole[:80]!r}")
    if is_card:
        check(f"every card of {href} is in it", whole.count(begin) == len(members), f"{whole.count(begin)} {len(members)}")
    status, _, _ = gateway.ask("GET", href, If_None_Match=headers["ETag"])
    check(f"GET {href} again is 304", status == 304, str(status))
    for member, etag in list(members.items())[:3]:
        status, headers, body = gateway.ask("GET", member)
        check(f"GET {member[-40:]}", status == 200 and headers["ETag"] == etag and body.endswith(b"\r\n"), str(status))
        status, _, body = gateway.ask("GET", member, If_None_Match=etag)
        check(f"  unchanged is 304", status == 304 and not body, str(status))
        status, headers, body = gateway.ask("HEAD", member)
        check(f"  HEAD is GET without body", status == 200 and headers["ETag"] == etag and not body, str(status))
        status, headers, body = gateway.ask("GET", member, Accept_Encoding="gzip")
        check(f"  gzip when asked for and worth it", status == 200 and (headers["Content-Encoding"] == "gzip"
              or len(body) < 1024), str(headers["Content-Encoding"]))

gateway.filled()
before, began = calls(), time.monotonic()
for _ in range(20):
    for href in [*calendars, *books]:
        gateway.propfind(href, [("http://calendarserver.org/ns/", "getctag"), ("DAV:", "sync-token")])
spent, windows = calls() - before, 1 + int((time.monotonic() - began) / FRESHNESS)
check("20 unchanged polls of every collection ask Exchange at most twice in each freshness window", spent <= 2 * windows,
      f"{spent} in {windows}")

for name, authorization, path, expected in (
        ("no password", "", calendar_home, {401}),
        ("a wrong password", Gateway(gateway_url, user, "wrong").authorization, calendar_home, {401}),
        ("an unknown user", Gateway(gateway_url, "nobody@example.com", password).authorization, calendar_home, {401})):
    status, headers, body = gateway.ask("PROPFIND", path, authorization=authorization, Depth="1")
    check(f"{name} is refused", status in expected, str(status))
    if status == 401:
        check("  and asked for", headers["WWW-Authenticate"].startswith("Basic "))
    check("  and nothing leaks", b"BEGIN:" not in body and b"getetag" not in body and b"displayname>" not in body, body[:200])
# Exchange shows everybody when a colleague is busy, and nothing else.
status, headers, body = gateway.ask("GET", card_home.replace("demo", "demo2") + "contacts/")
check("a colleague's contacts are not there", status in (403, 404), str(status))
status, headers, body = gateway.ask("GET", calendar_home.replace("demo", "demo2") + "calendar/")
told = {line.split(b":")[0].split(b";")[0] for line in body.replace(b"\r\n ", b"").split(b"\r\n")}
check("of a colleague's calendar busy times are shown", status == 200 and b"BEGIN:VEVENT" in body, str(status))
check("  and nothing else leaks", not told & {b"LOCATION", b"DESCRIPTION", b"ATTENDEE", b"ORGANIZER", b"ATTACH", b"CATEGORIES"}
      and body.count(b"SUMMARY:Busy\r\n") == body.count(b"SUMMARY:") == body.count(b"UID:busy-"), body[:300])
check.finish()
