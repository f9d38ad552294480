#!/usr/bin/env python3
"""davmail_session.py EWS USER PASSWORD
DavMail, another gateway, before the simulated Exchange: a CalDAV client lists and reads events through it."""
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from checks import Checks, Gateway
from programs import davmail

ews, user, password = sys.argv[1:4]
check = Checks()
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
folder = tempfile.mkdtemp(prefix="davmail-")
process = davmail(folder, ews, port, level="WARN")


def answers():
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("OPTIONS", "/")
        connection.getresponse().read()
        return True
    except OSError:
        return False


try:
    end = time.monotonic() + 180
    while not answers() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    check("DavMail runs", process.poll() is None)
    client = Gateway(f"http://127.0.0.1:{port}", user, password)
    status, _, text = client.ask("PROPFIND", f"/users/{user}/calendar/", '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>',
                                  Depth="1", Content_Type="application/xml")
    hrefs = [h.decode() for h in re.findall(rb"href>([^<]+)</", text) if h.upper().endswith(b".EML")]
    check("it lists the calendar", status == 207 and len(hrefs) > 100, f"{status} {len(hrefs)} {text[300:900]!r}")
    read = 0
    for href in hrefs[:25]:
        status, _, event = client.ask("GET", href)
        read += status == 200 and b"BEGIN:VCALENDAR" in event and b"DTSTART" in event
    check("it reads 25 events", read == 25, str(read))
    body = ('<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data/></D:prop>'
            + "".join(f"<D:href>{h}</D:href>" for h in hrefs[:10]) + "</C:calendar-multiget>")
    status, _, text = client.ask("REPORT", f"/users/{user}/calendar/", body, Depth="1", Content_Type="application/xml")
    check("a multiget of ten", status == 207 and text.count(b"BEGIN:VEVENT") >= 10, f"{status} {text[:200]!r}")
    status, _, text = client.ask("PROPFIND", f"/users/{user}/contacts/", '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>',
                                  Depth="1", Content_Type="application/xml")
    check("it lists the contacts", status == 207 and text.count(b"getetag>") > 100, f"{status} {text[:200]!r}")
    status, _, _ = client.ask("PROPFIND", f"/users/{user}/calendar/", authorization=Gateway(ews, user, "wrong").authorization)
    check("a wrong password is refused", status == 401, str(status))
    if check.failed:
        with open(f"{folder}/davmail.log", encoding="utf-8", errors="replace") as log:
            print(log.read()[-4000:])
finally:
    process.kill()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)
check.finish()
