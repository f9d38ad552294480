"""One mailbox under two logins at once: one UID at two names, and moves onto what is there.

After each round these must hold:

  one item       one UID is one item, whoever put it where, and its guest is invited once
  one answer     no two requests are both told that they created it
  names          what was moved onto a name has that name, and what lay there is gone
"""
import collections
import random
import re
import threading

from gates import Lost
from texts import CALENDAR, GUEST, USER

HEADERS = {"Content_Type": "text/calendar"}


def text(uid, is_meeting=False):
    people = (f"ORGANIZER:mailto:{USER}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{USER}\r\n"
              f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{GUEST}\r\n") if is_meeting else ""
    return (f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//campaign//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
            f"DTSTAMP:20260101T000000Z\r\nDTSTART:20261210T090000Z\r\nDTEND:20261210T100000Z\r\nSUMMARY:{uid}\r\n{people}"
            "END:VEVENT\r\nEND:VCALENDAR\r\n")


class Doubles:
    """`places`: the same mailbox, once by each login."""

    def __init__(self, seed, places):
        self.draw, self.places, self.made = random.Random(f"{seed}/doubles"), places, 0
        # UID → requests that were told that they created it; UIDs of which nobody knows whether they are there.
        self.created, self.unclear = collections.Counter(), set()
        # UID → name at which it has to be, and the UID that has to be gone.
        self.moved = {}

    def put(self, place, name, uid, is_meeting=False):
        """Creates it, and repeats that where no answer came."""
        for _ in range(2):
            try:
                status, _, _ = place.ask("PUT", place.path(CALENDAR) + name, text(uid, is_meeting), If_None_Match="*", **HEADERS)
            except Lost:
                self.unclear.add(uid)
                continue
            self.created[uid] += status == 201
            if status not in (201, 204, 403, 409, 412):
                raise AssertionError(f"PUT {name} of {uid}: {status}")
            return status
        return None

    def act(self):
        if self.draw.random() < .6:
            self.one_uid_at_two_names()
        else:
            self.move_onto()

    def one_uid_at_two_names(self):
        self.made += 1
        uid, is_meeting = f"doubles-{self.made}", self.draw.random() < .5
        pair = self.places if self.draw.random() < .5 else [self.draw.choice(self.places)] * 2
        threads = [threading.Thread(target=self.put, args=(place, f"{uid}-{at}.ics", uid, is_meeting))
                   for at, place in enumerate(pair)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def move_onto(self):
        place = self.draw.choice(self.places)
        self.made += 2
        old, new = f"doubles-{self.made - 1}", f"doubles-{self.made}"
        if self.put(place, f"{old}.ics", old) != 201 or self.put(place, f"{new}.ics", new) != 201:
            return
        path = place.path(CALENDAR)
        # Somebody else writes what lies there at the same time, as it was not there yet: this must fail or come first.
        other = threading.Thread(target=self.put, args=(self.draw.choice(self.places), f"{old}.ics", old))
        other.start()
        try:
            status, answer, _ = place.ask("MOVE", f"{path}{new}.ics", Destination=f"{path}{old}.ics", Overwrite="T")
        except Lost:
            self.unclear |= {old, new}
            return
        finally:
            other.join()
        if status in (201, 204):
            self.moved[new] = (f"{old}.ics", old)
            if "ews-" in (answer.get("Location") or ""):
                raise AssertionError(f"MOVE of {new} ends at {answer['Location']}")
        elif status not in (403, 404, 409, 412):
            raise AssertionError(f"MOVE of {new} onto {old}: {status}")

    def check(self, dump, truth, wrong):
        """Against what Exchange holds, and what an exdav with an empty store shows."""
        there, invited = collections.Counter(), collections.Counter()
        for folder in dump["folders"]:
            if folder["class"].startswith("IPF.Appointment") and folder["name"] != "Deleted Items":
                for item in folder["items"]:
                    texts = [item["properties"].get("calendar:UID", "")]
                    texts += [t for values in item["extended"].values() for t in values]
                    there.update({t for t in texts if re.fullmatch(r"doubles-\d+", t)})
        for mail in dump["sent"]:
            invited[mail.get("uid"), mail["what"]] += GUEST in mail["to"]
        bodies = truth.bodies(CALENDAR, [href for href in truth.listing(CALENDAR) if "doubles-" in href])
        at = {re.search(r"(?m)^UID:(.*?)\r?$", body)[1]: href.rsplit("/", 1)[1] for href, body in bodies.items()}
        gone = {old for _, old in self.moved.values()}
        for uid in {*there, *self.created}:
            if there[uid] > 1:
                wrong(f"one item: {uid} is {there[uid]} times in Exchange")
            if self.created[uid] and not there[uid] and uid not in gone | self.unclear:
                wrong(f"one item: {uid} was acknowledged and is not there")
            if self.created[uid] > 1 and uid not in gone | self.unclear:
                wrong(f"one answer: {uid} was created {self.created[uid]} times")
            if invited[uid, "invitation"] > 1:
                wrong(f"one item: the guest is invited to {uid} {invited[uid, 'invitation']} times")
        for uid, (name, old) in self.moved.items():
            if at.get(uid) != name or (there[old] and old not in self.unclear and self.created[old] < 2):
                wrong(f"names: {uid} was moved onto {name}, is at {at.get(uid)}, and {old} is there {there[old]} times")
        # What has been judged once is not judged again.
        self.created.clear()
        self.unclear.clear()
        self.moved.clear()
