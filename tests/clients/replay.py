#!/usr/bin/env python3
"""replay.py GATEWAY USER PASSWORD
Requests that real programs sent, one file each, against a running gateway: its answers must be what these
programs need. They lie in $EXDAV_SHARED/clients/<program>/NN-….http (or $EXDAV_REPLAY); without that folder it
says so. Requests that write are sent after all that read, in the order of their files, and undone after each program."""
import base64
import collections
import http.client
import os
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import urlsplit

from checks import DAV, Checks, Gateway

READING = {"OPTIONS", "GET", "HEAD", "PROPFIND", "REPORT"}
WRITING = {"PUT", "DELETE", "PROPPATCH", "MKCALENDAR", "MKCOL"}
# What is not built yet is counted, not sent.
LATER = {
    "/feed/": "secret feeds",
    "/dav/directory/": "the directory as an address book",
    "/robots.txt": "secret feeds",
}
# Answers that are right though they are neither 200 nor 207; the reason beside each.
EXPECTED = {
    "macos/21-PROPFIND-notification-list": (404, "there are no notifications"),
    "macos/23-PROPFIND-proxy-principal": (404, "another user's principal"),
    "macos/24-REPORT-home-sync-collection": (403, "not in the home's supported-report-set"),
    "evolution/05-PROPFIND-discover-notes": (404, "no notes"),
}


class Recorded:
    """One recorded request."""

    def __init__(self, file):
        self.name = f"{file.parent.name}/{file.stem}"
        head, _, self.body = file.read_bytes().replace(b"\r\n\r\n", b"\n\n", 1).partition(b"\n\n")
        lines = head.decode("utf-8").replace("\r\n", "\n").split("\n")
        self.method, self.path, _ = lines[0].split(" ")
        self.fields = [line.split(":", 1) for line in lines[1:] if ":" in line]
        self.fields = [(name.strip(), value.strip()) for name, value in self.fields]

    def field(self, wanted):
        return next((value for name, value in self.fields if name.lower() == wanted), None)

    def is_signed(self):
        return self.field("authorization") is not None


