#!/usr/bin/env python3
"""live_session.py EWS CONTROL USER PASSWORD
Somebody with exchangelib changes things while a client polls exdav: what unchanged polls cost, how soon a change is
there, and that cuts of the stream lose none. EXDAV_PROGRAM names the program. exchangelib listens, too: it knows
nothing of exdav and has its own idea of Exchange's notifications."""
import datetime as dt
import os
import re
import sys
import threading
import time

from checks import Checks, Gateway
from exchangelib import DELEGATE, Account, CalendarItem, Configuration, Credentials, EWSDateTime, EWSTimeZone
from exchangelib.errors import ErrorSubscriptionNotFound
from exchangelib.items import SEND_TO_NONE
from programs import Control, Serve

ews, control, user, password = sys.argv[1:5]
check, control = Checks(), Control(control)
credentials = Credentials(user, password)
mailbox = Account(user, credentials=credentials, access_type=DELEGATE, autodiscover=False,
                  config=Configuration(service_endpoint=ews, credentials=credentials, auth_type="basic",
                                       max_connections=3))
zone = EWSTimeZone("Europe/Berlin")
day = dt.date.today() + dt.timedelta(days=20)


def make(subject):
    begin = EWSDateTime(day.year, day.month, day.day, 9, tzinfo=zone)
    item = CalendarItem(account=mailbox, folder=mailbox.calendar, subject=subject, start=begin,
                        end=begin + dt.timedelta(hours=1))
    item.save(send_meeting_invitations=SEND_TO_NONE)
    return item


def kinds(notifications):
    return [type(event).ELEMENT_NAME for notification in notifications for event in notification.events]


def refuses(subscription):
    try:
        list(mailbox.calendar.get_streaming_events(subscription, connection_timeout=1))
    except ErrorSubscriptionNotFound:
        return True
    return False


# exchangelib listens to the simulated Exchange
with mailbox.calendar.streaming_subscription() as subscription:
    heard = []
    listener = threading.Thread(target=lambda: heard.extend(mailbox.calendar.get_streaming_events(
        subscription, connection_timeout=1, max_notifications_returned=1)))
    listener.start()
    item = make("Heard of")
    listener.join(30)
    check("exchangelib hears of an event over a stream", "CreatedEvent" in kinds(heard), str(heard))
    check("by its id", heard and item.id in [getattr(e.item_id, "id", None) for n in heard for e in n.events
                                              if getattr(e, "item_id", None)], str(heard))
check("a subscription that was given back is gone", lambda: refuses(subscription))
with mailbox.calendar.pull_subscription() as (subscription, watermark):
    quiet = list(mailbox.calendar.get_events(subscription, watermark))
    check("exchangelib asks and nothing has happened", kinds(quiet) == ["StatusEvent"], str(quiet))
    item.subject = "Renamed"
    item.save(update_fields=["subject"], send_meeting_invitations=SEND_TO_NONE)
    item.delete(send_meeting_cancellations=SEND_TO_NONE)
    told = kinds(mailbox.calendar.get_events(subscription, watermark))
    check("exchangelib asks and is told of a change and a deletion", [k for k in told if k != "ModifiedEvent"]
          in (["DeletedEvent"], ["MovedEvent"]) and told[0] == "ModifiedEvent", str(told))


# exdav listens
serve = Serve(os.environ["EXDAV_PROGRAM"], ews, sync__freshness="100ms", sync__hierarchy="100ms")
SYNC = """<D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token><D:sync-level>1</D:sync-level>
<D:prop><D:getetag/></D:prop></D:sync-collection>"""
token = ""


def poll():
    """The members that changed or went since the last poll."""
    global token
    status, _, text = gateway.ask("REPORT", calendar, SYNC.format(token), Depth="0", Content_Type="application/xml")
    assert status == 207, (status, text[:300])
    text = text.decode()
    token = re.findall(r"sync-token>([^<]+)<", text)[-1]
    return [href for href in re.findall(r"href>([^<]+)<", text) if href != calendar]


def until(condition, limit=120):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def connections():
    return control.ask("GET", "/streaming")["connections"]


try:
    gateway = Gateway(serve.start().urls["gateway"], user, password)
    calendar = next(h for h in gateway.collections(gateway.homes()[0], "calendar") if h.endswith("/calendar/"))
    poll()
    time.sleep(0.2)
    poll()
    check("a mailbox that is polled again is listened to", until(lambda: connections() == 1, 120))
    gateway.filled()
    # The first polls after that still look once.
    def is_quiet():
        control.reset()
        poll()
        time.sleep(0.2)
        return control.calls() == {}
    check("unchanged polls come to cost nothing", until(is_quiet, 60))
    control.reset()
    begin = time.monotonic()
    changed = [poll() for _ in range(1000)]
    spent = time.monotonic() - begin
    calls = control.calls()
    check("1,000 unchanged polls bring nothing", not any(changed))
    check("and cost no call to Exchange", calls == {}, str(calls))
    print(f"     1,000 polls in {spent:.1f} s")
    delays = []
    for number in range(10):
        made = make(f"Colleague {number}")
        begin = time.monotonic()
        seen = until(lambda: len(poll()) == 1)
        delays.append((time.monotonic() - begin) * 1000)
        if not check(f"what exchangelib made is in the next polls ({number})", seen):
            break
    print(f"     after at most {max(delays):.0f} ms, the median {sorted(delays)[len(delays) // 2]:.0f} ms")
    made.delete(send_meeting_cancellations=SEND_TO_NONE)
    check("what it deleted is gone from the next polls", until(lambda: len(poll()) == 1))
    missed = []
    for number in range(10):
        until(lambda: connections() == 1)
        make(f"Before cut {number}")
        control.ask("POST", "/streaming", {"cut": True})
        make(f"After cut {number}")
        found = set()
        if not until(lambda: len(found.update(poll()) or found) == 2):
            missed.append((number, len(found)))
    check("after ten cuts in a row no change was missed", not missed, str(missed))
finally:
    check("exdav ends in peace", serve.running is not None and serve.running.stop() == 0)
    serve.remove()
check("and takes leave of Exchange", control.ask("GET", "/streaming")["subscriptions"] == 0)
check.finish()
