#!/usr/bin/env python3
"""Random work by several clients against a failing Exchange, with `kill -9` of exdav at random moments.

    campaign.py --exdav PROGRAM [--minutes M | --rounds N] [--seed S] [--clients N] [--short] [--decisions]

After every round exdav is killed, started again with the same store, and these must hold:

  acknowledged   every write that was acknowledged is in Exchange, as it was written, exactly once
  whole          a write that was not acknowledged is there as a whole or not at all
  mirror         the mirror shows exactly what an exdav with an empty store reads from Exchange
  ended          what a kill left half done is ended or undone by the next start, and not once more by the one after
  chains         every client that follows its sync-tokens ends with exactly these names and tags
  invitations    nobody is invited, updated or called off more often than somebody wrote
"""
import argparse
import base64
import collections
import http.client
import json
import random
import re
import signal
import sys
import threading
import time
import urllib.request
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))
from programs import Control, Program, Serve, workplace  # noqa: E402

# What each client does in a round.
DEEDS = 8
# With links to attachments, so that a text without them takes them away.
PUBLIC = "http://gateway.example.test"
USER, GUEST, PASSWORD = "demo@example.com", "demo2@example.com", "demo"
AUTHORIZATION = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
DAV = "{DAV:}"
CALENDAR, CONTACTS, TASKS = "calendar", "contacts", "tasks"
KINDS = ["drop-before", "drop-after", "busy", "too-many-requests", "server-error", "unavailable", "invalid-sync-state"]
OPERATIONS = [None, "CreateItem", "UpdateItem", "DeleteItem", "GetItem", "SyncFolderItems", "GetFolder", "FindItem",
              "MoveItem", "SyncFolderHierarchy"]
WRITING = ["CreateItem", "UpdateItem", "DeleteItem", "MoveItem", "CreateAttachment", "DeleteAttachment"]
NAMESPACES = ('xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
              'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" '
              'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"')


class Lost(Exception):
    """No answer, or one that does not say what happened."""


class Place:
    """Where exdav answers now, and what its collections are called."""

    def __init__(self):
        self.url, self.paths = None, {}

    def connected(self):
        """A connection to whoever answers now: while exdav is down a client knocks on."""
        until = time.monotonic() + 30
        while True:
            place = urlsplit(self.url)
            connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
            try:
                connection.connect()
                return connection
            except OSError as error:
                if time.monotonic() > until:
                    raise Lost(str(error)) from None
                time.sleep(.005)

    def ask(self, method, path, body="", **headers):
        connection = self.connected()
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body.encode(), dict(fields, Authorization=AUTHORIZATION))
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Lost(str(error)) from None
        finally:
            connection.close()
        if answer.status >= 500:
            raise Lost(f"{answer.status} {text[:100]!r}")
        return answer.status, answer.headers, text

    def discover(self):
        status, _, text = self.ask("PROPFIND", "/", Depth="0", body=(
            '<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>'))
        principal = ET.fromstring(text).find(f".//{DAV}current-user-principal/{DAV}href").text
        _, _, text = self.ask("PROPFIND", principal, Depth="0", body=(
            '<propfind xmlns="DAV:"><prop><calendar-home-set xmlns="urn:ietf:params:xml:ns:caldav"/>'
            '<addressbook-home-set xmlns="urn:ietf:params:xml:ns:carddav"/></prop></propfind>'))
        homes = [e.text for e in ET.fromstring(text).iter(DAV + "href") if e.text != principal]
        self.paths = {CALENDAR: homes[0] + "calendar/", TASKS: homes[0] + "tasks/", CONTACTS: homes[-1] + "contacts/"}

    def listing(self, collection):
        """href → ETag, by PROPFIND."""
        _, _, text = self.ask("PROPFIND", self.paths[collection], Depth="1",
                              body='<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>')
        tags = {r.findtext(DAV + "href"): r.findtext(f".//{DAV}getetag") for r in ET.fromstring(text)}
        tags.pop(self.paths[collection], None)
        return tags

    def bodies(self, collection, hrefs):
        space, report, data = (("urn:ietf:params:xml:ns:carddav", "addressbook-multiget", "address-data")
                               if collection == CONTACTS else
                               ("urn:ietf:params:xml:ns:caldav", "calendar-multiget", "calendar-data"))
        found = {}
        for start in range(0, len(hrefs), 100):
            wanted = "".join(f"<D:href>{href}</D:href>" for href in hrefs[start:start + 100])
            _, _, text = self.ask("REPORT", self.paths[collection], Depth="1", body=(
                f'<C:{report} xmlns:D="DAV:" xmlns:C="{space}"><D:prop><D:getetag/><C:{data}/></D:prop>{wanted}</C:{report}>'))
            for response in ET.fromstring(text).iter(DAV + "response"):
                element = response.find(f".//{{{space}}}{data}")
                if element is not None:
                    found[response.findtext(DAV + "href")] = element.text.replace("\r\n", "\n")
        return found


