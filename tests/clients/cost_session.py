#!/usr/bin/env python3
"""cost_session.py USER PASSWORD
What client operations cost in EWS calls, on a calendar of 10,000 events. EXDAV_PROGRAM names the program."""
import math
import os
import sys
import threading
import time

from checks import Checks, Gateway
from programs import Control, Program, Serve

user, password = sys.argv[1:3]
check, program = Checks(), os.environ["EXDAV_PROGRAM"]
EVENTS = 10_000
# What a first fill asks.
FILL = ("SyncFolderItems", "GetItem", "GetAttachment")
SYNC = """<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>
<D:prop><D:getetag/></D:prop></D:sync-collection>"""
MULTIGET = """<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/>
<C:calendar-data/></D:prop>{hrefs}</C:calendar-multiget>"""
MONTH = """<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/>
</D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20260901T000000Z"
end="20261001T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"""

exchange = Program(program, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0",
                   "--events", str(EVENTS), "--mailboxes", "1")
control = Control(exchange.urls["control"])
serve = Serve(program, exchange.urls["exchange"], sync__freshness="600s")


def cost(title, operation, beside=()):
    """Does it, prints and gives what it cost: the calls, and their sum without those of operations that go on beside it."""
    control.reset()
    value = operation()
    calls = control.calls()
    print(f"     {title:55} {sum(calls.values()):4}  {', '.join(f'{k} {v}' for k, v in sorted(calls.items()))}")
    return value, sum(count for name, count in calls.items() if name not in beside)


def report(gateway, body, depth="1"):
    status, _, text = gateway.ask("REPORT", calendar, body, Depth=depth, Content_Type="application/xml")
    assert status == 207, (status, text[:300])
    return text.decode()


try:
    gateway = Gateway(serve.start().urls["gateway"], user, password)
    print(f"     {'operation':55} EWS calls")
    # Folders, their tree, and the addresses of the mailbox. The first fill of all collections begins at the same time.
    homes, spent = cost("sign-in and discovery", gateway.homes, FILL)
    check("sign-in and discovery cost at most 3 calls", spent <= 3, str(spent))
    calendar = next(h for h in gateway.collections(homes[0], "calendar") if h.endswith("/calendar/"))
    members, spent = cost(f"first sync of {EVENTS:,} events", lambda: gateway.members(calendar))
    count = len(members)
    check("all events are there", count >= EVENTS, str(count))
    # Six other collections of the mailbox are filled beside it, each with a page and a batch or two; how they are divided
    # depends on how fast Exchange answers.
    limit = math.ceil(count / 512) + math.ceil(count / 100) + 6 * 3 + 2
    check(f"the first sync costs at most {limit} calls", spent <= limit, str(spent))
    gateway.filled()
    text, spent = cost("sync-collection, unchanged, inside the window", lambda: report(gateway, SYNC.format(token="")))
    check("sync-collection inside the freshness window costs none", spent == 0, str(spent))
    token = text.rsplit("sync-token>", 2)[1].split("<")[0]
    text, spent = cost("sync-collection with that token", lambda: report(gateway, SYNC.format(token=token)))
    check("nothing comes and it costs none", spent == 0 and "<D:response" not in text and ":response>" not in text, text[:300])
    hrefs = "".join(f"<D:href>{h}</D:href>" for h in list(members)[:100])
    text, spent = cost("calendar-multiget of 100", lambda: report(gateway, MULTIGET.format(hrefs=hrefs)))
    check("a multiget of 100 brings 100 and costs none", spent == 0 and text.count("BEGIN:VCALENDAR") == 100, str(spent))
    text, spent = cost("calendar-query of a month", lambda: report(gateway, MONTH))
    check("a month query costs none", spent == 0 and "BEGIN:VEVENT" in text, str(spent))
    _, spent = cost("GET of the whole calendar", lambda: gateway.ask("GET", calendar))
    check("a GET of the whole calendar costs none", spent == 0, str(spent))

    serve.running.stop()
    gateway = Gateway(serve.start().urls["gateway"], user, password)
    again, spent = cost("the same after a restart with the same store", lambda: gateway.members(calendar))
    check("a restart costs at most 4 calls before it serves", spent <= 4, str(spent))
    check("and serves the same ETags", again == members)
    serve.running.stop()

    control.ask("POST", "/latency", {"ms": 20})
    fresh = Serve(program, exchange.urls["exchange"])
    fresh.start()
    gateway = Gateway(fresh.running.urls["gateway"], user, password)
    first = threading.Thread(target=lambda: check("the first sync was cut short", _cut), daemon=True)
    control.reset()

    def _cut():
        try:
            gateway.members(calendar)
        except OSError:
            return True
        except Exception as error:  # http.client has several words for a lost connection
            return "Disconnected" in type(error).__name__ or "Incomplete" in type(error).__name__
        return False

    first.start()
    while first.is_alive() and control.calls().get("GetItem", 0) < 40:
        time.sleep(0.002)
    fresh.running.kill()
    first.join(120)
    control.ask("POST", "/latency", {"ms": 0})
    fresh.start()
    gateway = Gateway(fresh.running.urls["gateway"], user, password)
    after, spent = cost("first sync resumed after kill -9 in its middle", lambda: gateway.members(calendar))
    check("after kill -9 the client ends up with exactly the mailbox", after == members, f"{len(after)} of {count}")
    check("what was already there is not fetched again", spent < limit, str(spent))
    fresh.running.stop()
    fresh.remove()
finally:
    serve.remove()
    exchange.stop()
check.finish()
