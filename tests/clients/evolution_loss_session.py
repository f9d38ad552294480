#!/usr/bin/python3
"""evolution_loss_session.py USER PASSWORD
exdav's mirror is lost in the middle of Evolution's life: Evolution deletes nothing and doubles nothing. EXDAV_PROGRAM names
the program."""
import os
import shutil
import socket
import sys

import evolution
from checks import Checks, Gateway
from gi.repository import EDataServer, GLib
from programs import Control, Program, Serve

user, password = sys.argv[1:3]
check, program = Checks(), os.environ["EXDAV_PROGRAM"]
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
exchange = Program(program, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0",
                   "--events", "600", "--mailboxes", "1")
control = Control(exchange.urls["control"])
serve = Serve(program, exchange.urls["exchange"], server__listen=f"127.0.0.1:{port}")
url = f"http://127.0.0.1:{port}"
calendar = f"/dav/cal/{user.replace('@', '~40')}/calendar/"
event = ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:after\r\nDTSTAMP:20260101T000000Z\r\n"
         "DTSTART:20270101T090000Z\r\nDTEND:20270101T100000Z\r\nSUMMARY:after\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
try:
    serve.start()
    before = Gateway(url, user, password).members(calendar)
    client = evolution.opened(url, user, password, "lives", EDataServer.SOURCE_EXTENSION_CALENDAR, "caldav", calendar,
                              evolution.events)
    there = len(before)
    check(f"all {there} events come", evolution.until(lambda: len(set(evolution.uids(client))) >= there, 120),
          len(set(evolution.uids(client))))
    shown = sorted(evolution.uids(client))

    serve.running.kill()
    shutil.rmtree(os.path.join(serve.folder, "store"))
    control.ask("POST", "/latency", {"ms": 150})
    control.reset()
    serve.start()
    fewest = [len(shown)]

    def refreshed():
        """Whether it shows what was stored after the loss; how few it showed meanwhile is noted."""
        try:
            client.refresh_sync(None)
        except GLib.Error as error:
            print(f"     {error.message}")
        now = evolution.uids(client)
        fewest[0] = min(fewest[0], len(now))
        return "after" in now
    refreshed()
    status, _, text = Gateway(url, user, password).ask("PUT", calendar + "after.ics", event, Content_Type="text/calendar")
    check("an event is stored meanwhile", status == 201, (status, text[-200:]))
    check("Evolution goes on with the new mirror", evolution.until(refreshed, 120), len(evolution.uids(client)))
    check("it shows no less at any time", fewest[0] == len(shown), fewest)
    check("and nothing twice", sorted(evolution.uids(client)) == sorted([*shown, "after"]), len(evolution.uids(client)))
    calls = control.calls()
    check("Exchange was told of that one event alone",
          calls.get("CreateItem") == 1 and "DeleteItem" not in calls and "UpdateItem" not in calls, calls)
    after = Gateway(url, user, password).members(calendar)
    check("names and ETags are those of before", {**after, **before} == after and len(after) == there + 1, len(after))
finally:
    if serve.running:
        serve.running.stop()
    serve.remove()
    exchange.stop()
check.finish()