class Stage:
    """The gateway with what fills the placeholders."""

    def __init__(self, url, user, password):
        self.gateway, self.user = Gateway(url, user, password), user
        self.calendars, self.books = self.gateway.homes()
        self.principal = self.calendars.replace("/dav/cal/", "/dav/principals/")
        self.segment = self.calendars.strip("/").split("/")[-1]
        self.collections = {
            "calendar": self.calendars + "calendar/", "tasks": self.calendars + "tasks/",
            "contacts": self.books + "contacts/",
        }
        self.members = {name: list(self.gateway.members(href).items()) for name, href in self.collections.items()}
        self.tokens = {name: self.gateway.propfind(href, [("DAV:", "sync-token")])[href][DAV + "sync-token"].text
                       for name, href in self.collections.items()}

    def kind(self, path):
        """Which of our collections a recorded path means."""
        if "people" in path or "/card/" in path:
            return "contacts"
        return "tasks" if "/tasks/" in path else "calendar"

    def place(self, recorded, path):
        """A recorded path on this gateway."""
        path = path.replace("/alice%40example.test/", f"/{self.user.replace('@', '%40')}/")
        path = re.sub(r"^/dav/(principals|cal|card)/alice/", rf"/dav/\1/{self.segment}/", path)
        path = path.replace("/calendar/dav/alice/", f"/calendar/dav/{self.user}/")
        if path == "/user/":  # the recorded server's user is principal and home in one
            if recorded.field("depth") != "1":
                return self.principal
            return self.books if b"addressbook" in recorded.body or b"carddav" in recorded.body else self.calendars
        path = path.replace("/user/work/", self.collections["calendar"])
        return path.replace("/user/people/", self.collections["contacts"])

    def fill(self, recorded):
        """Path, headers and body as they are sent here."""
        kind = self.kind(recorded.path)
        members = self.members[kind]
        path = self.place(recorded, recorded.path)
        if recorded.method in ("GET", "HEAD") and re.search(r"\.(ics|vcf)$", path) and members:
            path = members[0][0]  # the recorded member is not in this mailbox
        text = recorded.body.decode("utf-8")
        known = {"SYNC_TOKEN": self.tokens[kind], "ETAG": members[0][1], "HOME_SYNC_TOKEN": self.tokens[kind],
                 "SCHEDULE_TAG": '"x"'}
        for number, (href, _) in enumerate(members[:9], 1):
            known[f"HREF_{number}"] = href
        known["HREF_n"] = members[-1][0]
        for name, value in known.items():
            text = text.replace("{{%s}}" % name, value)
        # Tokens and members of the recorded server.
        text = re.sub(r"(sync-token[^>]*>)(?!urn:exdav)[^<\s]+(</)", lambda m: m[1] + self.tokens[kind] + m[2], text)
        hrefs = iter(members)
        text = re.sub(r"(href[^>]*>)/(?:user|dav/(?:cal|card)/alice)/[^<]+(</)",
                      lambda m: m[1] + next(hrefs, members[-1])[0] + m[2], text)
        fields = []
        for name, value in recorded.fields:
            if name.lower() in ("host", "content-length", "connection"):
                continue
            if name.lower() == "authorization":
                value = self.gateway.authorization
                if "%40" in recorded.path:
                    login = f"{self.user.replace('@', '%40')}:{sys.argv[3]}"
                    value = "Basic " + base64.b64encode(login.encode()).decode()
            for placeholder, filled in known.items():
                value = value.replace("{{%s}}" % placeholder, filled)
            fields.append((name, value))
        return path, fields, text.encode("utf-8")

    def send(self, method, path, fields, body):
        connection = http.client.HTTPConnection(self.gateway.url.hostname, self.gateway.url.port, timeout=60)
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in fields:
            if name.lower() not in ("accept-encoding", "expect"):  # http.client can do neither
                connection.putheader(name, value)
        if body or method in ("PUT", "POST"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, answer.headers, text


def expected(recorded):
    """The status that the program needs."""
    if recorded.name in EXPECTED:
        return EXPECTED[recorded.name][0]
    if recorded.method == "OPTIONS":
        return 200
    if recorded.path.startswith(("/.well-known/caldav", "/.well-known/carddav", "/calendar/dav/")):
        return 301
    if not recorded.is_signed():
        return 401
    if recorded.method in ("GET", "HEAD") or b"free-busy-query" in recorded.body:
        return 200
    return 200 if b"principal-search-property-set" in recorded.body else 207


def multistatus_faults(recorded, path, fields, body, text):
    """What a program would stumble over in a 207."""
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        return [f"no XML: {error}"]
    faults = []
    responses = root.findall(DAV + "response")
    minimal = any(name.lower() == "brief" or "return=minimal" in value for name, value in fields)
    for response in responses:
        href = response.findtext(DAV + "href")
        if not re.fullmatch(r"(/[A-Za-z0-9._~%-]*)+", href or ""):
            faults.append(f"href {href}")
        statuses = [p.findtext(DAV + "status") for p in response.findall(DAV + "propstat")]
        if statuses not in (["HTTP/1.1 200 OK"], ["HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found"],
                            ["HTTP/1.1 404 Not Found"], []):
            faults.append(f"propstats of {href}: {statuses}")
        if minimal and "HTTP/1.1 404 Not Found" in statuses:
            faults.append(f"{href} lists what is missing though minimal was asked for")
        if not statuses and response.findtext(DAV + "status") is None:
            faults.append(f"{href} has no status")
    if recorded.method == "PROPFIND" and (not responses or responses[0].findtext(DAV + "href").strip("/") != path.strip("/")
                                          and "%40" not in path):
        faults.append("the first response is not the resource itself")
    asked = len(ET.fromstring(body).findall(DAV + "href")) if b"-multiget" in body else 0
    if b"-multiget" in body and len(responses) != asked:
        faults.append(f"{len(responses)} responses for {asked} hrefs")
    if b"-multiget" in body and any(r.findtext(DAV + "status") for r in responses):
        faults.append("a member that is listed is not there")
    if b"sync-collection" in body and not root.findtext(DAV + "sync-token"):
        faults.append("no sync-token")
    if recorded.method == "PROPFIND" or b"multiget" in body:
        for response in responses:
            for propstat in response.findall(DAV + "propstat"):
                if " 200 " in propstat.findtext(DAV + "status") and len(propstat.find(DAV + "prop")) == 0 and not minimal:
                    faults.append(f"{response.findtext(DAV + 'href')}: an empty 200")
    return faults


class Writer:
    """Sends what one program writes, on objects that it made itself here."""

    def __init__(self, stage):
        self.stage, self.made, self.moved = stage, [], {}

    def place(self, recorded):
        """Tasks have a collection of their own here; the recorded servers mixed them with events."""
        path = self.stage.place(recorded, recorded.path)
        if b"BEGIN:VTODO" in recorded.body:
            self.moved[path] = path.replace(self.stage.collections["calendar"], self.stage.collections["tasks"])
        return self.moved.get(path, path)

    def send(self, recorded):
        """(status, answer, expected statuses), or why it is not sent."""
        if re.search(rb"\{\{(?!BASIC|ETAG|SCHEDULE_TAG)", recorded.body) or "{{" in recorded.path:
            return "needs what another program made"
        path = self.place(recorded)
        is_new = path not in self.made
        if not is_new and recorded.field("if-none-match"):  # another program's way to make the same
            self.stage.gateway.ask("DELETE", path)
            self.made.remove(path)
            is_new = True
        _, fields, body = self.stage.fill(recorded)
        conditional = [name for name, _ in fields if name.lower() in ("if-match", "if-schedule-tag-match")]
        if is_new and (conditional or recorded.method == "DELETE"):
            return "needs what another program made"
        if not is_new and recorded.method == "PUT":
            status, headers, _ = self.stage.gateway.ask("GET", path)
            tags = {"if-match": headers.get("ETag"), "if-schedule-tag-match": headers.get("Schedule-Tag")}
            fields = [(n, tags.get(n.lower(), v)) for n, v in fields if tags.get(n.lower(), v) is not None]
        elif recorded.method == "DELETE":
            fields = [(n, v) for n, v in fields if n.lower() != "if-match"]
        status, _, text = self.stage.send(recorded.method, path, fields, body)
        if status in (201, 204) and recorded.method in ("PUT", "MKCALENDAR", "MKCOL") and is_new:
            self.made.append(path)
        if recorded.method == "DELETE":
            self.made.remove(path)
        expected = {"PUT": {201} if is_new else {204}, "DELETE": {204}, "PROPPATCH": {204, 207}}
        return status, text, expected.get(recorded.method, {201})

    def undo(self):
        for path in reversed(self.made):
            self.stage.gateway.ask("DELETE", path)


def replay_writes(check, stage, files, later):
    """All that writes, program by program."""
    programs = collections.defaultdict(list)
    for file in files:
        recorded = Recorded(file)
        if recorded.method in WRITING and recorded.is_signed() and recorded.path != "/":
            programs[file.parent.name].append(recorded)
    for requests in programs.values():
        writer = Writer(stage)
        for recorded in requests:
            outcome = writer.send(recorded)
            if isinstance(outcome, str):
                later[outcome] += 1
                continue
            status, text, expected = outcome
            check(recorded.name, status in expected, f"{status} instead of {expected}: {text[:400]!r}")
        writer.undo()


def main():
    check = Checks()
    shared = Path(os.environ.get("EXDAV_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    folder = Path(os.environ.get("EXDAV_REPLAY", shared / "clients"))
    files = sorted(folder.glob("*/*.http"))
    if not files:
        print(f"there are no recorded requests in {folder}: set EXDAV_REPLAY")
        check("the gateway answers", lambda: Gateway(*sys.argv[1:4]).homes())
        check.finish()
    stage = Stage(*sys.argv[1:4])
    later = collections.Counter()
    for recorded in map(Recorded, files):
        reason = next((why for part, why in LATER.items() if recorded.path.startswith(part)), None)
        root_put = recorded.method == "PUT" and recorded.path == "/"
        if reason or (recorded.method not in READING and not root_put):
            if reason or recorded.method not in WRITING:
                later[reason or recorded.method] += 1
            continue
        path, fields, body = stage.fill(recorded)
        status, headers, text = stage.send(recorded.method, path, fields, body)
        wanted = expected(recorded)
        if root_put:  # the ICS detector of Thunderbird: anything else makes it offer a calendar that is not there
            wanted = 405 if recorded.is_signed() else 401
        faults = [] if status == wanted else [f"{status} instead of {wanted}: {text[:160]!r}"]
        if status == 207 == wanted:
            faults = multistatus_faults(recorded, path, fields, body, text)
        if status in (200, 401) and (recorded.method == "OPTIONS" or status == 401):
            if not {"1", "calendar-access", "addressbook"} <= {t.strip() for t in headers.get("DAV", "").split(",")}:
                faults.append("no DAV header")
        if status == 401 and not headers.get("WWW-Authenticate", "").startswith("Basic realm="):
            faults.append("no challenge")
        if status == 301 and (text or not headers.get("Location")):
            faults.append("a redirect has a Location and no body")
        check(recorded.name, not faults, "; ".join(faults[:4]))
    replay_writes(check, stage, files, later)
    print("later: " + ", ".join(f"{count} {what}" for what, count in sorted(later.items())))
    check.finish()


if __name__ == "__main__":
    main()
