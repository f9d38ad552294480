"""What clients of the campaign write: each text says by itself whose it is and which version."""
import base64
import re

USER, GUEST = "demo@example.com", "demo2@example.com"
CALENDAR, CONTACTS, TASKS = "calendar", "contacts", "tasks"
UID = re.compile(r"c\d+-\d+")


def event(uid, version, shape, decision, location=""):
    day = f"202612{decision.day:02d}"
    more, override = "", ""
    if shape == "attached":
        content = base64.b64encode(f"{uid} {version}".encode()).decode()
        more = f"ATTACH;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=text/plain;FILENAME={uid}-{version}.txt:{content}\r\n"
    if shape == "series":
        more = f"RRULE:FREQ=DAILY;COUNT=8\r\nEXDATE:{int(day) + decision.exdate}T090000Z\r\n"
        place = f"LOCATION:{location}\r\n" if location else ""
        override = (f"BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:{int(day) + 3}T090000Z\r\n"
                    f"DTSTART:{int(day) + 3}T110000Z\r\nDTEND:{int(day) + 3}T120000Z\r\nSUMMARY:moved {version}\r\n{place}"
                    "END:VEVENT\r\n")
    if shape == "meeting":
        more = (f"ORGANIZER:mailto:{USER}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{USER}\r\n"
                f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{GUEST}\r\n")
    if location:
        more += f"LOCATION:{location}\r\n"
    return (f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//campaign//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
            f"DTSTAMP:20260101T000000Z\r\nDTSTART:{day}T090000Z\r\nDTEND:{day}T100000Z\r\nSUMMARY:{version}\r\n{more}"
            f"X-CAMPAIGN:{version}\r\nEND:VEVENT\r\n{override}END:VCALENDAR\r\n")


def task(uid, version):
    return (f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//campaign//EN\r\nBEGIN:VTODO\r\nUID:{uid}\r\n"
            f"DTSTAMP:20260101T000000Z\r\nSUMMARY:{version}\r\nX-CAMPAIGN:{version}\r\nEND:VTODO\r\nEND:VCALENDAR\r\n")


def card(uid, version):
    return (f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{version}\r\nN:Doe;{version};;;\r\n"
            f"EMAIL;TYPE=HOME:{uid}@example.org\r\nX-CAMPAIGN:{version}\r\nEND:VCARD\r\n")


def written(kind, uid, version, shape, decision, location=""):
    if kind == CALENDAR:
        return event(uid, version, shape, decision, location)
    return (card if kind == CONTACTS else task)(uid, version)


def lines(body):
    """Unfolded."""
    return re.sub(r"\r?\n[ \t]", "", body).replace("\r\n", "\n").split("\n")


def location(body):
    """Where an event takes place, its changed occurrences aside."""
    for component in "\n".join(lines(body)).split("BEGIN:VEVENT")[1:]:
        if "\nRECURRENCE-ID" not in component:
            found = re.search(r"(?m)^LOCATION(?:;[^:]*)?:(.*)$", component)
            return found[1] if found else ""
    return ""


def answered(body, status):
    """An invitation with the guest's answer, and whether that is another than before."""
    changed, found = False, []
    for line in lines(body):
        name, colon, value = line.partition(":")
        if name.split(";")[0] == "ATTENDEE" and value.lower() == f"mailto:{GUEST}":
            others = [p for p in name.split(";") if not p.startswith(("PARTSTAT=", "RSVP="))]
            changed = changed or f"PARTSTAT={status}" not in name.split(";")
            line = ";".join([*others, f"PARTSTAT={status}"]) + colon + value
        found.append(line)
    return "\r\n".join(found), changed
