#!/usr/bin/env python3
"""Instructions by function for the requests that clients send most, as valgrind counts them: the same on a busy machine.

    profile.py --exdav PROGRAM [--events 10000] [--functions 6]

The program needs its symbols: CARGO_PROFILE_RELEASE_STRIP=none cargo build --release
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from subjects import Exchange, Exdav, Program, workplace  # noqa: E402
from wire import members, month, multiget, propfind, sync  # noqa: E402

# What a function belongs to, by its name: the first that fits.
PARTS = [
    ("memory: malloc, free, copies", r"^(_?_?(malloc|free|calloc|realloc|mem\w+|bcmp)|_int_\w+|unlink_chunk\S*|malloc_consolidate|tcache\w*)(@|'|$)|__rust|alloc::raw_vec|sysmalloc"),
    ("the store: redb", r"redb::"),
    ("exdav: mirror", r"exdav::mirror"),
    ("exdav: text", r"exdav::text"),
    ("exdav: query", r"exdav::query"),
    ("exdav: model", r"exdav::model"),
    ("exdav: XML", r"exdav::xml|quick_xml"),
    ("exdav: gateway, sync", r"exdav::(gateway|sync)"),
    ("exdav: dav, server", r"exdav::(dav|server|accounts)"),
    ("times: jiff", r"jiff"),
    ("HTTP and tasks", r"hyper|http|axum|tower|tokio|mio|futures|tracing|matchit"),
]


def part(name):
    return next((label for label, pattern in PARTS if re.search(pattern, name)), "all else")


def short(name):
    """Without generics and hashes."""
    name = re.sub(r"::h[0-9a-f]{16}$", "", name.split("'")[0])
    while re.search(r"<[^<>]*>", name) and not name.startswith("<"):
        name = re.sub(r"<[^<>]*>", "", name)
    return name if len(name) <= 90 else name[:87] + "…"


def costs(file):
    """Instructions that each function spent itself, from a file of callgrind."""
    names, own, current, skip = {}, {}, None, False
    for line in open(file, encoding="utf-8", errors="replace"):
        if line.startswith("fn="):
            number, _, name = line[3:].strip().partition(" ")
            current = names[number] = name or names[number]
        elif line.startswith("cfn="):
            number, _, name = line[4:].strip().partition(" ")
            if name:
                names[number] = name
        elif line.startswith("calls="):
            skip = True  # the next line is what the called one spent
        elif line[:1].isdigit() or line[:1] in "+-*":
            if not skip and current:
                own[current] = own.get(current, 0) + int(line.split()[1])
            skip = False
    return own


class Counted:
    """exdav under valgrind, which counts only what it is told to."""

    def __init__(self, subject, program):
        self.folder = Path(tempfile.mkdtemp(prefix="callgrind-"))
        command = ["--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={self.folder}/out", program, "serve",
                   "--config", subject.serve.config]
        environment = dict(os.environ, EXDAV_LOG="warn")
        subject.serve.running = Program("valgrind", *command, environment=environment)
        subject.process, subject.url = subject.serve.running.process, subject.serve.running.urls["gateway"]
        subject.wait()
        self.pid = str(subject.process.pid)

    def control(self, *words):
        subprocess.run(["callgrind_control", *words, self.pid], check=True, stdout=subprocess.DEVNULL)

    def of(self, operation, times):
        """Function → instructions of one request."""
        for _ in range(3):
            operation()
        before = set(self.folder.iterdir())
        self.control("-i", "on")
        for _ in range(times):
            operation()
        self.control("--dump=counted")
        self.control("-i", "off")
        own = {}
        for file in set(self.folder.iterdir()) - before:
            for name, spent in costs(file).items():
                own[name] = own.get(name, 0) + spent / times
        return own


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exdav", required=True)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--functions", type=int, default=6)
    arguments = parser.parse_args()
    workplace("profile")
    exchange = Exchange(arguments.exdav, 0, arguments.events, 0)
    subject = Exdav(arguments.exdav, exchange.url, sync__live=False, sync__freshness="1h")
    subject.start()
    subject.locate()
    ask = subject.client.ask
    hrefs = members(ask("PROPFIND", subject.calendar, propfind("D:getetag"), "1"), subject.calendar)
    subject.serve.running.stop()
    counted = Counted(subject, arguments.exdav)
    subject.locate()
    ask = subject.client.ask
    found = members(ask("REPORT", subject.calendar, month(), "1"), subject.calendar)
    columns = [
        ("unchanged poll", 100, lambda: ask("PROPFIND", subject.calendar, propfind("CS:getctag"))),
        ("multiget of 100", 5, lambda: ask("REPORT", subject.calendar, multiget(hrefs[:100]), "1")),
        (f"a month: {len(found):,} of {len(hrefs):,}", 2, lambda: ask("REPORT", subject.calendar, month(), "1")),
        (f"sync-collection of {len(hrefs):,}", 1, lambda: ask("REPORT", subject.calendar, sync(""), "1")),
    ]
    tables = [(title, counted.of(operation, times)) for title, times, operation in columns]
    subject.stop()
    exchange.stop()
    print("\nThousands of instructions of one request\n\n| part | " + " | ".join(title for title, _ in tables) + " |")
    print("|---" * (len(tables) + 1) + "|")
    sums = [{} for _ in tables]
    for into, (_, own) in zip(sums, tables):
        for name, spent in own.items():
            into[part(name)] = into.get(part(name), 0) + spent
    for label in [*(label for label, _ in PARTS), "all else"]:
        print(f"| {label} | " + " | ".join(f"{into.get(label, 0) / 1000:,.0f}" for into in sums) + " |")
    print("| all | " + " | ".join(f"{sum(into.values()) / 1000:,.0f}" for into in sums) + " |")
    for title, own in tables:
        print(f"\n{title}\n")
        for name, spent in sorted(own.items(), key=lambda row: -row[1])[:arguments.functions]:
            print(f"    {spent / 1000:>12,.0f}  {short(name)}")


if __name__ == "__main__":
    main()
