#!/usr/bin/env python3
"""caldav_session.py GATEWAY EWS USER PASSWORD
python-caldav: discovery, searches with and without expansion, sync tokens."""
import datetime as dt
import os
import sys

import caldav
from checks import Checks

gateway, _, user, password = sys.argv[1:5]
check = Checks()
UTC = dt.timezone.utc
now = dt.datetime.now(UTC)

with caldav.DAVClient(url=gateway, username=user, password=password,
                      ssl_verify_cert=os.environ.get("EXDAV_CA", True)) as client:
    principal = check("principal", client.principal)
    calendars = check("calendars", principal.calendars) or []
    check("every calendar has a name", lambda: all(c.get_display_name() for c in calendars))
    kinds = {c: c.get_supported_components() for c in calendars}
    events = [c for c, k in kinds.items() if "VEVENT" in k]
    tasks = [c for c, k in kinds.items() if "VTODO" in k]
    check("calendars and task lists", lambda: len(events) >= 2 and len(tasks) >= 1)
    calendar = events[0]
    everything = check("all events", calendar.events) or []
    check("there are many", len(everything) > 50, str(len(everything)))
    check("each parses", lambda: all(e.icalendar_component["UID"] for e in everything))

    year = (now - dt.timedelta(days=180), now + dt.timedelta(days=180))
    month = (now, now + dt.timedelta(days=30))
    hits = check("a month", lambda: calendar.search(event=True, start=month[0], end=month[1])) or []
    instances = check("a month, expanded here by the server",
                      lambda: calendar.search(event=True, start=month[0], end=month[1], server_expand=True)) or []
    at_home = check("a month, expanded by the client",
                    lambda: calendar.search(event=True, start=month[0], end=month[1], expand=True)) or []

    def starts(objects):
        found = set()
        for item in objects:
            for part in item.icalendar_instance.walk("VEVENT"):
                start = part["DTSTART"].dt
                if isinstance(start, dt.datetime) and start.tzinfo:
                    start = start.astimezone(UTC)
                found.add((str(part["UID"]), str(start)))
        return found

    check("the month has series", lambda: len(starts(instances)) > len(hits))
    # The library asks the server for a day more at both ends.
    def within(found):
        lower, upper = (str(moment) for moment in month)
        return {(uid, start) for uid, start in found if lower <= start < upper}

    check("server and client expand to the same instances", within(starts(instances)) == within(starts(at_home)) != set(),
          str(sorted(within(starts(instances)) ^ within(starts(at_home)))[:6]))
    check("expanded components carry no rule", lambda: all("RRULE" not in i.data for i in instances))
    check("a year finds more than a month", lambda: len(calendar.search(event=True, start=year[0], end=year[1])) > len(hits))
    first = everything[0].icalendar_component
    check("search by UID", lambda: calendar.event_by_uid(str(first["UID"])).icalendar_component["UID"] == first["UID"])
    title = str(first["SUMMARY"])
    check("search by text", lambda: any(str(e.icalendar_component["SUMMARY"]) == title
                                        for e in calendar.search(event=True, summary=title)))
    check("free/busy", lambda: "FREEBUSY" in calendar.freebusy_request(month[0], month[1]).data)

    state = check("objects by sync token", calendar.objects_by_sync_token)
    check("the first answer is everything", lambda: len(list(state)) == len(everything))
    again = check("nothing changed since", lambda: calendar.objects_by_sync_token(state.sync_token))
    check("so nothing comes", lambda: len(list(again)) == 0)
    check("open tasks", lambda: len(tasks[0].todos()) > 0)
    check("all tasks", lambda: len(tasks[0].todos(include_completed=True)) > len(tasks[0].todos()))
check.finish()
