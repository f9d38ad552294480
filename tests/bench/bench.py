#!/usr/bin/env python3
"""The same client work against exdav and its alternatives, alternating, medians and ratios at the end.

    bench.py --exdav PROGRAM --tools DIR [--short]
"""
import argparse
import base64
import http.client
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
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))
from programs import Control, Program, Serve  # noqa: E402

USER, PASSWORD = "demo@example.com", "demo"
DAV, CALDAV = "DAV:", "urn:ietf:params:xml:ns:caldav"


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
    """CPU seconds and peak resident MB of a process."""
    ticks = os.sysconf("SC_CLK_TCK")
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    peak = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return (int(fields[11]) + int(fields[12])) / ticks, int(peak[1]) / 1024


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

    def __init__(self, program, exchange):
        self.serve = Serve(program, exchange)
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
                                   {"Radicale": "radicale==3.5.7", "Xandikos": "xandikos==0.2.12"}[self.name]])
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


class Table:
    """work → subject → figure."""

    def __init__(self, title, unit):
        self.title, self.unit, self.rows = title, unit, {}

    def put(self, work, subject, value):
        self.rows.setdefault(work, {})[subject] = value

    def show(self):
        subjects = list(dict.fromkeys(s for row in self.rows.values() for s in row))
        print(f"\n## {self.title} ({self.unit})\n")
        others = [s for s in subjects if s != "exdav"]
        print("| work | " + " | ".join(subjects) + "".join(f" | {o} ÷ exdav" for o in others) + " |")
        print("|---" * (1 + len(subjects) + len(others)) + "|")
        for work, row in self.rows.items():
            cells = [f"{row[s]:,.2f}" if s in row else "–" for s in subjects]
            base = row.get("exdav")
            ratios = [f"{row[o] / base:,.1f}×" if o in row and base else "–" for o in others]
            print(f"| {work} | " + " | ".join(cells + ratios) + " |")


def upstream(program, tools, sizes, latency, short):
    """exdav and DavMail before the same simulated Exchange."""
    del tools
    times, calls = Table(f"before an Exchange that answers after {latency} ms", "ms, median"), Table("EWS calls", "requests")
    peak, processor = Table("peak memory", "MB"), Table("CPU for all of it", "s")
    for size in sizes:
        exchange = Program(program, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0",
                           "--events", str(size), "--mailboxes", "1")
        control = Control(exchange.urls["control"])
        control.ask("POST", "/latency", {"ms": latency})
        subjects = [Exdav(program, exchange.urls["exchange"])]
        if size <= 1000:
            subjects.append(DavMail(exchange.urls["exchange"]))

        def measure(subject, work, operation, repeat=1):
            control.reset()
            median, worst, value = timed(operation, repeat)
            times.put(f"{work} ({size:,} events)", subject.name, median)
            if repeat > 20:
                times.put(f"{work}, 99th percentile ({size:,} events)", subject.name, worst)
            calls.put(f"{work} ({size:,} events)", subject.name, sum(control.calls().values()) / repeat)
            return value

        for subject in subjects:
            start = time.perf_counter()
            subject.start()
            answers(subject.url)
            times.put(f"start to first answer ({size:,} events)", subject.name, (time.perf_counter() - start) * 1000)
            peak.put(f"idle ({size:,} events)", subject.name, resources(subject.process.pid)[1])
            measure(subject, "sign-in and discovery", subject.locate)
            listing = measure(subject, "first listing with ETags",
                              lambda s=subject: s.client.ask("PROPFIND", s.calendar, propfind("D:getetag"), "1"))
            subject.hrefs = [h for h in members(listing, subject.calendar)]
            batches = [subject.hrefs[i:i + 100] for i in range(0, len(subject.hrefs), 100)]
            measure(subject, "fetching all, 100 hrefs a multiget",
                    lambda s=subject, b=batches: [s.client.ask("REPORT", s.calendar, multiget(h), "1") for h in b])
        rounds = 20 if short else 100
        for subject in subjects:
            measure(subject, "unchanged poll",
                    lambda s=subject: s.client.ask("PROPFIND", s.calendar, propfind("CS:getctag")), rounds)
            measure(subject, "multiget of 100",
                    lambda s=subject: s.client.ask("REPORT", s.calendar, multiget(s.hrefs[:100]), "1"), 3)
            measure(subject, "query of a month", lambda s=subject: s.client.ask(
                "REPORT", s.calendar, month("20261101T000000Z", "20261201T000000Z"), "1"), 3)

            def fifty(s=subject):
                def poll():
                    Client(s.url).ask("PROPFIND", s.calendar, propfind("CS:getctag"))
                threads = [threading.Thread(target=poll) for _ in range(50)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            measure(subject, "50 clients poll at once", fifty)
        for subject in subjects:
            spent, memory = resources(subject.process.pid)
            processor.put(f"{size:,} events", subject.name, spent)
            peak.put(f"after all ({size:,} events)", subject.name, memory)
            subject.stop()
        exchange.stop()
    for table in (times, calls, peak, processor):
        table.show()


def serving(program, tools, size, short):
    """exdav's warm mirror beside servers that hold the same objects on their own disk."""
    table = Table(f"pure serving, {size:,} events, warm", "ms, median")
    exchange = Program(program, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0",
                       "--events", str(size), "--mailboxes", "1")
    gateway = Exdav(program, exchange.urls["exchange"])
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
    rounds = 3 if short else 9
    sync = (f'<D:sync-collection xmlns:D="{DAV}"><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop>'
            "</D:sync-collection>")
    spent = {}
    for _ in range(rounds):
        for subject in subjects:
            for work, operation in (
                    ("multiget of 100", lambda s=subject: s.client.ask("REPORT", s.calendar, multiget(s.hrefs[:100]), "1")),
                    ("multiget of 1,000", lambda s=subject: s.client.ask("REPORT", s.calendar, multiget(s.hrefs[:1000]), "1")),
                    ("query of a month", lambda s=subject: s.client.ask(
                        "REPORT", s.calendar, month("20261101T000000Z", "20261201T000000Z"), "1")),
                    ("sync-collection from nothing", lambda s=subject: s.client.ask("REPORT", s.calendar, sync, "1")),
                    ("PROPFIND with ETags", lambda s=subject: s.client.ask("PROPFIND", s.calendar, propfind("D:getetag"), "1")),
                    ("GET of one", lambda s=subject: s.client.ask("GET", s.hrefs[0]))):
                spent.setdefault((work, subject.name), []).append(timed(operation, 1)[0])
    for (work, name), values in spent.items():
        table.put(work, name, statistics.median(values))
    for subject in subjects:
        subject.stop()
    exchange.stop()
    table.show()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exdav", required=True)
    parser.add_argument("--tools", required=True)
    parser.add_argument("--short", action="store_true")
    arguments = parser.parse_args()
    print(f"exdav is {os.path.getsize(arguments.exdav) / 1e6:.1f} MB")
    upstream(arguments.exdav, arguments.tools, [200] if arguments.short else [1000, 10_000], 20, arguments.short)
    serving(arguments.exdav, arguments.tools, 200 if arguments.short else 1000, arguments.short)


if __name__ == "__main__":
    main()
