"""The gateways of the campaign: exdav twice, each with a store of its own, before one Exchange."""
import base64
import glob
import http.client
import subprocess
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import urlsplit

from programs import Serve
from texts import CALENDAR, CONTACTS, TASKS

# With links to attachments, so that a text without them takes them away.
PUBLIC = "http://gateway.example.test"
DAV = "{DAV:}"
CALDAV, CARDDAV = "urn:ietf:params:xml:ns:caldav", "urn:ietf:params:xml:ns:carddav"
# Debian: faketime. Without it the clocks of the gateways stay as they are.
FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
SECOND = "second@example.com"
COMMON = {"server__public_url": PUBLIC, "sync__hierarchy": "1s", "sign_in__refusal": "100ms"}


class Lost(Exception):
    """No answer, or one that does not say what happened."""


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Gate:
    """One exdav. `authorizations` says what each user signs in with."""

    def __init__(self, program, exchange, users, **settings):
        self.clock = Path(tempfile.mkdtemp(prefix="clock-"), "offset")
        self.clock.write_text("+0\n")
        fake = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"} if FAKETIME else {}
        self.serve = Serve(program, exchange, environment=fake, **COMMON, **settings)
        self.authorizations = {user: basic(user, "demo") for user in users}
        self.url, self.is_up, self.starts = None, False, 0

    @classmethod
    def of_a_service(cls, program, exchange, users, **settings):
        """All mailboxes are reached by one account, and people have passwords for exdav alone."""
        accounts = Path(tempfile.mkdtemp(prefix="accounts-"), "accounts.json")
        gate = cls(program, exchange, users, accounts__path=str(accounts), exchange__service_user="EXAMPLE\\service",
                   exchange__service_password="demo", sign_in__pass_through=False, **settings)
        for user in users:
            made = subprocess.run([program, "user", "--config", gate.serve.config, "add", user], check=True,
                                  capture_output=True, text=True)
            gate.authorizations[user] = basic(user, made.stdout.strip())
        # The same mailbox by another name.
        made = subprocess.run([program, "user", "--config", gate.serve.config, "add", SECOND, "--mailbox", users[0]],
                              check=True, capture_output=True, text=True)
        gate.authorizations[SECOND] = basic(SECOND, made.stdout.strip())
        return gate

    def start(self):
        self.url = self.serve.start().urls["gateway"]
        self.is_up, self.starts = True, self.starts + 1

    def set_clock(self, offset):
        """Its wall clock jumps; whole seconds from the machine's."""
        self.clock.write_text(f"{offset:+d}\n")

    def kill(self):
        self.is_up = False
        self.serve.running.kill()

    def spoil(self, draw):
        """Its mirrors are damaged while it is down: the beginning, all but the beginning, or an end that is missing."""
        harm = draw.choice(["head", "rest", "end"])
        for file in Path(self.serve.folder, "store").rglob("*.redb"):
            if (size := file.stat().st_size) > 8192:
                with file.open("r+b") as mirror:
                    if harm == "end":
                        mirror.truncate(size // 2)
                    else:
                        mirror.seek(0 if harm == "head" else 4096)
                        mirror.write(bytes([0xa5]) * (4096 if harm == "head" else size - 4096))

    def remove(self):
        if self.serve.running:
            self.serve.running.kill()
        self.serve.remove()


class Door:
    """At which gateway a user is, with all of his programs, as behind a load balancer."""

    def __init__(self, at=0):
        self.at, self.may_turn, self.has_turned, self.lock = at, False, False, threading.Lock()

    def enter(self, at):
        self.at, self.may_turn, self.has_turned = at, False, False

    def turn_from(self, at, count):
        with self.lock:
            if self.may_turn and self.at == at:
                self.at, self.has_turned = (at + 1) % count, True


class Place:
    """Where a program of a user finds exdav now."""

    def __init__(self, gates, user, door):
        self.gates, self.user, self.door, self.homes = gates, user, door, {}

    @property
    def at(self):
        return self.door.at

    @property
    def turned(self):
        return self.door.has_turned

    def connected(self):
        """A connection to whoever answers now: while exdav is down a client knocks on, or at another door."""
        until = time.monotonic() + 30
        while True:
            at = self.at
            place = urlsplit(self.gates[at].url)
            connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
            try:
                connection.connect()
                return connection, self.gates[at].authorizations[self.user]
            except OSError as error:
                if time.monotonic() > until:
                    raise Lost(str(error)) from None
                self.door.turn_from(at, len(self.gates))
                time.sleep(.005)

    def ask(self, method, path, body="", **headers):
        connection, authorization = self.connected()
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        fields["Authorization"] = authorization
        try:
            connection.request(method, path, body.encode(), fields)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Lost(str(error)) from None
        finally:
            connection.close()
        if answer.status >= 500 or answer.status == 401:
            raise Lost(f"{answer.status} {text[:100]!r}")
        return answer.status, answer.headers, text

    def discover(self):
        _, _, text = self.ask("PROPFIND", "/", Depth="0", body=(
            '<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>'))
        principal = ET.fromstring(text).find(f".//{DAV}current-user-principal/{DAV}href").text
        _, _, text = self.ask("PROPFIND", principal, Depth="0", body=(
            f'<propfind xmlns="DAV:"><prop><calendar-home-set xmlns="{CALDAV}"/><addressbook-home-set xmlns="{CARDDAV}"/>'
            '</prop></propfind>'))
        homes = [e.text for e in ET.fromstring(text).iter(DAV + "href") if e.text != principal]
        self.homes = {CALENDAR: homes[0], CONTACTS: homes[-1]}
        return self

    def path(self, collection):
        return self.homes[CONTACTS if collection == CONTACTS else CALENDAR] + collection + "/"

    def calendars(self):
        """name → display name of all that lie in the home of calendars."""
        _, _, text = self.ask("PROPFIND", self.homes[CALENDAR], Depth="1",
                              body='<propfind xmlns="DAV:"><prop><displayname/></prop></propfind>')
        found = {r.findtext(DAV + "href"): r.findtext(f".//{DAV}displayname") for r in ET.fromstring(text)}
        return {href.rstrip("/").rsplit("/", 1)[1]: name for href, name in found.items() if href != self.homes[CALENDAR]}

    def listing(self, collection):
        """href → ETag, by PROPFIND."""
        path = self.path(collection)
        status, _, text = self.ask("PROPFIND", path, Depth="1",
                                   body='<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>')
        if status != 207:
            raise AssertionError(f"PROPFIND {path}: {status} {text[-300:]!r}")
        tags = {r.findtext(DAV + "href"): r.findtext(f".//{DAV}getetag") for r in ET.fromstring(text)}
        tags.pop(path, None)
        return tags

    def bodies(self, collection, hrefs):
        space, report, data = ((CARDDAV, "addressbook-multiget", "address-data") if collection == CONTACTS else
                               (CALDAV, "calendar-multiget", "calendar-data"))
        found = {}
        for start in range(0, len(hrefs), 100):
            wanted = "".join(f"<D:href>{href}</D:href>" for href in hrefs[start:start + 100])
            _, _, text = self.ask("REPORT", self.path(collection), Depth="1", body=(
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
            status, _, text = place.ask("REPORT", place.path(self.collection), Depth="1", body=(
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
