#!/usr/bin/env python3
"""write_session.py GATEWAY EWS CONTROL USER PASSWORD
What a CalDAV client writes is what a colleague sees in Exchange, and nothing is lost or doubled when connections
break: PUT and DELETE through the gateway, exchangelib reads back from Exchange itself."""
import datetime as dt
import json
import os
import subprocess
import sys

from checks import Checks, Gateway
from programs import Control

gateway_url, ews, control_url, user, password = sys.argv[1:6]
check, gateway, control = Checks(), Gateway(gateway_url, user, password), Control(control_url)
TYPE = "text/calendar; charset=utf-8"
day = dt.date.today() + dt.timedelta(days=(7 - dt.date.today().weekday()) + 7)  # a Monday

# Reads the items with a subject from Exchange, or changes one, as a colleague's program would.
COLLEAGUE = r'''
import json, sys
from exchangelib import Account, Configuration, Credentials, DELEGATE
from exchangelib.items import SEND_TO_NONE
import os
ews, user, password, action, folder, subject = sys.argv[1:7]
auth = os.environ.get("EXDAV_COLLEAGUE_AUTH", "basic")
password = os.environ.get("EXDAV_COLLEAGUE_PASSWORD", password)
user_name = "EXAMPLE\\" + user.split("@")[0] if auth == "NTLM" else user
account = Account(user, credentials=Credentials(user_name, password), access_type=DELEGATE, autodiscover=False,
                  config=Configuration(service_endpoint=ews, credentials=Credentials(user_name, password), auth_type=auth))
folder = {"calendar": account.calendar, "tasks": account.tasks, "contacts": account.contacts}[folder]
items = [i for i in folder.all() if str(getattr(i, "subject", None) or getattr(i, "display_name", None)) == subject]
if action == "rename":
    items[0].subject = sys.argv[7]
    items[0].save(update_fields=["subject"], send_meeting_invitations=SEND_TO_NONE)
def shown(item):
    found = {"uid": getattr(item, "uid", None), "body": str(getattr(item, "text_body", "") or "")}
    for name in ("start", "end"):
        if getattr(item, name, None) is not None:
            found[name] = getattr(item, name).isoformat()
    for name in ("location", "legacy_free_busy_status", "reminder_minutes_before_start", "is_all_day", "sensitivity",
                 "status", "percent_complete", "importance"):
        value = getattr(item, name, None)
        found[name] = str(value) if value is not None else None
    found["categories"] = sorted(getattr(item, "categories", None) or [])
    recurrence = getattr(item, "recurrence", None)
    found["pattern"] = type(recurrence.pattern).__name__ if recurrence else None
    found["modified"] = sorted([o.start.isoformat() for o in getattr(item, "modified_occurrences", None) or []])
    found["deleted"] = len(getattr(item, "deleted_occurrences", None) or [])
    found["files"] = {file.name: file.content.decode() for file in item.attachments or []}
    return found
print(json.dumps([shown(i) for i in items]))
'''


def colleague(action, folder, subject, *more):
    command = [os.environ["EXDAV_EXCHANGELIB_PYTHON"], "-c", COLLEAGUE, ews, user, password, action, folder, subject]
    done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(done.stderr[-900:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def calendar_object(*components):
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//session//EN", *components, "END:VCALENDAR", ""]
    return "\r\n".join(lines)


def event(uid, title, *more, start="090000", end="100000"):
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"DTSTART:{day:%Y%m%d}T{start}Z",
                        f"DTEND:{day:%Y%m%d}T{end}Z", f"SUMMARY:{title}", *more, "END:VEVENT"])


def put(name, body, **conditions):
    status, headers, text = gateway.ask("PUT", calendar + name, body, Content_Type=TYPE, **conditions)
    return status, headers, text


calendar_home, _ = gateway.homes()
listed = gateway.collections(calendar_home, "calendar")
calendar = next(h for h in listed if h.endswith("/calendar/"))
tasks = next(h for h in listed if h.endswith("/tasks/"))
gateway.members(calendar)
gateway.members(tasks)

# A single event, with what Exchange knows and what it does not.
rich = calendar_object(event(
    "ws-single", "written single", "LOCATION:Room 9", "DESCRIPTION:Line one\\nLine two", "CATEGORIES:Team,Travel",
    "TRANSP:TRANSPARENT", "CLASS:PRIVATE", "X-MOZ-GENERATION:3", "COMMENT;X-OWN=1:kept",
    "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Soon\r\nTRIGGER:-PT30M\r\nEND:VALARM"))
control.reset()
status, headers, text = put("ws-single.ics", rich, If_None_Match="*")
calls = control.calls()
check("PUT of a new event", status == 201, f"{status} {text[:200]!r}")
check("costs one CreateItem", calls.get("CreateItem") == 1, str(calls))
[seen] = check("a colleague sees it once", lambda: (lambda s: s if len(s) == 1 else None)(
    colleague("read", "calendar", "written single"))) or [{}]
