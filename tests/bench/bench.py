#!/usr/bin/env python3
"""The same client work against exdav and its alternatives, alternating, medians and ratios at the end.

    bench.py --exdav PROGRAM --tools DIR [--short]
"""
import argparse
import base64
import http.client
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))
from programs import Control, Program, Serve  # noqa: E402

# One page of DavMail's listing: with more events here its paging did not come to an end, and the cause is not known.
SIDE_BY_SIDE = 400
USER, PASSWORD = "demo@example.com", "demo"
DAV, CALDAV, CARDDAV = "DAV:", "urn:ietf:params:xml:ns:caldav", "urn:ietf:params:xml:ns:carddav"


class Client:
    """One keep-alive connection."""

    def __init__(self, url):
        place = urlsplit(url)
        self.connection = http.client.HTTPConnection(place.hostname, place.port, timeout=600)
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self.headers = {"Authorization": f"Basic {token}", "Content-Type": "application/xml; charset=utf-8"}

    def ask(self, method, path, body="", depth="0", **more):
        headers = dict(self.headers, Depth=depth, **{k.replace("_", "-"): v for k, v in more.items()})
        self.connection.request(method, path, body.encode(), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]!r}")
        return text


def propfind(*names):
    return (f'<D:propfind xmlns:D="{DAV}" xmlns:CS="http://calendarserver.org/ns/"><D:prop>'
            + "".join(f"<{name}/>" for name in names) + "</D:prop></D:propfind>")


def multiget(hrefs):
    return (f'<C:calendar-multiget xmlns:D="{DAV}" xmlns:C="{CALDAV}"><D:prop><D:getetag/><C:calendar-data/></D:prop>'
            + "".join(f"<D:href>{href}</D:href>" for href in hrefs) + "</C:calendar-multiget>")


def cards(hrefs):
    return (f'<C:addressbook-multiget xmlns:D="{DAV}" xmlns:C="{CARDDAV}"><D:prop><D:getetag/><C:address-data/></D:prop>'
            + "".join(f"<D:href>{href}</D:href>" for href in hrefs) + "</C:addressbook-multiget>")


def person(number):
    return ("BEGIN:VCARD\r\nVERSION:3.0\r\n" f"UID:upload-{number}\r\nFN:Person {number}\r\nN:{number};Person;;;\r\n"
            f"EMAIL;TYPE=WORK:p{number}@example.net\r\nTEL;TYPE=CELL:{number}\r\nX-OWN:{number}\r\nEND:VCARD\r\n")


def month(start, end):
    return (f'<C:calendar-query xmlns:D="{DAV}" xmlns:C="{CALDAV}"><D:prop><D:getetag/><C:calendar-data/></D:prop>'
            '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
            f'<C:time-range start="{start}" end="{end}"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>')


def members(text, collection):
    hrefs = re.findall(rb"href>\s*([^<]+?)\s*</", text)
    return [h.decode() for h in hrefs if not h.endswith(b"/") and h.decode() != collection]


def timed(operation, times):
    """Median milliseconds, the 99th percentile, and the last value."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        value = operation()
        spent.append((time.perf_counter() - start) * 1000)
    spent.sort()
    return statistics.median(spent), spent[min(len(spent) - 1, int(len(spent) * 0.99))], value


def resources(pid):
    """CPU seconds, resident MB now and at most, of a process."""
    ticks = os.sysconf("SC_CLK_TCK")
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    now, peak = (int(re.search(name + r":\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024
                 for name in ("VmRSS", "VmHWM"))
    return (int(fields[11]) + int(fields[12])) / ticks, now, peak


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url):
    place = urlsplit(url)
    try:
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=5)
        connection.request("OPTIONS", "/")
        connection.getresponse().read()
        return True
    except OSError:
        return False


class Exdav:
    name = "exdav"

    def __init__(self, program, exchange, **settings):
        self.serve = Serve(program, exchange, **settings)
        self.process = None

    def start(self):
        self.process = self.serve.start().process
        self.url = self.serve.running.urls["gateway"]
        self.calendar = "/users/demo@example.com/calendar/"
        self.client = Client(self.url)

    def locate(self):
        text = self.client.ask("PROPFIND", "/", propfind("D:current-user-principal")).decode()
        principal = re.search(r"current-user-principal>\s*<[^>]*href>([^<]+)", text)[1]
        text = self.client.ask("PROPFIND", principal, propfind('C:calendar-home-set xmlns:C="%s"' % CALDAV)).decode()
        home = re.search(r"calendar-home-set[^>]*>\s*<[^>]*href>([^<]+)", text)[1]
        self.calendar = home.rstrip("/") + "/calendar/"

    def address_book(self):
        text = self.client.ask("PROPFIND", "/", propfind("D:current-user-principal")).decode()
        principal = re.search(r"current-user-principal>\s*<[^>]*href>([^<]+)", text)[1]
        text = self.client.ask("PROPFIND", principal, propfind('C:addressbook-home-set xmlns:C="%s"' % CARDDAV)).decode()
        return re.search(r"addressbook-home-set[^>]*>\s*<[^>]*href>([^<]+)", text)[1].rstrip("/") + "/contacts/"

    def stop(self):
        self.serve.running.stop()
        self.serve.remove()


class DavMail:
    name = "DavMail"
    SETTINGS = """davmail.server=true
