#!/usr/bin/env python3
"""fill_session.py USER PASSWORD
The first fill of a large mailbox with a slow Exchange, as clients see it: Thunderbird, vdirsyncer, and what iOS and DAVx5 send.
Then the mirror is lost in the middle of their life: nobody deletes anything. EXDAV_PROGRAM names the program, EXDAV_VDIRSYNCER
the client. With EXDAV_FILL=long 20,000 events at 1.5 s for each call, otherwise 2,000 at 0.15 s."""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from checks import DAV, ET, Checks, Gateway
from programs import Control, Program, Serve
from thunderbird import Thunderbird, wait_until

user, password = sys.argv[1:3]
check, program = Checks(), os.environ["EXDAV_PROGRAM"]
LONG = os.environ.get("EXDAV_FILL") == "long"
EVENTS, LATENCY = (20_000, 1_500) if LONG else (2_000, 150)
PATIENCE = 1_800 if LONG else 240
ETAGS = '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
IOS = "iOS/18.1.1 (22B91) dataaccessd/1.0"
DAVX5 = "DAVx5/4.5.19-ose (at.bitfire.davdroid)"
TB = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Thunderbird/153.7.0"
HOME = ('<propfind xmlns="DAV:"><prop><displayname/><resourcetype/><sync-token/>'
        '<getctag xmlns="http://calendarserver.org/ns/"/></prop></propfind>')
SYNC = ('<sync-collection xmlns="DAV:"><sync-token>{token}</sync-token><sync-level>1</sync-level>'
        '<prop><getetag/></prop></sync-collection>')
QUERY = ('<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop><C:filter>'
         '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"/></C:comp-filter></C:filter></C:calendar-query>')

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
exchange = Program(program, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0",
                   "--events", str(EVENTS), "--mailboxes", "1")
control = Control(exchange.urls["control"])
serve = Serve(program, exchange.urls["exchange"], server__listen=f"127.0.0.1:{port}")
outcome, lock = {}, threading.Lock()


def ask(gateway, method, path, body, agent, depth="1"):
    status, _, text = gateway.ask(method, path, body, Depth=depth, User_Agent=agent, Content_Type="application/xml")
    with lock:
        outcome.setdefault("statuses", []).append((agent.split("/")[0], method, status))
    etags = {}
    if status == 207:
        for response in ET.fromstring(text).iter(DAV + "response"):
            etag = next(response.iter(DAV + "getetag"), None)
            if etag is not None and etag.text:
                etags[response.findtext(DAV + "href")] = etag.text
    return status, etags, text


def timed(name):
    """Does it beside the others, and notes how long after the beginning it was done."""
    def wrap(work):
        def run():
            value = work()
            with lock:
                outcome[name] = (time.monotonic() - began, value)
        thread = threading.Thread(target=run)
        thread.start()
        threads.append(thread)
    return wrap


def in_parts(gateway, agent):
    """All parts of an initial sync-collection: when the first came, how many there were, and the members."""
    token, members, first, parts = "", {}, None, 0
    while True:
        status, etags, text = ask(gateway, "REPORT", calendar, SYNC.format(token=token), agent)
        if status != 207:
            return first, parts, {}
        members.update(etags)
        parts += 1
        first = first or (etags and time.monotonic() - began)
        token = re.search(rb"sync-token>([^<]+)<", text).group(1).decode()
        if b"507" not in text:
            return first, parts, members


def vdirsyncer(*arguments):
    done = subprocess.run([os.environ["EXDAV_VDIRSYNCER"], *arguments], input="y\n" * 100, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE,
                          env=dict(os.environ, VDIRSYNCER_CONFIG=f"{work}/config", LC_ALL="C.UTF-8"))
    return done.returncode, done.stdout


def everybody():
    """All clients at once, from the first sign-in on."""
    @timed("home")
    def _():
        return ask(Gateway(url, user, password), "PROPFIND", home, HOME, IOS)[0]

    @timed("small")
    def _():
        gateway = Gateway(url, user, password)
        text = ask(gateway, "PROPFIND", home, HOME, IOS)[2]
        named = {response.findtext(f".//{DAV}displayname"): response.findtext(DAV + "href")
                 for response in ET.fromstring(text).iter(DAV + "response")}
        return len(ask(gateway, "PROPFIND", named["Project X"], ETAGS, IOS)[1])

    @timed("ios")
    def _():
        return ask(Gateway(url, user, password), "PROPFIND", calendar, ETAGS, IOS)[1]

    @timed("davx5")
    def _():
        return ask(Gateway(url, user, password), "REPORT", calendar, QUERY, DAVX5)[1]

    @timed("parts")
    def _():
        return in_parts(Gateway(url, user, password), TB)

    for thread in threads:
        thread.join()
    threads.clear()


