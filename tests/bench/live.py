#!/usr/bin/env python3
"""Many mailboxes with live streams on one exdav: memory for each, and processor time when nothing happens.

    live.py --exdav PROGRAM [--mailboxes N] [--events N] [--idle SECONDS] [--close SECONDS]

Every mailbox is signed in to and its calendar is polled until exdav listens to it, over a connection of its own. Then
nobody asks for anything: mirrors that nobody has needed for `--close` seconds are closed, and a last poll opens them again.
Prints figures; asserts nothing.
"""
import argparse
import base64
import concurrent.futures
import http.client
import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))
from programs import Control, Program, Serve  # noqa: E402

PASSWORD = "demo"
SYNC = """<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:sync-level>1</D:sync-level>
<D:prop><D:getetag/></D:prop></D:sync-collection>"""


def resident(pid):
    """MB of a process."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def processor(pid):
    """CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exdav", required=True)
    parser.add_argument("--mailboxes", type=int, default=1000)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--idle", type=float, default=60)
    parser.add_argument("--close", type=int, default=20)
    arguments = parser.parse_args()
    # Each mailbox is a file and a connection.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count = arguments.mailboxes
    exchange = Program(arguments.exdav, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen",
                       "127.0.0.1:0", "--mailboxes", str(count), "--events", str(arguments.events), "--contacts", "1",
                       "--tasks", "1")
    control = Control(exchange.urls["control"])
    serve = Serve(arguments.exdav, exchange.urls["exchange"], sync__freshness="1s",
                  store__idle=f"{arguments.close}s")
    people = [("demo@example.com" if n == 1 else f"demo{n}@example.com", PASSWORD) for n in range(1, count + 1)]
    try:
        measure(arguments, control, serve, people)
    finally:
        if serve.running:
            serve.running.stop()
        serve.remove()
        exchange.stop()


def measure(arguments, control, serve, people):
    url = urlsplit(serve.start().urls["gateway"])
    pid = serve.running.process.pid
    before = resident(pid)

    def poll(who):
        name, password = who
        token = base64.b64encode(f"{name}:{password}".encode()).decode()
        segment = name.replace("@", "~40")
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=120)
        connection.request("REPORT", f"/dav/cal/{segment}/calendar/", SYNC.encode(),
                           {"Authorization": f"Basic {token}", "Depth": "0", "Content-Type": "application/xml"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 207:
            raise RuntimeError(f"{name}: {answer.status} {text[:200]!r}")

    def all_poll():
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            list(threads.map(poll, people))
        return time.monotonic() - begin

    print(f"{len(people)} mailboxes of {arguments.events} events; exdav at rest {before:.1f} MB", flush=True)
    spent = all_poll()
    filled = resident(pid)
    print(f"first synchronisation of all   {spent:6.1f} s   {filled:7.1f} MB", flush=True)
    time.sleep(1.5)
    all_poll()
    while control.ask("GET", "/streaming")["subscriptions"] < len(people):
        time.sleep(0.2)
    all_poll()
    control.reset()
    spent = all_poll()
    calls = sum(control.calls().values())
    opened = resident(pid)
    print(f"one unchanged poll of each     {spent:6.1f} s   {opened:7.1f} MB   {calls} calls to Exchange, "
          f"{files(pid)} files open", flush=True)
    streams = control.ask("GET", "/streaming")
    time.sleep(5)
    begin, at = processor(pid), time.monotonic()
    time.sleep(arguments.idle)
    busy, lasted = processor(pid) - begin, time.monotonic() - at
    now = resident(pid)
    print(f"live and idle                  {lasted:6.1f} s   {now:7.1f} MB   {streams['connections']} streams, "
          f"{files(pid)} files open", flush=True)
    spent = all_poll()
    print(f"and one more poll of each      {spent:6.1f} s   {resident(pid):7.1f} MB")
    print(f"\nfor each live mailbox: {(now - before) * 1024 / len(people):.0f} KB of memory; "
          f"for all of them at rest: {busy / lasted * 100:.2f} % of one processor")
    print(json.dumps({"mailboxes": len(people), "kilobytes_each": round((now - before) * 1024 / len(people), 1),
                      "idle_percent": round(busy / lasted * 100, 3), "streams": streams["connections"]}))


if __name__ == "__main__":
    sys.exit(main())