class Chain:
    """What a client knows of a collection that it follows by sync-tokens."""

    def __init__(self, collection):
        self.collection, self.token, self.view, self.restarts = collection, "", {}, 0

    def follow(self, place):
        for _ in range(3):
            status, _, text = place.ask("REPORT", place.paths[self.collection], Depth="1", body=(
                f'<sync-collection xmlns="DAV:"><sync-token>{self.token}</sync-token><sync-level>1</sync-level>'
                "<prop><getetag/></prop></sync-collection>"))
            if status == 207:
                break
            # The token is not known any more: the client asks for everything.
            self.token, self.view, self.restarts = "", {}, self.restarts + 1
        tree = ET.fromstring(text)
        for response in tree.iter(DAV + "response"):
            href, tag = response.findtext(DAV + "href"), response.findtext(f".//{DAV}getetag")
            if tag is None:
                self.view.pop(href, None)
            else:
                self.view[href] = tag
        self.token = tree.findtext(DAV + "sync-token")


class Decision:
    """What a client is going to do. The same number is drawn whatever became of what was decided before, so that a seed
    means the same decisions each time."""

    def __init__(self, draw):
        self.deed = draw.choices(["create", "update", "delete", "move", "sync", "list", "get"], [5, 5, 3, 2, 4, 1, 1])[0]
        self.collection = draw.choices([CALENDAR, CONTACTS, TASKS], [6, 2, 1])[0]
        self.shape = draw.choices(["single", "series", "meeting", "attached"], [3, 2, 2, 2])[0]
        self.chain, self.chosen, self.again = draw.randrange(3), draw.random(), draw.random() < .5
        self.day, self.exdate = draw.randrange(1, 24), draw.choice([1, 2])

    def __str__(self):
        return (f"{self.deed} {self.collection} {self.shape} chain {self.chain} member {self.chosen:.3f} "
                f"{'again' if self.again else 'once'} day {self.day}+{self.exdate}")


