#!/usr/bin/env python3
"""The same client work against exdav and its alternatives, alternating; medians, ratios and margins at the end.

    bench.py --exdav PROGRAM --tools DIR [--short] [--only PART]
"""
import argparse
import math
import os
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from subjects import DavMail, Echo, Exchange, Exdav, Python, effort, resources, workplace  # noqa: E402
from wire import Client, cards, event, members, month, multiget, person, propfind, sync, token  # noqa: E402

LATENCY = 20
# DavMail takes a tenth of a second for an event: of more than a thousand only these are fetched, and reckoned up.
MOST_OF_DAVMAIL = 1_000
SAMPLE_OF_DAVMAIL = 200
# Of so many polls the hundredth part that took longest.
POLLS = 5_000
# Tables and margins are printed together at the end: what comes between may be long.
PRINTED = []


def say(text):
    print(time.strftime("%H:%M:%S ") + text, flush=True)


def timed(operation, times):
    """Median milliseconds, and the last value."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        value = operation()
        spent.append((time.perf_counter() - start) * 1000)
    return statistics.median(spent), value


def table(title, head, rows):
    PRINTED.append(f"\n## {title}\n\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|\n"
                   + "".join("| " + " | ".join(row) + " |\n" for row in rows))


class Margins:
    """What must be reached, and what was."""

    def __init__(self):
        self.rows = []

    def put(self, work, must, figure, reached, other=""):
        self.rows.append([work, must, figure, "yes" if reached else "**no**", other])

    def show(self):
        table("margins", ["work", "must be", "exdav", "reached", "the others"], self.rows)


MARGINS = Margins()


class Results:
    """Row → subject → figures of every run: milliseconds, EWS calls, HTTP requests to Exchange, octets to and from it."""

    def __init__(self):
        self.rows = {}

    def put(self, work, subject, *figures):
        self.rows.setdefault(work, {}).setdefault(subject.name, []).append(figures + (None,) * (4 - len(figures)))

    def median(self, work, name, which=0):
        values = [v[which] for v in self.rows.get(work, {}).get(name, []) if v[which] is not None]
        return statistics.median(values) if values else None

    def calls(self, work, name="exdav"):
        return self.median(work, name, 1)

    def show(self, title):
        subjects = list(dict.fromkeys(s for row in self.rows.values() for s in row))
        others = [s for s in subjects if s != "exdav"]
        with_calls = any(v[1] is not None for row in self.rows.values() for runs in row.values() for v in runs)
        head = ["work"] + [f"{s} ms" for s in subjects] + [f"{o} ÷ exdav" for o in others]
        if with_calls:
            head += [f"{s} EWS calls / HTTP / KB" for s in subjects]
        rows = []
        for work in self.rows:
            times = {s: self.median(work, s) for s in subjects}
            cells = ["–" if times[s] is None else f"{times[s]:,.2f}" for s in subjects]
            cells += [f"{times[o] / times['exdav']:,.1f}×" if times[o] and times.get("exdav") else "–" for o in others]
            for subject in subjects if with_calls else []:
                calls, requests, octets = (self.median(work, subject, which) for which in (1, 2, 3))
                cells.append("–" if calls is None else f"{calls:,.4g} / {requests:,.4g} / {octets / 1000:,.4g}")
            rows.append([work, *cells])
        table(title, head, rows)


def measured(exchange, results, subject, work, operation, repeat=1, scale=1):
    """Runs it and notes what it cost; `scale`: it was that part of the work."""
    exchange.control.reset()
    median, value = timed(operation, repeat)
    calls, requests, octets = (figure / repeat * scale for figure in exchange.counted())
    results.put(work, subject, median * scale, calls, requests, octets)
    return value


def percentile(exchange, results, subject, times):
    """The 99th percentile of unchanged polls, before any of the others is started. In turn with them a process that
    does nothing else echoes as many octets: what it takes at the same time is the machine's."""
    poll(subject)
    with Echo() as echo:
        polls, echoes = [], []
        exchange.control.reset()
        for _ in range(times):
            polls.append(timed(lambda: poll(subject), 1)[0])
            echoes.append(timed(echo.ask, 1)[0])
    calls = exchange.counted()[0]
    for work, spent in (("unchanged poll", polls), ("bare echo", echoes)):
        results.put(f"{work}, 99th percentile of {times:,}", subject, sorted(spent)[int(times * 0.99)])
    if calls:
        say(f"{calls} calls to Exchange in {times:,} unchanged polls")