url = f"http://127.0.0.1:{port}"
home = f"/dav/cal/{user.replace('@', '~40')}/"
calendar = home + "calendar/"
threads, work = [], tempfile.mkdtemp(prefix="exdav-fill-")
Path(f"{work}/config").write_text(f"""
[general]
status_path = "{work}/status/"
[pair t]
a = "here"
b = "there"
collections = [["calendar", "calendar", "calendar"]]
[storage here]
type = "filesystem"
path = "{work}/calendar/"
fileext = ".ics"
[storage there]
type = "caldav"
url = "{url}/"
username = "{user}"
password = "{password}"
""", encoding="utf-8")
thunderbird = None
try:
    control.ask("POST", "/latency", {"ms": LATENCY})
    serve.start()
    began = time.monotonic()
    everybody()
    for name in ("home", "small", "parts", "ios", "davx5"):
        print(f"     {name:8} done after {outcome[name][0]:6.1f} s")
    first, parts, members = outcome["parts"][1]
    print(f"     {len(members):,} members in {parts} parts, the first after {first or 0:.1f} s")
    check("the home is listed within 5 s", outcome["home"][1] == 207 and outcome["home"][0] < 5, outcome["home"])
    small = outcome["small"]
    check("a calendar of six events is there within 5 s", small[1] == 6 and small[0] < 5, small)
    check("the first members come within 10 s", first and first < 10, first)
    check("they come in parts, and all in the end", parts > 2 and len(members) >= EVENTS, (parts, len(members)))
    check("a whole listing lacks nothing", outcome["ios"][1] == members, len(outcome["ios"][1]))
    check("a query lacks nothing", outcome["davx5"][1] == members, len(outcome["davx5"][1]))
    check("nobody gets 503", all(status == 207 for *_, status in outcome["statuses"]), outcome["statuses"])
    lines = "".join(serve.running.log)
    check("the log says how far it is", re.search(r"first fill of Calendar: [\d,]+ of [\d,]+.*" + user, lines)
          or not LONG and "first fill of Calendar is complete" in lines, lines[-500:])

    control.ask("POST", "/latency", {"ms": 0})
    vdirsyncer("discover")
    code, text = vdirsyncer("sync")
    here = len(list(Path(f"{work}/calendar/calendar").glob("*.ics")))
    check("vdirsyncer has all", code == 0 and here == len(members), (code, here, text[-300:]))
    thunderbird = Thunderbird(user, patience=PATIENCE)
    serve.running.stop()
    shutil.rmtree(os.path.join(serve.folder, "store"))
    control.ask("POST", "/latency", {"ms": LATENCY})
    serve.start()
    began = time.monotonic()
    lives = thunderbird.add_calendar(url + calendar, user, password)
    some = wait_until(lambda: len(thunderbird.items(lives)) > 0, 60)
    print(f"     Thunderbird has its first items after {time.monotonic() - began:.1f} s")
    check("Thunderbird shows the first events", some)
    check("Thunderbird has all in the end",
          # To look at 20,000 items takes Thunderbird some seconds, in which it stores none.
          wait_until(lambda: len(thunderbird.items(lives)) == len(members), PATIENCE, 20 if LONG else 0.5),
          len(thunderbird.items(lives)))
    print(f"     and all after {time.monotonic() - began:.1f} s")

    serve.running.kill()
    shutil.rmtree(os.path.join(serve.folder, "store"))
    serve.start()
    shown = set()

    def watch():
        shown.add(len(thunderbird.items(lives)))
    thunderbird.refresh(lives)
    watch()
    code, text = vdirsyncer("sync")
    here = len(list(Path(f"{work}/calendar/calendar").glob("*.ics")))
    check("the mirror is lost: vdirsyncer deletes and copies nothing",
          code == 0 and here == len(members) and not re.search(r"Deleting|Copying|conflict", text), (code, here, text[-300:]))
    watch()
    thunderbird.refresh(lives)
    watch()
    check("the mirror is lost: Thunderbird deletes and doubles nothing", shown == {len(members)}, shown)
    check("Exchange still has everything", len(Gateway(url, user, password).members(calendar)) == len(members))
except Exception:
    print("".join(serve.running.log[-40:]) if serve.running else "")
    raise
finally:
    if thunderbird:
        thunderbird.stop()
    if serve.running:
        serve.running.stop()
    serve.remove()
    exchange.stop()
    shutil.rmtree(work, ignore_errors=True)
check.finish()