davmail.mode=EWS
davmail.url={exchange}
davmail.caldavPort={port}
davmail.popPort=
davmail.imapPort=
davmail.smtpPort=
davmail.ldapPort=
davmail.bindAddress=127.0.0.1
davmail.allowRemote=false
davmail.disableUpdateCheck=true
davmail.enableProxy=false
davmail.useSystemProxies=false
davmail.ssl.keystoreType=
davmail.ssl.keystoreFile=
davmail.ssl.nosecurecaldav=true
davmail.caldavPastDelay=0
davmail.logFilePath={folder}/davmail.log
log4j.rootLogger=ERROR
log4j.logger.davmail=ERROR
log4j.logger.httpclient=ERROR
log4j.logger.httpclient.wire=ERROR
"""

    def __init__(self, exchange):
        self.exchange, self.folder = exchange, tempfile.mkdtemp(prefix="davmail-")

    def start(self):
        port = free_port()
        settings = Path(self.folder, "davmail.properties")
        settings.write_text(self.SETTINGS.format(exchange=self.exchange, port=port, folder=self.folder))
        self.process = subprocess.Popen(
            ["java", "-Xmx512M", "-Djava.awt.headless=true", "-jar", "/usr/share/davmail/davmail.jar", str(settings)],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}"
        while not answers(self.url):
            pass
        self.client, self.calendar = Client(self.url), f"/users/{USER}/calendar/"

    def locate(self):
        self.client.ask("PROPFIND", "/", propfind("D:current-user-principal"))

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Python:
    """Radicale or Xandikos from PyPI, filled by PUT."""

    def __init__(self, name, tools, objects):
        self.name, self.tools, self.objects = name, Path(tools).resolve(), objects
        self.folder = tempfile.mkdtemp(prefix=name.lower() + "-")

    def installed(self):
        home = self.tools / self.name.lower()
        if not (home / "done").exists():
            subprocess.check_call([sys.executable, "-m", "venv", str(home)])
            subprocess.check_call([str(home / "bin/pip"), "-q", "--disable-pip-version-check", "install",
                                   *{"Radicale": ["radicale==3.5.7"], "Xandikos": ["xandikos==0.2.12", "dulwich<0.23", "icalendar<6"]}[self.name]])
            (home / "done").touch()
        return home / "bin"

    def start(self):
        binaries, port = self.installed(), free_port()
        if self.name == "Radicale":
            command = [str(binaries / "python"), "-m", "radicale", "--server-hosts", f"127.0.0.1:{port}", "--auth-type", "none",
                       "--storage-filesystem-folder", self.folder, "--logging-level", "error"]
            self.calendar = f"/{USER}/calendar/"
        else:
            command = [str(binaries / "xandikos"), "-d", self.folder, "--defaults", "--no-detect-systemd",
                       "--listen-address", "127.0.0.1", "--port", str(port), "--current-user-principal", "/user/"]
            self.calendar = "/user/calendars/calendar/"
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}"
        while not answers(self.url):
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}")
        self.client = Client(self.url)

    def locate(self):
        if self.name == "Radicale":
            self.client.ask("MKCALENDAR", self.calendar)
        for number, text in enumerate(self.objects):
            self.client.ask("PUT", f"{self.calendar}{number}.ics", text, Content_Type="text/calendar")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Results:
    """Row → subject → figures of every run."""

    def __init__(self, latency):
        self.latency, self.rows = latency, {}

    def put(self, work, subject, milliseconds, calls=None, octets=None, answer=None):
        self.rows.setdefault(work, {}).setdefault(subject, []).append((milliseconds, calls, octets, answer))

    def median(self, work, subject, which=0):
        values = [v[which] for v in self.rows.get(work, {}).get(subject, []) if v[which] is not None]
        return statistics.median(values) if values else None

    def show(self, title):
        subjects = list(dict.fromkeys(s for row in self.rows.values() for s in row))
        others = [s for s in subjects if s != "exdav"]
        with_calls = any(v[1] is not None for row in self.rows.values() for runs in row.values() for v in runs)
        head = ["work"] + [f"{s} ms" for s in subjects] + [f"{o} ÷ exdav" for o in others]
        if with_calls:
            head += [f"{s} EWS calls / KB" for s in subjects]
        print(f"\n## {title}\n\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
        for work in self.rows:
            times = {s: self.median(work, s) for s in subjects}
            cells = ["–" if times[s] is None else f"{times[s]:,.2f}" for s in subjects]
            cells += [f"{times[o] / times['exdav']:,.1f}×" if times[o] and times.get("exdav") else "–" for o in others]
            if with_calls:
                for subject in subjects:
                    calls, octets = self.median(work, subject, 1), self.median(work, subject, 2)
                    cells.append("–" if calls is None else f"{calls:,.4g} / {octets / 1000:,.4g}")
            print(f"| {work} | " + " | ".join(cells) + " |", flush=True)


class Exchange:
    """The simulated Exchange with its counters."""

    def __init__(self, program, latency, events, contacts=50, mailboxes=1):
        self.running = Program(program, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0",
                               "--events", str(events), "--contacts", str(contacts), "--mailboxes", str(mailboxes))
        self.url, self.control = self.running.urls["exchange"], Control(self.running.urls["control"])
        self.control.ask("POST", "/latency", {"ms": latency})

    def measured(self, results, subject, work, operation, repeat=1):
        self.control.reset()
        median, worst, value = timed(operation, repeat)
        stats = self.control.ask("GET", "/stats")
        size = len(value) if isinstance(value, bytes) else None
        results.put(work, subject.name, median, stats["total"] / repeat, (stats["received"] + stats["sent"]) / repeat, size)
        if repeat >= 100:
            results.put(f"{work}, 99th percentile", subject.name, worst)
        return value

    def stop(self):
        self.running.stop()


def single(uid, title):
    return (f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
            f"DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nSUMMARY:{title}\r\n"
            "END:VEVENT\r\nEND:VCALENDAR\r\n")


def colleague(exchange, number):
    """Somebody else makes an event in the calendar."""
    space = "http://schemas.microsoft.com/exchange/services/2006/"
    body = (f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="{space}types" xmlns:m="{space}messages">'
            '<s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/></s:Header><s:Body>'
            '<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem>'
            f"<t:Subject>change {number}</t:Subject><t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End>"
            "</t:CalendarItem></m:Items></m:CreateItem></s:Body></s:Envelope>")
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    request = urllib.request.Request(exchange.url, body.encode(), {
        "Content-Type": "text/xml; charset=utf-8", "Authorization": f"Basic {token}"})
    urllib.request.urlopen(request, timeout=60).read()


def sync(token):
    return (f'<D:sync-collection xmlns:D="{DAV}"><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>'
            "<D:prop><D:getetag/></D:prop></D:sync-collection>")


def month_query(subject):
    return subject.client.ask("REPORT", subject.calendar, month("20261201T000000Z", "20270101T000000Z"), "1")


def poll(subject):
    return subject.client.ask("PROPFIND", subject.calendar, propfind("CS:getctag"))


def fetch(subject, hrefs):
    return [subject.client.ask("REPORT", subject.calendar, multiget(hrefs[i:i + 100]), "1") for i in range(0, len(hrefs), 100)]


def at_once(number, operation):
    threads = [threading.Thread(target=operation) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def first_sync(exchange, results, subject, size, resources_of):
    """Start, discovery, listing and all bodies, as a new client does it."""
    start = time.perf_counter()
    subject.start()
    answers(subject.url)
    results.put("start to first answer", subject.name, (time.perf_counter() - start) * 1000)
    resources_of("idle", subject)
    exchange.measured(results, subject, "sign-in and discovery", subject.locate)

    def everything():
        listing = subject.client.ask("PROPFIND", subject.calendar, propfind("D:getetag"), "1")
        subject.hrefs = members(listing, subject.calendar)
        fetch(subject, subject.hrefs)
    exchange.measured(results, subject, f"first sync of {size:,} events", everything)
    resources_of(f"after {size:,} events", subject)


def work(exchange, results, subject, short):
    """What clients do all day."""
    rounds = 100 if short else 500
    slow = subject.name != "exdav"
    exchange.measured(results, subject, "unchanged poll", lambda: poll(subject), 20 if slow else rounds)
    second = type(subject.client)(subject.url)
    exchange.measured(results, subject, "a second client lists", lambda: second.ask(
        "PROPFIND", subject.calendar, propfind("D:getetag"), "1"))
    exchange.measured(results, subject, "multiget of 100", lambda: fetch(subject, subject.hrefs[:100]), 1 if slow else 5)
    exchange.measured(results, subject, "query of a month", lambda: month_query(subject), 1 if slow else 5)
    exchange.measured(results, subject, "50 clients poll at once", lambda: at_once(
        50, lambda: Client(subject.url).ask("PROPFIND", subject.calendar, propfind("CS:getctag"))))
    path = f"{subject.calendar}bench-{subject.name}.ics"
    uid = f"bench-{subject.name}"
    exchange.measured(results, subject, "create", lambda: subject.client.ask(
        "PUT", path, single(uid, "one"), Content_Type="text/calendar", If_None_Match="*"))
    exchange.measured(results, subject, "update", lambda: subject.client.ask(
        "PUT", path, single(uid, "two"), Content_Type="text/calendar"))
    exchange.measured(results, subject, "delete", lambda: subject.client.ask("DELETE", path))


def upstream(program, latency, size, short):
    """exdav and DavMail before the same simulated Exchange."""
    results, memory, processor = Results(latency), {}, {}
    exchange = Exchange(program, latency, size)

    def resources_of(when, subject):
        spent, now, peak = resources(subject.process.pid)
        memory.setdefault(when, {})[subject.name] = (now, peak)
        processor[subject.name] = spent

    subjects = [Exdav(program, exchange.url), DavMail(exchange.url)]
    for subject in subjects:
        first_sync(exchange, results, subject, size, resources_of)
    for _ in range(1 if short else 3):  # in turn
        for subject in subjects:
            work(exchange, results, subject, short)
    for subject in subjects:
        resources_of("after all", subject)
        subject.stop()
    # What one change costs is asked without a freshness window: each look is a look at Exchange.
    now = Exdav(program, exchange.url, sync__freshness="0s")
    now.start()
    now.locate()
    poll(now)
    token = re.search(rb"sync-token>([^<]+)<", now.client.ask("PROPFIND", now.calendar, propfind("D:sync-token")))[1].decode()
    colleague(exchange, 1)
    answer = exchange.measured(results, now, "poll with one change", lambda: now.client.ask("REPORT", now.calendar, sync(token), "1"))
    now.stop()
    mail = DavMail(exchange.url)
    mail.start()
    mail.locate()
    poll(mail)
    colleague(exchange, 2)
    listing = exchange.measured(results, mail, "poll with one change", lambda: mail.client.ask(
        "PROPFIND", mail.calendar, propfind("D:getetag"), "1"))
    mail.stop()
    exchange.stop()
    results.show(f"{size:,} events before an Exchange that answers after {latency} ms")
    print(f"\nOne change: exdav answers {len(answer):,} octets, DavMail {len(listing):,}.")
    names = [s.name for s in subjects]
    print("\n| memory, MB (peak) | " + " | ".join(names) + " |\n" + "|---" * (len(names) + 1) + "|")
    for when, row in memory.items():
        print(f"| {when} | " + " | ".join(f"{row[n][0]:.1f} ({row[n][1]:.1f})" if n in row else "–" for n in names) + " |")
    print("| CPU seconds for all of it | " + " | ".join(f"{processor[n]:.2f}" for n in names) + " |", flush=True)


def alone(program, short):
    """What only exdav is asked, since the others would take hours."""
    latency = 20
    results, memory = Results(latency), {}
    events, contacts = (500, 200) if short else (10_000, 2_000)
    exchange = Exchange(program, latency, events, contacts)
    subject = Exdav(program, exchange.url)

    def resources_of(when, subject):
        memory[when] = resources(subject.process.pid)
    first_sync(exchange, results, subject, events, resources_of)
    books = subject.address_book()

    def people():
        listing = subject.client.ask("PROPFIND", books, propfind("D:getetag"), "1")
        hrefs = members(listing, books)
        for start in range(0, len(hrefs), 100):
            subject.client.ask("REPORT", books, cards(hrefs[start:start + 100]), "1")
    exchange.measured(results, subject, f"first sync of {contacts:,} contacts", people)

    def upload():
        numbers, turn = iter(range(contacts)), threading.Lock()

        def some():
            client = Client(subject.url)
            while True:
                with turn:
                    number = next(numbers, None)
                if number is None:
                    return
                client.ask("PUT", f"{books}upload-{number}.vcf", person(number), Content_Type="text/vcard",
                           If_None_Match="*")
        at_once(8, some)
    exchange.measured(results, subject, f"upload of {contacts:,} contacts, 8 in flight", upload)
    exchange.measured(results, subject, "multiget of 1,000", lambda: subject.client.ask(
        "REPORT", subject.calendar, multiget(subject.hrefs[:1000]), "1"), 5)
    exchange.measured(results, subject, f"query of a month in {events:,} events", lambda: month_query(subject), 5)
    home = subject.calendar.rsplit("/", 2)[0] + "/"
    for number in range(20):
        subject.client.ask("MKCALENDAR", f"{home}bench-{number}/", "")
    subject.client.ask("PROPFIND", home, propfind("CS:getctag"), "1")
    exchange.measured(results, subject, "poll of a home with 20 calendars", lambda: subject.client.ask(
        "PROPFIND", home, propfind("CS:getctag"), "1"), 20)
    resources_of("after all", subject)
    subject.stop()

    def signing_in():
        at_once(8, lambda: Client(fresh.url).ask("PROPFIND", "/", propfind("D:current-user-principal")))
    fresh = Exdav(program, exchange.url)
    fresh.start()
    exchange.measured(results, fresh, "sign-in of 8 clients at once", signing_in)
    fresh.stop()
    exchange.stop()
    results.show(f"exdav alone, {latency} ms")
    print("\n| memory | MB now | peak |\n|---|---|---|")
    for when, (_, now, peak) in memory.items():
        print(f"| {when} | {now:.1f} | {peak:.1f} |", flush=True)


def growth(program, short):
    """The same at 1×, 4× and 16× the size; the exponent says how the time grows with the mailbox."""
    base = 100 if short else 1_250
    times, found = {}, []
    for factor in (1, 4, 16):
        results, exchange = Results(0), Exchange(program, 0, base * factor)
        subject = Exdav(program, exchange.url, sync__freshness="0s")
        subject.start()
        subject.locate()
        listing = subject.client.ask("PROPFIND", subject.calendar, propfind("D:getetag"), "1")
        exchange.measured(results, subject, "unchanged poll", lambda: poll(subject), 100)
        for number in range(5):
            token = re.search(rb"sync-token>([^<]+)<", subject.client.ask(
                "PROPFIND", subject.calendar, propfind("D:sync-token")))[1].decode()
            colleague(exchange, number)
            exchange.measured(results, subject, "poll with one change", lambda t=token: subject.client.ask(
                "REPORT", subject.calendar, sync(t), "1"))
        subject.stop()
        # What is served from the mirror: within the window nobody looks at Exchange.
        subject = Exdav(program, exchange.url)
        subject.start()
        subject.locate()
        listing = subject.client.ask("PROPFIND", subject.calendar, propfind("D:getetag"), "1")
        answer = exchange.measured(results, subject, "query of a month", lambda: month_query(subject), 5)
        exchange.measured(results, subject, "listing with ETags", lambda: subject.client.ask(
            "PROPFIND", subject.calendar, propfind("D:getetag"), "1"), 5)
        found.append((len(members(listing, subject.calendar)), len(members(answer, subject.calendar))))
        for work in results.rows:
            if "percentile" not in work:
                times.setdefault(work, []).append((results.median(work, "exdav"), results.median(work, "exdav", 1)))
        subject.stop()
        exchange.stop()
    print("\n## growth, 0 ms; for the polls every look is a look at Exchange\n\n| work | " + " | ".join(
        f"{all_:,} events ({in_month:,} in the month)" for all_, in_month in found) + " | exponent |\n|---|---|---|---|---|")
    for work, row in times.items():
        exponent = math.log(row[-1][0] / row[0][0]) / math.log(16)
        print(f"| {work} | " + " | ".join(f"{ms:.2f} ms, {calls:g} calls" for ms, calls in row) + f" | {exponent:.2f} |", flush=True)


def serving(program, tools, size, short):
    """exdav's warm mirror beside servers that hold the same objects on their own disk."""
    exchange = Exchange(program, 0, size)
    gateway = Exdav(program, exchange.url)
    gateway.start()
    gateway.locate()
    gateway.hrefs = members(gateway.client.ask("PROPFIND", gateway.calendar, propfind("D:getetag"), "1"), gateway.calendar)
    objects = [gateway.client.ask("GET", href).decode() for href in gateway.hrefs]
    subjects = [gateway]
    for name in ("Radicale", "Xandikos"):
        other = Python(name, tools, objects)
        other.start()
        other.locate()
        other.hrefs = [f"{other.calendar}{n}.ics" for n in range(len(objects))]
        subjects.append(other)
    results = Results(0)
    for _ in range(2 if short else 7):
        for subject in subjects:  # in turn
            for what, operation in (
                    ("unchanged poll", lambda s=subject: poll(s)),
                    ("multiget of 100", lambda s=subject: s.client.ask("REPORT", s.calendar, multiget(s.hrefs[:100]), "1")),
                    ("multiget of 1,000", lambda s=subject: s.client.ask("REPORT", s.calendar, multiget(s.hrefs[:1000]), "1")),
                    ("query of a month", lambda s=subject: month_query(s)),
                    ("sync-collection from nothing", lambda s=subject: s.client.ask("REPORT", s.calendar, sync(""), "1")),
                    ("PROPFIND with ETags", lambda s=subject: s.client.ask("PROPFIND", s.calendar, propfind("D:getetag"), "1")),
                    ("GET of one", lambda s=subject: s.client.ask("GET", s.hrefs[0]))):
                results.put(what, subject.name, timed(operation, 1)[0])
    for subject in subjects:
        spent, now, peak = resources(subject.process.pid)
        print(f"{subject.name}: {spent:.2f} CPU seconds, {now:.1f} MB, at most {peak:.1f} MB")
        subject.stop()
    exchange.stop()
    results.show(f"pure serving, {size:,} events, warm")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exdav", required=True)
    parser.add_argument("--tools", required=True)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", choices=["upstream", "alone", "growth", "serving"])
    arguments = parser.parse_args()
    program, short = arguments.exdav, arguments.short
    parts = {
        "upstream": lambda: [upstream(program, latency, 100 if short else SIDE_BY_SIDE, short) for latency in ([20] if short else [0, 20])],
        "alone": lambda: alone(program, short),
        "growth": lambda: growth(program, short),
        "serving": lambda: serving(program, arguments.tools, 100 if short else 1_000, short),
    }
    for name, part in parts.items():
        if arguments.only in (None, name):
            part()
    print(f"\nexdav is one file of {os.path.getsize(program) / 1e6:.1f} MB.")


if __name__ == "__main__":
    main()
