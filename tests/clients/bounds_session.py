#!/usr/bin/env python3
"""bounds_session.py USER PASSWORD
The most memory that exdav takes while one user asks for much: long expansions, bodies that never end, large members, nonsense
filters, and readers who do not read. EXDAV_PROGRAM names the program. Each has an `exdav serve` of its own, and none of them
may have held 200 MB at any time."""
import base64
import os
import random
import re
import selectors
import socket
import sys
import time
from pathlib import Path

from checks import Checks, Gateway
from programs import Program, Serve

user, password = sys.argv[1:3]
check, program = Checks(), os.environ["EXDAV_PROGRAM"]
MOST = 200  # MB
LARGE = 9_000_000  # octets of a file: 12 MB in base64
CALDAV = "urn:ietf:params:xml:ns:caldav"

exchange = Program(program, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0",
                   "--events", "5", "--contacts", "2", "--mailboxes", "1")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


port = free_port()
settings = {"server__listen": f"127.0.0.1:{port}", "server__public_url": f"http://127.0.0.1:{port}"}
# Files are links, or part of the text.
links = Serve(program, exchange.urls["exchange"], **settings)
whole = Serve(program, exchange.urls["exchange"], **settings, calendar__inline_attachments=20_000_000)


def run(name, serve, work, is_measured=True):
    """Does it with a fresh process and judges the most memory that this had."""
    running = serve.start()
    try:
        gateway = Gateway(f"http://127.0.0.1:{port}", user, password)
        home, _ = gateway.homes()
        for calendar in gateway.collections(home, "calendar"):
            gateway.members(calendar)
        began = time.monotonic()
        work(gateway, home)
        status = Path(f"/proc/{running.process.pid}/status").read_text()
        peak = int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) // 1024
        print(f"     {name}: {peak} MB, {time.monotonic() - began:.1f} s", flush=True)
        if is_measured:
            check(f"{name} takes less than {MOST} MB", peak < MOST, f"{peak} MB")
        check(f"{name}: exdav goes on", gateway.ask("GET", "/healthz")[0] == 200)
    finally:
        running.kill()


def event(uid, lines):
    return ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VEVENT\r\n"
            f"UID:{uid}\r\nDTSTAMP:20200101T000000Z\r\nDTSTART:20200101T090000Z\r\nDTEND:20200101T100000Z\r\nSUMMARY:{uid}\r\n"
            f"{lines}END:VEVENT\r\nEND:VCALENDAR\r\n")


def put(gateway, path, text, kind="text/calendar"):
    status, _, answer = gateway.ask("PUT", path, text, Content_Type=kind)
    check(f"{path.rsplit('/', 1)[1]} is stored", status == 201, f"{status} {answer[:200]!r}")


def head(gateway, method, path, length, *lines):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: {gateway.authorization}",
                        f"Content-Length: {length}", *lines, "", ""]).encode()


def socket_with(gateway, request):
    """A connection whose buffers are small, so that it is exdav that holds what is not read or not yet taken."""
    stream = socket.socket()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768)
    stream.connect((gateway.url.hostname, gateway.url.port))
    stream.sendall(request)
    return stream


def push(streams, most, patience=2.0):
    """Sends to all as much as they take, until none takes more."""
    piece, left = b"x" * 65_536, dict.fromkeys(streams, most)
    with selectors.DefaultSelector() as ready:
        for stream in streams:
            stream.setblocking(False)
            ready.register(stream, selectors.EVENT_WRITE)
        while ready.get_map():
            able = ready.select(patience)
            if not able:
                break
            for key, _ in able:
                try:
                    left[key.fileobj] -= key.fileobj.send(piece[:left[key.fileobj]])
                except OSError:
                    left[key.fileobj] = 0
                if left[key.fileobj] <= 0:
                    ready.unregister(key.fileobj)


def pull(streams, most, enough):
    """Reads that many octets of each, where they come, until so many gave them; what each gave first, and how much."""
    first, got = {}, dict.fromkeys(streams, 0)
    with selectors.DefaultSelector() as ready:
        for stream in streams:
            stream.setblocking(False)
            ready.register(stream, selectors.EVENT_READ)
        while len(streams) - len(ready.get_map()) < enough:
            able = ready.select(60)
            if not able:
                break
            for key, _ in able:
                try:
                    octets = key.fileobj.recv(65_536)
                except OSError:
                    octets = b""
                first.setdefault(key.fileobj, octets[:64])
                got[key.fileobj] += len(octets)
                if not octets or got[key.fileobj] >= most:
                    ready.unregister(key.fileobj)
    return first, got