def event(uid, version, shape, decision):
    day = f"202612{decision.day:02d}"
    more, override = "", ""
    if shape == "attached":
        content = base64.b64encode(f"{uid} {version}".encode()).decode()
        more = f"ATTACH;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=text/plain;FILENAME={uid}-{version}.txt:{content}\r\n"
    if shape == "series":
        more = f"RRULE:FREQ=DAILY;COUNT=8\r\nEXDATE:{int(day) + decision.exdate}T090000Z\r\n"
        override = (f"BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:{int(day) + 3}T090000Z\r\n"
                    f"DTSTART:{int(day) + 3}T110000Z\r\nDTEND:{int(day) + 3}T120000Z\r\nSUMMARY:moved {version}\r\nEND:VEVENT\r\n")
    if shape == "meeting":
        more = (f"ORGANIZER:mailto:{USER}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{USER}\r\n"
                f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{GUEST}\r\n")
    return (f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//campaign//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
            f"DTSTAMP:20260101T000000Z\r\nDTSTART:{day}T090000Z\r\nDTEND:{day}T100000Z\r\nSUMMARY:{version}\r\n{more}"
            f"X-CAMPAIGN:{version}\r\nEND:VEVENT\r\n{override}END:VCALENDAR\r\n")


def task(uid, version):
    return (f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//campaign//EN\r\nBEGIN:VTODO\r\nUID:{uid}\r\n"
            f"DTSTAMP:20260101T000000Z\r\nSUMMARY:{version}\r\nX-CAMPAIGN:{version}\r\nEND:VTODO\r\nEND:VCALENDAR\r\n")


def card(uid, version):
    return (f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{version}\r\nN:Doe;{version};;;\r\n"
            f"EMAIL;TYPE=HOME:{uid}@example.org\r\nX-CAMPAIGN:{version}\r\nEND:VCARD\r\n")


class Member:
    """An object that one client writes, and every state that it may be in."""

    def __init__(self, collection, uid, shape):
        self.collection, self.uid, self.shape = collection, uid, shape
        self.possible, self.tag, self.clear, self.written = [None], None, True, 0
        self.names, self.moves = [uid + (".vcf" if collection == CONTACTS else ".ics")], 0

    def href(self, place, name=None):
        return place.paths[self.collection] + (name or self.names[0])

    def next_name(self):
        self.moves += 1
        return f"{self.uid}-moved{self.moves}" + (".vcf" if self.collection == CONTACTS else ".ics")


class Client:
    """One person with one program. What it decides depends on its seed alone."""

    def __init__(self, number, seed):
        self.number, self.draw = number, random.Random(f"{seed}/{number}")
        self.members, self.made, self.counts = [], 0, collections.Counter()
        self.chains = [Chain(c) for c in (CALENDAR, CONTACTS, TASKS)]

    def text(self, member, decision):
        self.made += 1
        version = f"v{self.made}"
        if member.collection == CALENDAR:
            return event(member.uid, version, member.shape, decision)
        return (card if member.collection == CONTACTS else task)(member.uid, version)

    def write(self, place, member, method, body, headers, again):
        """Notes what is known afterwards. Without a clear answer, sometimes asks again."""
        wanted = body if method == "PUT" else None
        member.written += 1
        for attempt in range(2 if again else 1):
            try:
                status, answer, text = place.ask(method, member.href(place), body or "", **headers)
            except Lost:
                self.counts["unclear"] += 1
                member.clear = False
                if wanted not in member.possible:
                    member.possible.append(wanted)
                continue
            if status < 300 or (method == "DELETE" and status == 404):
                self.counts["done"] += 1
                member.possible, member.tag, member.clear = [wanted], answer.get("ETag"), True
            elif status == 412 or status == 403 and attempt:
                self.counts["refused"] += 1  # its first attempt, or nothing, has been done
            else:
                raise AssertionError(f"{method} {member.href(place)}: {status} {text[-300:]!r}")
            return

    def move(self, place, member, again):
        """Gives it another name."""
        name = member.next_name()
        for attempt in range(2 if again else 1):
            try:
                status, answer, text = place.ask("MOVE", member.href(place), Destination=member.href(place, name),
                                                 Overwrite="F")
            except Lost:
                self.counts["unclear"] += 1
                member.clear, member.names = False, [member.names[0], name]
                continue
            if status < 300:
                self.counts["done"] += 1
                member.names, member.tag, member.clear = [name], answer.get("ETag"), True
            elif attempt and status in (403, 404, 412):
                self.counts["refused"] += 1  # its first attempt has been done
            else:
                raise AssertionError(f"MOVE {member.href(place)} to {name}: {status} {text[-300:]!r}")
            return

    def act(self, place):
        decision = Decision(self.draw)
        living = [m for m in self.members if m.clear and m.possible != [None]]
        chain, deed = self.chains[decision.chain], decision.deed
        member = living[int(decision.chosen * len(living))] if living else None
        condition = {"If_Match": member.tag} if member and member.tag else {}
        try:
            if deed == "sync":
                chain.follow(place)
            elif deed == "list":
                place.listing(chain.collection)
            elif deed == "create" or member is None:
                member = Member(decision.collection, f"c{self.number}-{len(self.members)}", decision.shape)
                self.members.append(member)
                self.write(place, member, "PUT", self.text(member, decision),
                           {**kind(member.collection), "If_None_Match": "*"}, decision.again)
            elif deed == "update":
                self.write(place, member, "PUT", self.text(member, decision), {**kind(member.collection), **condition},
                           decision.again)
            elif deed == "delete":
                self.write(place, member, "DELETE", None, condition, decision.again)
            elif deed == "move":
                self.move(place, member, decision.again)
            else:
                place.ask("GET", member.href(place))
        except Lost:
            self.counts["unread"] += 1


def kind(collection):
    return {"Content_Type": "text/vcard" if collection == CONTACTS else "text/calendar"}


class Campaign:
    def __init__(self, arguments):
        self.arguments, self.faults_found = arguments, []
        self.exchange = Program(arguments.exdav, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen",
                                "127.0.0.1:0", "--events", "40", "--contacts", "15", "--tasks", "5", "--mailboxes", "2")
        self.control = Control(self.exchange.urls["control"])
        self.serve = Serve(arguments.exdav, self.exchange.urls["exchange"], sync__freshness="0s",
                           server__public_url=PUBLIC)
        self.place, self.kills, self.rounds = Place(), 0, 0
        self.clients = [Client(n, arguments.seed) for n in range(arguments.clients)]
        self.sends = 0

    def start(self):
        self.place.url = self.serve.start().urls["gateway"]

    def wrong(self, what):
        print(f"WRONG in round {self.rounds} of seed {self.arguments.seed}: {what}", flush=True)
        self.faults_found.append(what)

    def colleague(self, draw):
        """Somebody with Outlook makes an event."""
        body = (f'<s:Envelope {NAMESPACES}><s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/></s:Header><s:Body>'
                '<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem>'
                f'<t:Subject>colleague {draw.random()}</t:Subject><t:Start>2026-12-01T09:00:00Z</t:Start>'
                '<t:End>2026-12-01T10:00:00Z</t:End></t:CalendarItem></m:Items></m:CreateItem></s:Body></s:Envelope>')
        request = urllib.request.Request(self.exchange.urls["exchange"], body.encode(), {
            "Content-Type": "text/xml; charset=utf-8", "Authorization": AUTHORIZATION})
        try:
            urllib.request.urlopen(request, timeout=30).read()
        except OSError:
            pass  # a fault struck the colleague

    def round(self):
        self.rounds += 1
        draw = random.Random(f"{self.arguments.seed}/round/{self.rounds}")
        faults = [{"kind": draw.choice(KINDS), "operation": draw.choice(OPERATIONS), "times": draw.randrange(1, 4),
                   "after": draw.randrange(8), "wait": draw.choice([0.0, 0.05])} for _ in range(draw.randrange(5))]
        self.control.ask("POST", "/latency", {"ms": draw.choice([0, 2, 15])})
        self.control.ask("POST", "/faults", faults)
        killed_after = draw.choice([None, draw.uniform(.02, 1.2), draw.uniform(.02, .3)])
        broken = []

        def work(client):
            try:
                for _ in range(DEEDS):
                    client.act(self.place)
            except Exception as error:  # whatever it is, the campaign says it and goes on
                broken.append(f"client {client.number}: {type(error).__name__}: {error}")

        threads = [threading.Thread(target=work, args=(client,)) for client in self.clients]
        for thread in threads:
            thread.start()
        if draw.random() < .5:
            self.colleague(draw)
        if killed_after is not None:
            time.sleep(killed_after)
            self.kill()
            self.start()
        for thread in threads:
            thread.join()
        for what in broken:
            self.wrong(what)
        self.control.ask("POST", "/faults", [])
        self.control.ask("POST", "/latency", {"ms": 0})
        self.kill()
        self.start()
        self.check()

    def kill(self):
        self.serve.running.kill()
        self.kills += 1

    def check(self):
        # What the kill left half done is ended or undone when its owner comes back.
        self.place.listing(CALENDAR)
        # And once it is, it is left alone.
        self.kill()
        self.start()
        self.control.reset()
        self.place.listing(CALENDAR)
        calls = self.control.calls()
        if again := {name: calls[name] for name in WRITING if calls.get(name)}:
            self.wrong(f"ended: a restart with nothing to do writes again: {again}")
        fresh = Serve(self.arguments.exdav, self.exchange.urls["exchange"], server__public_url=PUBLIC)
        truth = Place()
        truth.url, truth.paths = fresh.start().urls["gateway"], self.place.paths
        dump = self.control.ask("GET", f"/dump/{USER}")
        self.files = collections.defaultdict(collections.Counter)
        for folder in dump["folders"]:
            if folder["name"] == "Calendar":
                for item in folder["items"]:
                    for name in item["attachments"]:
                        self.files[name.rsplit("-", 1)[0]][name] += 1
        try:
            for collection in (CALENDAR, CONTACTS, TASKS):
                self.compare(collection, truth)
        finally:
            fresh.running.stop()
            fresh.remove()
        sent = collections.Counter((s.get("uid"), to) for s in dump["sent"]
                                   for to in (s.get("to") if isinstance(s.get("to"), list) else [s.get("to")]))
        self.sends = sum(sent.values())
        for client in self.clients:
            for member in client.members:
                if member.shape != "meeting" or member.collection != CALENDAR:
                    continue
                times = sent[(member.uid, GUEST)]
                if times > member.written:
                    what = [s["what"] for s in dump["sent"] if s.get("uid") == member.uid]
                    self.wrong(f"invitations: {member.uid} was written {member.written} times and sent {times} times: {what}")

    def compare(self, collection, truth):
        there = truth.listing(collection)
        bodies = truth.bodies(collection, list(there))
        shown = self.place.listing(collection)
        if shown != there:
            differ = {h for h in shown.keys() | there.keys() if shown.get(h) != there.get(h)}
            self.wrong(f"mirror: {collection} differs from the mailbox at "
                       + ", ".join(f"{h} ({shown.get(h)}, in truth {there.get(h)})" for h in sorted(differ)[:5]))
        if (mirrored := self.place.bodies(collection, list(shown))) != bodies:
            differ = sorted(h for h in mirrored.keys() | bodies.keys() if mirrored.get(h) != bodies.get(h))
            self.wrong(f"mirror: {collection} has other texts at {differ[:5]}:\n{mirrored.get(differ[0])}\n--\n{bodies.get(differ[0])}")
        uids = collections.Counter(m for body in bodies.values() for m in set(re.findall(r"(?m)^UID:(c\d+-\d+)$", body)))
        for uid, times in uids.items():
            if times > 1:
                self.wrong(f"acknowledged: {uid} is there {times} times")
        for client in self.clients:
            for member in client.members:
                if member.collection == collection:
                    found = [name for name in member.names if member.href(self.place, name) in bodies]
                    if len(found) > 1:
                        self.wrong(f"acknowledged: {member.uid} is there as {found}")
                    member.names = found[:1] or member.names[:1]
                    href = member.href(self.place)
                    self.judge(member, bodies.get(href), there.get(href), uids)
            for chain in client.chains:
                if chain.collection == collection:
                    chain.follow(self.place)
                    if chain.view != shown:
                        differ = {h for h in shown.keys() | chain.view.keys() if shown.get(h) != chain.view.get(h)}
                        self.wrong(f"chains: client {client.number} ends elsewhere in {collection}: {sorted(differ)[:5]}")
                        chain.view = dict(shown)

    def judge(self, member, body, tag, uids):
        def same(wanted):
            if wanted is None or body is None:
                return wanted is None and body is None and not uids[member.uid]
            if member.shape == "attached" and member.collection == CALENDAR:
                # The attachment is served as a link or not at all: Exchange tells whether it is there.
                files = re.findall(r"FILENAME=([^:]*):", wanted)
                if self.files[member.uid] != collections.Counter(files):
                    return False
            if member.shape in ("meeting", "attached") and member.collection == CALENDAR:
                # Who accepted and how often it was sent is Exchange's to say.
                return all(line in body for line in re.findall(r"(?:SUMMARY|X-CAMPAIGN|DTSTART):.*(?=\r)", wanted))
            return wanted.replace("\r\n", "\n") == body
        found = [wanted for wanted in member.possible if same(wanted)]
        if not found:
            rule = "acknowledged" if member.clear else "whole"
            self.wrong(f"{rule}: {member.uid} ({member.shape}, {dict(self.files[member.uid])}) is none of "
                       f"{len(member.possible)} states:\n{body}\n-- but\n"
                       + "\n-- or\n".join(str(p) for p in member.possible))
            found = [body]
        member.possible, member.tag, member.clear = [found[-1]], tag, True

    def run(self):
        until = time.monotonic() + self.arguments.minutes * 60
        try:
            self.rounds_until(until)
        finally:
            # However it ends, it leaves no program and no folder behind.
            if self.serve.running:
                self.serve.running.kill()
            self.serve.remove()
            self.exchange.kill()
        totals = sum((c.counts for c in self.clients), collections.Counter())
        restarts = sum(chain.restarts for c in self.clients for chain in c.chains)
        print("\n| rounds | kills | writes done | refused | without an answer | reads without an answer | chains begun anew"
              " | mails | wrong |\n|---|---|---|---|---|---|---|---|---|")
        print(f"| {self.rounds} | {self.kills} | {totals['done']} | {totals['refused']} | {totals['unclear']} | "
              f"{totals['unread']} | {restarts} | {self.sends} | {len(self.faults_found)} |")
        return 1 if self.faults_found or not totals["done"] else 0

    def rounds_until(self, until):
        self.start()
        self.place.discover()
        while (self.rounds < self.arguments.rounds) if self.arguments.rounds else (time.monotonic() < until):
            self.round()
            totals = sum((c.counts for c in self.clients), collections.Counter())
            print(f"round {self.rounds} of seed {self.arguments.seed}: {json.dumps(totals)}, {self.kills} kills, "
                  f"{self.sends} mails, {len(self.faults_found)} wrong", flush=True)
            if len(self.faults_found) > 10:
                break


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exdav", required=True)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--decisions", action="store_true", help="print what the clients are going to do, and do nothing")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if arguments.short:
        arguments.rounds = arguments.rounds or 8
    workplace("campaign")
    print(f"seed {arguments.seed}", flush=True)
    if arguments.decisions:
        for client in (Client(n, arguments.seed) for n in range(arguments.clients)):
            for number in range(DEEDS * (arguments.rounds or 1)):
                print(f"round {number // DEEDS + 1} client {client.number}: {Decision(client.draw)}")
        return 0
    return Campaign(arguments).run()


if __name__ == "__main__":
    sys.exit(main())