def at_once(number, operation):
    threads = [threading.Thread(target=operation, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def listing(subject, client=None):
    return (client or subject.client).ask("PROPFIND", subject.calendar, propfind("D:getetag"), "1")


def poll(subject):
    return subject.client.ask("PROPFIND", subject.calendar, propfind("CS:getctag"))


def month_query(subject):
    return subject.client.ask("REPORT", subject.calendar, month(), "1")


def fetch(subject, hrefs):
    return [subject.client.ask("REPORT", subject.calendar, multiget(hrefs[i:i + 100]), "1") for i in range(0, len(hrefs), 100)]


class Memory:
    """Resident megabytes, now and at most, by what was done before."""

    def __init__(self):
        self.rows, self.processor = {}, {}

    def note(self, when, subject):
        """What is noted more than once counts with its median."""
        spent, now, peak = resources(subject.process.pid)
        self.rows.setdefault(when, {}).setdefault(subject.name, []).append((now, peak))
        self.processor[subject.name] = spent

    def at(self, when, name):
        return tuple(map(statistics.median, zip(*self.rows[when][name])))

    def show(self, title):
        names = list(self.processor)
        rows = [[when, *("{:.1f} ({:.1f})".format(*self.at(when, n)) if n in row else "–" for n in names)] for when, row in self.rows.items()]
        rows.append(["CPU seconds for all of it", *(f"{self.processor[n]:.2f}" for n in names)])
        table(title, ["memory, MB (peak)", *names], rows)


def first_sync(exchange, results, subject, size, memory):
    """Start, discovery, listing and all bodies, as a new client does it."""
    for last in (False, False, False, False, True) if subject.name == "exdav" else (True,):
        start = time.perf_counter()
        subject.start()
        results.put("start to first answer", subject, (time.perf_counter() - start) * 1000)
        memory.note("idle", subject)
        if not last:
            subject.serve.running.stop()
    measured(exchange, results, subject, "sign-in and discovery", subject.locate)
    work = f"first sync of {size:,} events"
    part = subject.name == "DavMail" and size > MOST_OF_DAVMAIL

    def everything():
        subject.hrefs = members(listing(subject), subject.calendar)
        if not part:
            fetch(subject, subject.hrefs)
    if not part:
        measured(exchange, results, subject, work, everything)
    else:
        own = Results()
        measured(exchange, own, subject, "listing", everything)
        few = subject.hrefs[:SAMPLE_OF_DAVMAIL]
        measured(exchange, own, subject, "bodies", lambda: fetch(subject, few), 1, len(subject.hrefs) / len(few))
        whole = [own.median("listing", subject.name, n) + own.median("bodies", subject.name, n) for n in range(4)]
        results.put(work + f" (DavMail reckoned up from {len(few)})", subject, *whole)
        return
    memory.note(f"after {size:,} events", subject)


def until_it_listens(exchange, subject):
    """A mailbox that is asked for past the freshness window is listened to; what that takes is not part of a poll."""
    while not exchange.control.ask("GET", "/streaming")["subscriptions"]:
        poll(subject)
        time.sleep(0.1)
    # Whatever came before it began to listen is looked at once more.
    poll(subject)
    poll(subject)


def work(exchange, results, subject, short):
    """What clients do all day. What takes DavMail seconds it does once."""
    slow = subject.name != "exdav"
    poll(subject)
    if not slow:
        measured(exchange, results, subject, "until it listens, once for a mailbox", lambda: until_it_listens(exchange, subject))
    measured(exchange, results, subject, "unchanged poll", lambda: poll(subject), 20 if slow else 500)
    second = Client(subject.url)
    measured(exchange, results, subject, "a second client lists", lambda: listing(subject, second))
    measured(exchange, results, subject, "multiget of 100", lambda: fetch(subject, subject.hrefs[:100]), 1 if slow else 5)
    measured(exchange, results, subject, "query of a month", lambda: month_query(subject), 1 if slow else 5)
    measured(exchange, results, subject, "50 clients poll at once", lambda: at_once(
        50, lambda: Client(subject.url).ask("PROPFIND", subject.calendar, propfind("CS:getctag"))))
    path, uid = f"{subject.calendar}bench-{subject.name}.ics", f"bench-{subject.name}"

    def put(text, **more):
        return lambda: subject.client.ask("PUT", path, text, Content_Type="text/calendar", **more)
    measured(exchange, results, subject, "create", put(event(uid, "one"), If_None_Match="*"))
    measured(exchange, results, subject, "update", put(event(uid, "two")))
    measured(exchange, results, subject, "delete", lambda: subject.client.ask("DELETE", path))
    rule = "RRULE:FREQ=DAILY;COUNT=200\r\n"
    put(event(uid + "-series", "series", rule))()
    # The 105th day from the first of December
    measured(exchange, results, subject, "one EXDATE at the 105th occurrence",
             put(event(uid + "-series", "series", rule + "EXDATE:20270315T090000Z\r\n")))
    subject.client.ask("DELETE", path)


def many_sign_in(exchange, results, subject):
    measured(exchange, results, subject, "sign-in of 8 clients at once", lambda: at_once(
        8, lambda: Client(subject.url).ask("PROPFIND", "/", propfind("D:current-user-principal"))))


def one_change(exchange, results, program, sizes):
    """A colleague makes one event, and a client that has all others asks. exdav looks at Exchange at each request here."""
    octets = {}
    for size in sizes:
        row = f"one change in {size:,}"
        if exchange is None or exchange.size != size:
            own = Exchange(program, LATENCY, size, 0)
        else:
            own = exchange
        subject = Exdav(program, own.url, sync__freshness="0s", sync__live=False)
        subject.start()
        subject.locate()
        # A collection has a token when its first fill is complete, which a listing waits for.
        subject.client.ask("PROPFIND", subject.calendar, propfind("D:getetag"), "1")
        before = token(subject.client.ask("PROPFIND", subject.calendar, propfind("D:sync-token")))
        own.change(1)
        answer = measured(own, results, subject, row, lambda: subject.client.ask("REPORT", subject.calendar, sync(before), "1"))
        octets[size] = {"exdav": len(answer)}
        subject.stop()
        other = DavMail(own.url)
        other.start()
        other.locate()
        poll(other)
        own.change(2)
        answer = measured(own, results, other, row, lambda: (poll(other), listing(other))[1])
        octets[size]["DavMail"] = len(answer)
        other.stop()
        if own is not exchange:
            own.stop()
    return octets


def photos(program, results, number):
    """Contacts with photos, as a new client gets them."""
    exchange = Exchange(program, 0, 0, 0)
    exchange.photographed(number)
    exchange.control.ask("POST", "/latency", {"ms": LATENCY})
    for subject in (Exdav(program, exchange.url), DavMail(exchange.url)):
        subject.start()
        subject.locate()
        books = subject.address_book()
        if subject.name == "exdav":  # DavMail knows no list of its address books
            subject.client.ask("PROPFIND", books.rsplit("/", 2)[0] + "/", propfind("D:displayname"), "1")

        def people():
            hrefs = members(subject.client.ask("PROPFIND", books, propfind("D:getetag"), "1"), books)
            texts = [subject.client.ask("REPORT", books, cards(hrefs[i:i + 100]), "1") for i in range(0, len(hrefs), 100)]
            return b"".join(texts).count(b"PHOTO")
        found = measured(exchange, results, subject, f"{number} contacts with photos", people)
        if found < number:
            say(f"{subject.name}: only {found} of {number} photos")
        subject.stop()
    exchange.stop()


def upstream(program, latency, size, short):
    """exdav and DavMail before the same simulated Exchange."""
    results, memory = Results(), Memory()
    exchange = Exchange(program, latency, size)
    exchange.size = size
    subjects = [Exdav(program, exchange.url), DavMail(exchange.url)]
    for subject in subjects:
        say(f"{subject.name}, {latency} ms: first sync of {size:,} events")
        first_sync(exchange, results, subject, size, memory)
        if subject.name == "exdav" and latency:
            percentile(exchange, results, subject, POLLS)
    rounds = 1 if short or latency else 3
    for _ in range(rounds):  # in turn
        for subject in subjects:
            say(f"{subject.name}, {latency} ms: daily work")
            work(exchange, results, subject, short)
    for subject in subjects:
        memory.note("after all", subject)
        subject.stop()
    for subject in (Exdav(program, exchange.url), DavMail(exchange.url)):
        subject.start()
        many_sign_in(exchange, results, subject)
        subject.stop()
    changes = {}
    if latency:
        say(f"{latency} ms: one change")
        changes = one_change(exchange, results, program, [size] if short else [size, 20_000])
        photos(program, results, 10 if short else 50)
    exchange.stop()
    results.show(f"{size:,} events before an Exchange that answers after {latency} ms")
    for many, answer in changes.items():
        PRINTED.append(f"\nOne change in {many:,}: exdav answers {answer['exdav']:,} octets, DavMail {answer['DavMail']:,}.\n")
    memory.show(f"memory, {size:,} events, {latency} ms")
    if latency:
        against_davmail(results, memory, changes, size)


def against_davmail(results, memory, changes, size):
    """The margins that DavMail sets."""
    def both(work, which=0, unit=" ms"):
        return f"DavMail {results.median(work, 'DavMail', which):,.4g}{unit}"

    def calls(work, most):
        figure = results.calls(work)
        MARGINS.put(work, f"≤ {most} calls", f"{figure:g}", figure <= most, both(work, 1, " calls"))
    MARGINS.put("unchanged poll", "0 calls", f"{results.calls('unchanged poll'):g}", results.calls("unchanged poll") == 0,
                both("unchanged poll", 1, " calls"))
    tail = f", 99th percentile of {POLLS:,}"
    for work, most, beside in (("unchanged poll", 0.5, both("unchanged poll")),
                               ("unchanged poll" + tail, 2, f"a bare echo {results.median('bare echo' + tail, 'exdav'):.2f} ms")):
        figure = results.median(work, "exdav")
        MARGINS.put(work, f"≤ {most} ms", f"{figure:.2f} ms", figure <= most, beside)
    for many, answer in changes.items():
        calls(f"one change in {many:,}", 2)
        MARGINS.put(f"one change in {many:,}", "≤ 2,048 octets", f"{answer['exdav']:,}", answer["exdav"] <= 2048,
                    f"DavMail {answer['DavMail']:,}")
    sync_work = f"first sync of {size:,} events"
    calls(sync_work, 25)
    seconds = results.median(sync_work, "exdav") / 1000
    MARGINS.put(sync_work, "≤ 2 s", f"{seconds:.2f} s", seconds <= 2, both(sync_work))
    calls("a second client lists", 0)
    photo = next(work for work in results.rows if "photos" in work)
    # Two, and one for 25 photos
    calls(photo, 2 + math.ceil(int(photo.split()[0]) / 25))
    for work in ("create", "update", "delete"):
        calls(work, 1)
    calls("one EXDATE at the 105th occurrence", 4)
    calls("sign-in of 8 clients at once", 2)
    # The first request of a process learns what the server offers.
    rows = [(r["exdav"], r.get("DavMail")) for work, r in results.rows.items() if "exdav" in r and "sign-in" not in work]
    ews, http = (sum(v[which] or 0 for own, _ in rows for v in own) for which in (1, 2))
    theirs = [sum(v[which] or 0 for _, other in rows if other for v in other) for which in (1, 2)]
    MARGINS.put("HTTP requests per EWS call after the sign-in, Basic", "1", f"{http / ews:.2f}", http <= ews * 1.005,
                f"DavMail {theirs[1] / theirs[0]:.2f}")
    start = results.median("start to first answer", "exdav")
    MARGINS.put("start to first answer", "≤ 20 ms", f"{start:.1f} ms", start <= 20, both("start to first answer"))
    for when, most in (("idle", 10), (f"after {size:,} events", 25)):
        now, theirs = (memory.at(when, name)[0] for name in ("exdav", "DavMail"))
        MARGINS.put(f"memory {when}", f"≤ {most} MB", f"{now:.1f} MB", now <= most, f"DavMail {theirs:.0f} MB")


def large(program, short):
    """A big mailbox: DavMail fetches a part of it."""
    results, memory = Results(), Memory()
    events, contacts = (500, 200) if short else (10_000, 2_000)
    exchange = Exchange(program, LATENCY, events, contacts)
    subject = Exdav(program, exchange.url)
    say(f"exdav: first sync of {events:,} events and {contacts:,} contacts")
    first_sync(exchange, results, subject, events, memory)
    books = subject.address_book()

    def people():
        hrefs = members(subject.client.ask("PROPFIND", books, propfind("D:getetag"), "1"), books)
        for start in range(0, len(hrefs), 100):
            subject.client.ask("REPORT", books, cards(hrefs[start:start + 100]), "1")
    measured(exchange, results, subject, f"first sync of {contacts:,} contacts", people)

    def upload():
        numbers, turn = iter(range(contacts)), threading.Lock()

        def some():
            client = Client(subject.url)
            while True:
                with turn:
                    number = next(numbers, None)
                if number is None:
                    return
                client.ask("PUT", f"{books}upload-{number}.vcf", person(number), Content_Type="text/vcard", If_None_Match="*")
        at_once(8, some)
    measured(exchange, results, subject, f"upload of {contacts:,} contacts, 8 in flight", upload)
    measured(exchange, results, subject, "multiget of 1,000", lambda: subject.client.ask(
        "REPORT", subject.calendar, multiget(subject.hrefs[:1000]), "1"), 5)
    found = measured(exchange, results, subject, f"query of a month in {events:,} events", lambda: month_query(subject), 5)
    events_of = b"".join(fetch(subject, subject.hrefs)).split(b"BEGIN:VEVENT")[1:]
    series = sum(b"\nRRULE:" in text.split(b"END:VEVENT")[0] for text in events_of)
    PRINTED.append(f"\nOf {len(subject.hrefs):,} events {series:,} are series; "
                   f"{len(members(found, subject.calendar)):,} are found in the month.\n")
    home = subject.calendar.rsplit("/", 2)[0] + "/"
    for number in range(20):
        subject.client.ask("MKCALENDAR", f"{home}bench-{number}/", "")
    tags = propfind("CS:getctag")
    subject.client.ask("PROPFIND", home, tags, "1")
    measured(exchange, results, subject, "poll of a home with 20 calendars", lambda: subject.client.ask(
        "PROPFIND", home, tags, "1"), 100)
    memory.note("after all", subject)
    subject.stop()
    work = f"first sync of {events:,} events"
    if not short:
        say(f"DavMail: first sync of {events:,} events")
        other = DavMail(exchange.url)
        first_sync(exchange, results, other, events, memory)
        memory.note("after all", other)
        other.stop()
        reckoned = next(w for w in results.rows if "reckoned" in w)
        times = results.median(reckoned, "DavMail") / results.median(work, "exdav")
        MARGINS.put(work, "≥ 20× faster", f"{results.median(work, 'exdav') / 1000:.2f} s, {times:,.0f}×", times >= 20,
                    f"DavMail {results.median(reckoned, 'DavMail') / 1000:,.0f} s, reckoned up")
    exchange.stop()
    results.show(f"a big mailbox, {LATENCY} ms")
    memory.show("memory, a big mailbox")


def growth(program, short):
    """The same at 1×, 4× and 16× the size; the exponent says how the time grows with the mailbox. First the months are as
    long as ever and fuller, then there are more of them, and the month that is asked for stays the same."""
    base = 100 if short else 1_250
    factors = (1, 4, 16)
    fuller = [Grown(program, base * factor, 365, short) for factor in factors]
    longer = [Grown(program, base * factor, 365 * factor, short, only_month=True) for factor in factors]
    for title, sizes in (("growth of all months, 0 ms", fuller), ("growth by more months, 0 ms", longer)):
        rows = []
        for work in sizes[0].results.rows:
            row = [(size.results.median(work, "exdav"), size.results.calls(work)) for size in sizes]
            rows.append([work, *(f"{ms:.2f} ms, {calls:g} calls" for ms, calls in row), exponent([ms for ms, _ in row])])
        for what, values in (("query of a month, CPU", [size.month_cpu for size in sizes]),
                             ("for each event that is found, CPU", [size.month_cpu / size.found for size in sizes])):
            rows.append([what, *(f"{value:.3f} ms" for value in values), exponent(values)])
        heads = [f"{size.events:,} events ({size.found:,} in the month)" for size in sizes]
        table(title, ["work", *heads, "exponent"], rows)
    if not short:
        most = fuller[-1]
        MARGINS.put(f"memory after {most.events:,} events", "≤ 40 MB", f"{most.memory:.1f} MB", most.memory <= 40)


def exponent(values):
    """Of the size: 1 is as the mailbox, 0 not at all."""
    return f"{math.log(values[-1] / values[0]) / math.log(16):.2f}"


class Grown:
    """exdav's work before a mailbox of one size."""

    def __init__(self, program, number, days, short, only_month=False):
        say(f"growth: {number:,} events in {days:,} days")
        self.results, exchange = Results(), Exchange(program, 0, number, 0, days=days)
        if not only_month:
            self.looks(exchange, program)
        # What is served from the mirror: within the window nobody looks at Exchange.
        subject = Exdav(program, exchange.url)
        subject.start()
        subject.locate()
        self.events = len(members(listing(subject), subject.calendar))
        measured(exchange, self.results, subject, "unchanged poll", lambda: poll(subject), 100)
        month_query(subject)
        before = effort(subject.process.pid)
        times = 5 if short else 20
        answer = measured(exchange, self.results, subject, "query of a month", lambda: month_query(subject), times)
        self.month_cpu = (effort(subject.process.pid) - before) * 1000 / times
        self.found = len(members(answer, subject.calendar))
        if not only_month:
            measured(exchange, self.results, subject, "listing with ETags", lambda: listing(subject), 5)
        self.memory = resources(subject.process.pid)[1]
        subject.stop()
        exchange.stop()

    def looks(self, exchange, program):
        """What has to ask Exchange each time."""
        subject = Exdav(program, exchange.url, sync__freshness="0s", sync__live=False)
        subject.start()
        subject.locate()
        listing(subject)
        measured(exchange, self.results, subject, "unchanged poll that looks at Exchange", lambda: poll(subject), 100)
        for number in range(5):
            subject.client.ask("PROPFIND", subject.calendar, propfind("D:getetag"), "1")
            before = token(subject.client.ask("PROPFIND", subject.calendar, propfind("D:sync-token")))
            exchange.change(number)
            measured(exchange, self.results, subject, "one change", lambda t=before: subject.client.ask(
                "REPORT", subject.calendar, sync(t), "1"))
        subject.stop()


def serving(program, tools, size, short):
    """exdav's warm mirror beside servers that hold the same objects on their own disk."""
    say(f"pure serving of {size:,} events")
    exchange = Exchange(program, 0, size)
    gateway = Exdav(program, exchange.url)
    gateway.start()
    gateway.locate()
    gateway.hrefs = members(listing(gateway), gateway.calendar)
    objects = [gateway.client.ask("GET", href).decode() for href in gateway.hrefs]
    subjects, memory = [gateway], Memory()
    for name in ("Radicale", "Xandikos"):
        other = Python(name, tools, objects)
        other.start()
        other.locate()
        other.hrefs = [f"{other.calendar}{n}.ics" for n in range(len(objects))]
        subjects.append(other)
    results, efforts = Results(), Results()
    must = ["multiget of 100", f"multiget of {min(size, 1000):,}", "query of a month", "sync-collection from nothing"]
    for subject in subjects:
        poll(subject)
    for _ in range(3 if short else 5):
        for subject in subjects:  # in turn
            ask = subject.client.ask
            for what, times, operation in (
                    ("unchanged poll", 5, lambda: poll(subject)),
                    (must[0], 1, lambda: ask("REPORT", subject.calendar, multiget(subject.hrefs[:100]), "1")),
                    (must[1], 1, lambda: ask("REPORT", subject.calendar, multiget(subject.hrefs[:1000]), "1")),
                    (must[2], 1, lambda: month_query(subject)),
                    (must[3], 1, lambda: ask("REPORT", subject.calendar, sync(""), "1")),
                    ("PROPFIND with ETags", 1, lambda: listing(subject)),
                    ("GET of one", 5, lambda: ask("GET", subject.hrefs[0]))):
                before = effort(subject.process.pid)
                milliseconds = timed(operation, times)[0]
                spent = (effort(subject.process.pid) - before) * 1000 / times
                results.put(what, subject, milliseconds)
                efforts.put(what, subject, spent)
    for subject in subjects:
        memory.note("after all", subject)
        subject.stop()
    exchange.stop()
    results.show(f"pure serving, {size:,} events, warm")
    efforts.show("pure serving: CPU of one request")
    memory.show("pure serving, memory")
    for work in dict.fromkeys(must):
        ratios = {s.name: results.median(work, s.name) / results.median(work, "exdav") for s in subjects[1:]}
        MARGINS.put(f"{work}, served", "≥ 10× faster", f"{results.median(work, 'exdav'):.2f} ms", min(ratios.values()) >= 10,
                    ", ".join(f"{name} {ratio:.0f}×" for name, ratio in ratios.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exdav", required=True)
    parser.add_argument("--tools", required=True)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", choices=["upstream", "large", "growth", "serving"])
    arguments = parser.parse_args()
    workplace("bench")
    program, short = arguments.exdav, arguments.short
    size = 100 if short else 1_000
    parts = {
        "upstream": lambda: [upstream(program, latency, size, short) for latency in ([LATENCY] if short else [0, LATENCY])],
        "large": lambda: large(program, short),
        "growth": lambda: growth(program, short),
        "serving": lambda: serving(program, arguments.tools, size, short),
    }
    try:
        for name, part in parts.items():
            if arguments.only in (None, name):
                part()
    finally:
        size = os.path.getsize(program) / 1e6
        MARGINS.put("the program, one file (profile dist)", "≤ 15 MB", f"{size:.1f} MB", size <= 15, "DavMail about 184 MB with its Java")
        MARGINS.show()
        print("".join(PRINTED), flush=True)


if __name__ == "__main__":
    main()