def prepare(gateway, home):
    for name in ("large", "long"):
        status, _, _ = gateway.ask("MKCALENDAR", f"{home}{name}/")
        check(f"a calendar for what is {name}", status == 201, str(status))
    source = random.Random(1)
    file = base64.b64encode(source.randbytes(LARGE)).decode()
    put(gateway, f"{home}large/0.ics", event("large", f"ATTACH;ENCODING=BASE64;VALUE=BINARY;FILENAME=large.bin:{file}\r\n"))
    text = "\r\n ".join(["x" * 70] * 1_400)
    put(gateway, f"{home}long/series.ics", event("long", f"RRULE:FREQ=DAILY\r\nDESCRIPTION:{text}\r\n"))


def expansion(gateway, home):
    span = 'start="20200101T000000Z" end="21500101T000000Z"'
    body = (f'<C:calendar-query xmlns:C="{CALDAV}" xmlns="DAV:"><prop><C:calendar-data><C:expand {span}/></C:calendar-data>'
            '</prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range '
            f'{span}/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>')
    status, _, text = gateway.ask("REPORT", f"{home}long/", body, Depth="1", Content_Type="application/xml")
    check("an expansion over 130 years is refused by name", status == 403 and b"max-instances" in text, f"{status}")


def unfinished(gateway, home):
    streams = [socket_with(gateway, head(gateway, "PUT", f"{home}calendar/slow-{number}.ics", 20_000_000))
               for number in range(300)]
    push(streams, 15_000_000)
    check("somebody who waits beside them is served", lambda: gateway.members(f"{home}calendar/"))
    for stream in streams:
        stream.close()


def many_hrefs(gateway, home):
    hrefs = "".join(f"<href>{home}large/0.ics</href>" for _ in range(64))
    body = (f'<C:calendar-multiget xmlns:C="{CALDAV}" xmlns="DAV:"><prop><getetag/><C:calendar-data/></prop>{hrefs}'
            "</C:calendar-multiget>").encode()
    request = head(gateway, "REPORT", f"{home}large/", len(body), "Depth: 1", "Content-Type: application/xml") + body
    streams = [socket_with(gateway, request) for _ in range(3)]
    first, got = pull(streams, 15_000_000, 1)
    answered = [octets for octets in first.values() if octets.startswith(b"HTTP/1.1 207")]
    check("large members come, whoever else asks for them", answered and max(got.values()) >= 15_000_000,
          f"{len(answered)} answered, {max(got.values())} octets")
    for stream in streams:
        stream.close()


def conditions(gateway, home):
    inner = '<C:comp-filter name="VALARM"/>' * 30_000
    body = (f'<C:calendar-query xmlns:C="{CALDAV}" xmlns="DAV:"><prop><getetag/></prop><C:filter>'
            f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{inner}</C:comp-filter></C:comp-filter></C:filter>'
            "</C:calendar-query>")
    status, _, text = gateway.ask("REPORT", f"{home}calendar/", body, Depth="1", Content_Type="application/xml")
    check("30,000 conditions are refused by name", status == 403 and b"valid-filter" in text, f"{status} {text[:200]!r}")


def slow_readers(path):
    def work(gateway, home):
        at = path(gateway, home)
        streams = [socket_with(gateway, head(gateway, "GET", at, 0)) for _ in range(40)]
        first, _ = pull(streams, 1, 2)
        check("some of them are answered", any(octets.startswith(b"HTTP/1.1 200") for octets in first.values()),
              str(first.values())[:300])
        check("a small object is read beside them", lambda: gateway.ask("GET", f"{home}long/series.ics")[0] == 200)
        for stream in streams:
            stream.close()
        status, headers, body = gateway.ask("GET", at)
        check("afterwards all of it is read, with its length",
              status == 200 and len(body) >= LARGE and int(headers["Content-Length"]) == len(body), f"{status} {len(body)}")
    return work


def attachment(gateway, home):
    _, _, text = gateway.ask("GET", f"{home}large/0.ics")
    return re.search(r"ATTACH[^\r]*?:http://[^/]*(\S+)", text.decode().replace("\r\n ", "")).group(1)


run("preparing", links, prepare, is_measured=False)
run("an expansion", links, expansion)
run("300 unfinished bodies", links, unfinished)
run("30,000 conditions", links, conditions)
run("40 slow readers of a large file", links, slow_readers(attachment))
run("the first fill with what is large", whole, lambda gateway, home: None)
run("64 large members at once, three times", whole, many_hrefs)
run("40 slow readers of a large member", whole, slow_readers(lambda _, home: f"{home}large/0.ics"))
links.remove()
whole.remove()
exchange.stop()
check.finish()