check("  at its time", seen.get("start", "").startswith(f"{day}T09:00:00"), str(seen))
check("  in its place", seen.get("location") == "Room 9", str(seen))
check("  with its categories", seen.get("categories") == ["Team", "Travel"], str(seen))
check("  free and private", (seen.get("legacy_free_busy_status"), seen.get("sensitivity")) == ("Free", "Private"), str(seen))
check("  with its reminder", seen.get("reminder_minutes_before_start") == "30", str(seen))
check("  under its UID", seen.get("uid") == "ws-single", str(seen))
status, headers, text = gateway.ask("GET", calendar + "ws-single.ics")
check("GET gives every line back", status == 200 and all(line in text.decode() for line in (
    "X-MOZ-GENERATION:3", "COMMENT;X-OWN=1:kept", "TRIGGER:-PT30M")), text.decode()[:900])
etag = headers["ETag"]

# A colleague's change: seen, kept apart from ours, and it makes our old tag stale.
check("a colleague renames it", lambda: colleague("rename", "calendar", "written single", "renamed") is not None)
status, _, _ = put("ws-single.ics", rich, If_Match=etag)
check("our old ETag is stale against what Exchange holds now", status == 412, str(status))
status, headers, text = gateway.ask("GET", calendar + "ws-single.ics")
check("after it we read the new title", b"SUMMARY:renamed" in text, text[:600])
check("  and still what Exchange cannot hold", b"X-MOZ-GENERATION:3" in text and b"COMMENT" in text, text[:900])
control.reset()
status, _, text = put("ws-single.ics", rich.replace("Room 9", "Room 10"), If_Match=headers["ETag"])
calls = control.calls()
check("with the new ETag it can be replaced", status == 204, f"{status} {text[:200]!r}")
check("costs one UpdateItem", calls.get("UpdateItem") == 1 and "CreateItem" not in calls, str(calls))
[seen] = colleague("read", "calendar", "written single") or [{}]
check("the colleague sees the new place", seen.get("location") == "Room 10", str(seen))

# A file by itself: added, replaced, fetched with the same password alone, taken away.
def attach(query, name, content):
    return gateway.ask("POST", f"{calendar}ws-single.ics?{query}", content, Content_Type="text/plain",
                       Content_Disposition=f'attachment;filename="{name}"')


def hanging():
    [seen] = colleague("read", "calendar", "written single") or [{}]
    return seen.get("files")


status, headers, text = attach("action=attachment-add", "agenda.txt", "1. Welcome")
managed, link = headers.get("Cal-Managed-ID"), headers.get("Location", "")
check("POST of a file", status == 201 and managed, f"{status} {text[:200]!r}")
check("  the colleague sees it", hanging() == {"agenda.txt": "1. Welcome"}, str(hanging()))
_, _, text = gateway.ask("GET", calendar + "ws-single.ics")
check("  the event names it", f"MANAGED-ID={managed}" in text.decode().replace("\r\n ", ""), text.decode()[:900])
status, _, text = attach(f"action=attachment-update&managed-id={managed}", "agenda.txt", "2. Lunch")
check("replaced", status == 204, f"{status} {text[:200]!r}")
check("  the colleague sees the new one", hanging() == {"agenda.txt": "2. Lunch"}, str(hanging()))
_, _, text = gateway.ask("GET", calendar + "ws-single.ics")
lines = text.decode().replace("\r\n ", "").splitlines()
[line] = [line for line in lines if line.startswith("ATTACH")] or [""]
path = "/" + line.partition("://")[2].partition("/")[2]
check("  its link gives it", gateway.ask("GET", path)[2] == b"2. Lunch", line)
check("  but not without password", gateway.ask("GET", path, authorization="")[0] == 401, path)
managed = line.partition("MANAGED-ID=")[2].partition(";")[0].partition(":")[0]
status, _, text = gateway.ask("POST", f"{calendar}ws-single.ics?action=attachment-remove&managed-id={managed}")
check("taken away", status == 204, f"{status} {text[:200]!r}")
check("  the colleague sees none", hanging() == {}, str(hanging()))

# A series with a moved and a removed occurrence.
series = calendar_object(
    event("ws-series", "written series", "RRULE:FREQ=WEEKLY;COUNT=6", f"EXDATE:{day + dt.timedelta(days=14):%Y%m%d}T090000Z"),
    "\r\n".join(["BEGIN:VEVENT", "UID:ws-series", "DTSTAMP:20260101T000000Z",
                 f"RECURRENCE-ID:{day + dt.timedelta(days=7):%Y%m%d}T090000Z",
                 f"DTSTART:{day + dt.timedelta(days=8):%Y%m%d}T110000Z", f"DTEND:{day + dt.timedelta(days=8):%Y%m%d}T120000Z",
                 "SUMMARY:written series moved", "END:VEVENT"]))
status, _, text = put("ws-series.ics", series, If_None_Match="*")
check("PUT of a series with exceptions", status == 201, f"{status} {text[:300]!r}")
[seen] = colleague("read", "calendar", "written series") or [{}]
check("the colleague sees a weekly series", seen.get("pattern") == "WeeklyPattern", str(seen))
check("  with one moved occurrence", seen.get("modified", []) and len(seen["modified"]) == 1
      and seen["modified"][0].startswith(f"{day + dt.timedelta(days=8)}T11:00:00"), str(seen))
check("  and one removed", seen.get("deleted") == 1, str(seen))
status, _, text = gateway.ask("GET", calendar + "ws-series.ics")
check("it reads back with override and EXDATE", text.count(b"BEGIN:VEVENT") == 2 and b"EXDATE" in text, text[:900])

# A task.
todo = calendar_object("\r\n".join(["BEGIN:VTODO", "UID:ws-task", "DTSTAMP:20260101T000000Z", "SUMMARY:written task",
                                    f"DUE;VALUE=DATE:{day:%Y%m%d}", "PERCENT-COMPLETE:40", "STATUS:IN-PROCESS", "END:VTODO"]))
status, _, text = gateway.ask("PUT", tasks + "ws-task.ics", todo, Content_Type=TYPE, If_None_Match="*")
check("PUT of a task", status == 201, f"{status} {text[:200]!r}")
[seen] = colleague("read", "tasks", "written task") or [{}]
check("the colleague sees it begun", seen.get("status") == "InProgress" and float(seen.get("percent_complete") or 0) == 40, str(seen))

# Connections that break: before and after Exchange did the work, and a busy server. The client tries again.
for kind in ("drop-before", "drop-after", "busy"):
    uid = f"ws-{kind}"
    body = calendar_object(event(uid, f"written {kind}"))
    control.ask("POST", "/faults", [{"kind": kind, "operation": "CreateItem", "times": 1, "wait": 1}])
    statuses = [put(f"{uid}.ics", body, If_None_Match="*")[0]]
    control.ask("POST", "/faults", [])
    if statuses[0] >= 500:
        statuses.append(put(f"{uid}.ics", body, If_None_Match="*")[0])
    check(f"{kind} while creating: it ends well", statuses[-1] in (201, 204, 412) and (len(statuses) == 1 or statuses[0] >= 500), str(statuses))
    found = colleague("read", "calendar", f"written {kind}")
    check("  and the event is there exactly once", len(found) == 1, f"{len(found)} after {statuses}")
    status, headers, _ = gateway.ask("GET", calendar + f"{uid}.ics")
    check("  under the client's name", status == 200, str(status))
    changed = calendar_object(event(uid, f"changed {kind}"))
    control.ask("POST", "/faults", [{"kind": kind, "operation": "UpdateItem", "times": 1, "wait": 1}])
    statuses = [put(f"{uid}.ics", changed)[0]]
    control.ask("POST", "/faults", [])
    if statuses[0] >= 500:
        statuses.append(put(f"{uid}.ics", changed)[0])
    check(f"{kind} while changing: it ends well", statuses[-1] in (201, 204), str(statuses))
    check("  and Exchange has the change once", len(colleague("read", "calendar", f"changed {kind}")) == 1)
    control.ask("POST", "/faults", [{"kind": kind, "operation": "DeleteItem", "times": 1, "wait": 1}])
    statuses = [gateway.ask("DELETE", calendar + f"{uid}.ics")[0]]
    control.ask("POST", "/faults", [])
    if statuses[0] >= 500:
        statuses.append(gateway.ask("DELETE", calendar + f"{uid}.ics")[0])
    check(f"{kind} while removing: it ends well", statuses[-1] in (204, 404), str(statuses))
    check("  and it is gone", colleague("read", "calendar", f"changed {kind}") == [])

# What was made is removed again.
control.reset()
status, _, _ = gateway.ask("DELETE", calendar + "ws-single.ics")
calls = control.calls()
check("DELETE", status == 204, str(status))
# On a slow machine the freshness window may be over by now: the calendar is looked at once more, and listened to.
LOOKS = {"GetFolder", "SyncFolderItems", "SyncFolderHierarchy", "Subscribe", "GetStreamingEvents"}
# What the look finds changed is read.
LOOKS |= {"GetItem"} if "SyncFolderItems" in calls else set()
work = {name: count for name, count in calls.items() if name not in LOOKS}
check("costs one DeleteItem", work == {"DeleteItem": 1}, str(calls))
check("DELETE of the series", gateway.ask("DELETE", calendar + "ws-series.ics")[0] == 204)
check("DELETE of the task", gateway.ask("DELETE", tasks + "ws-task.ics")[0] == 204)
check("the colleague sees none of them", lambda: [] == colleague("read", "calendar", "written single")
      + colleague("read", "calendar", "written series") + colleague("read", "tasks", "written task"))
check.finish()
