#!/usr/bin/env python3
"""Random work by several people against a failing Exchange, with `kill -9` of exdav at random moments.

    campaign.py --exdav PROGRAM [--minutes M | --rounds N] [--seed S] [--clients N] [--short] [--decisions]

There are two gateways with stores of their own before one Exchange: one where people sign in themselves and every read
looks at Exchange unless it is listened to, and one with a service account for all mailboxes that goes by what it hears
and its window. Clients write, rename, move and copy objects and calendars, each its own; somebody with Outlook changes
the same objects at the same time; a guest answers what he is invited to. Who finds a gateway down knocks on, or goes to
the other one.

After every round the first gateway is killed and started again with the same store, sometimes a damaged one, and these
must hold:

  acknowledged   every write that was acknowledged is in Exchange, as it was written, exactly once
  whole          a write that was not acknowledged is there as a whole or not at all
  colleagues     what somebody else changed in Exchange is there until somebody changes it who has seen it
  untouched      what nobody wrote is as it was
  mirror         both gateways show exactly what an exdav with an empty store reads from Exchange
  ended          what a kill left half done is ended or undone by the next start, and not once more by the one after
  chains         every client that follows its sync-tokens ends with exactly these names and tags
  invitations    nobody is invited, updated or called off more often than somebody wrote, and nobody who is not a guest
  answers        each acknowledged answer is told to the organiser once
  others         nobody sees what is another's

Beside them one mailbox is written under two logins at once (doubles.py), and the wall clocks of the gateways jump.
"""
import argparse
import collections
import json
import random
import re
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))
from doubles import Doubles  # noqa: E402
from gates import SECOND, Door, Gate, Lost, Place, basic  # noqa: E402
from outlook import Outlook  # noqa: E402
from people import Client, Colleague, Decision, Guest  # noqa: E402
from programs import Control, Program, workplace  # noqa: E402
from texts import CALENDAR, CONTACTS, GUEST, TASKS, UID, USER, location  # noqa: E402

# What each client does in a round.
DEEDS = 8
PEOPLE = (USER, GUEST)
KINDS = ["drop-before", "drop-after", "busy", "too-many-requests", "server-error", "unavailable", "invalid-sync-state",
         "unauthorized"]
OPERATIONS = [None, "CreateItem", "UpdateItem", "DeleteItem", "GetItem", "SyncFolderItems", "GetFolder", "FindItem",
              "MoveItem", "CopyItem", "SyncFolderHierarchy", "CreateAttachment", "DeleteAttachment", "CreateFolder",
              "UpdateFolder", "DeleteFolder", "Subscribe", "GetStreamingEvents"]
WRITING = ["CreateItem", "UpdateItem", "DeleteItem", "MoveItem", "CopyItem", "CreateAttachment", "DeleteAttachment",
           "CreateFolder", "UpdateFolder", "DeleteFolder"]
# What happens to those who listen. Refused subscriptions are allowed again at the end of the round.
STREAMING = [{"cut": True}, {"close": True}, {"forget": True}, {"forget": True, "cut": True},
             {"rules": {"offered": False}, "cut": True}]
# Until then a gateway that nobody killed shows what Exchange holds.
CONVERGES = 20
# Seconds by which the wall clock of a gateway is wrong: behind its Exchange, set back, days ahead.
CLOCKS = [0, 0, -180, -3600, 90, 86400 * 3, -86400]


class Campaign:
    def __init__(self, arguments):
        self.arguments, self.faults_found = arguments, []
        self.exchange = Program(arguments.exdav, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen",
                                "127.0.0.1:0", "--events", "40", "--contacts", "15", "--tasks", "5", "--mailboxes", "2")
        self.control, url = Control(self.exchange.urls["control"]), self.exchange.urls["exchange"]
        self.gates = [Gate(arguments.exdav, url, PEOPLE, sync__freshness="0s", server__answer_within="3s"),
                      Gate.of_a_service(arguments.exdav, url, PEOPLE, sync__freshness="100ms", server__answer_within="3s")]
        self.kills, self.rounds, self.sends, self.listened, self.changed, self.spoilt = 0, 0, 0, 0, 0, 0
        self.doors = {user: Door() for user in PEOPLE}
        self.clients = [Client(n, arguments.seed, Place(self.gates, USER, self.doors[USER]))
                        for n in range(arguments.clients)]
        self.guest = Guest(arguments.clients, arguments.seed, Place(self.gates, GUEST, self.doors[GUEST]))
        self.doubles = Doubles(arguments.seed, [Place(self.gates, user, Door(1)) for user in (USER, SECOND)])
        self.outlook = Outlook(url, basic(USER, "demo"))
        # (user, collection) → href → text, of what was there before anybody came.
        self.beginning, self.items, self.given_up = {}, {}, set()

    @property
    def people(self):
        return [*self.clients, self.guest]

    def members(self):
        return [(client, member) for client in self.clients for member in client.members]

    def wrong(self, what):
        print(f"WRONG in round {self.rounds} of seed {self.arguments.seed}: {what}", flush=True)
        self.faults_found.append(what)

    def kill(self, gate):
        gate.kill()
        self.kills += 1

    def round(self):
        self.rounds += 1
        draw = random.Random(f"{self.arguments.seed}/round/{self.rounds}")
        faults = [{"kind": draw.choice(KINDS), "operation": draw.choice(OPERATIONS), "times": draw.randrange(1, 4),
                   "after": draw.randrange(8), "wait": draw.choice([0.0, 0.05])} for _ in range(draw.randrange(5))]
        # Once in a while no call is done when the client's answer is due.
        is_slow = draw.random() < .05
        self.control.ask("POST", "/latency", {"ms": 3200 if is_slow else draw.choice([0, 2, 15])})
        self.control.ask("POST", "/faults", faults)
        may_turn = draw.random() < .5
        steps = self.steps(draw, is_slow, may_turn)
        for door in self.doors.values():
            door.enter(draw.choice([0, 0, 1]))
        unclear = self.totals()["unclear"]
        colleague = Colleague(self.outlook, draw, self.heat(draw), self.items)
        broken = []

        def work(name, what, times):
            try:
                for _ in range(times):
                    what()
            except Exception as error:  # whatever it is, the campaign says it and goes on
                broken.append(f"{name}: {type(error).__name__}: {error}")

        jobs = [(f"client {p.number}", p.act, 2 if is_slow else DEEDS) for p in self.people]
        jobs.append(("doubles", self.doubles.act, 1 if is_slow else 3))
        if colleague.members:
            jobs.append(("colleague", colleague.work, 1))
        threads = [threading.Thread(target=work, args=job) for job in jobs]
        for thread in threads:
            thread.start()
        if draw.random() < .5:
            self.outlook.make(f"colleague {draw.random()}")
        began = time.monotonic()
        for after, step, *what in steps:
            time.sleep(max(0, began + after - time.monotonic()))
            step(*what)
            if may_turn and step == self.kill:
                for door in self.doors.values():
                    door.may_turn = True
        for thread in threads:
            thread.join()
        for what in broken:
            self.wrong(what)
        self.changed += colleague.counts
        self.control.ask("POST", "/faults", [])
        self.control.ask("POST", "/latency", {"ms": 0})
        self.listened += self.control.ask("GET", "/streaming")["connections"] > 0
        self.control.ask("POST", "/streaming", {"rules": {"offered": True}})
        # What goes on behind the back of a client that was told to come back ends with the program, and what is left of it
        # is ended by the next start or before the next write.
        is_open = is_slow or self.totals()["unclear"] > unclear
        for gate in self.gates if is_open else self.gates[:1]:
            if gate.is_up:
                self.kill(gate)
        for gate in self.gates:
            if not gate.is_up:
                gate.start()
        self.check(draw)

    def steps(self, draw, is_slow, may_turn):
        """What happens to the programs during a round: seconds, deed, about what."""
        steps = []
        # Who goes to another gateway comes after its window: within it a user stays where he is.
        first = .15 if may_turn else .02
        after = draw.choice([None, draw.uniform(first, 1.2), draw.uniform(first, first + .3)])
        second = draw.uniform(first, 1.2) if draw.random() < .25 else None
        if after is not None and not is_slow:
            steps.append((after, self.kill, self.gates[0]))
            # In time, or so late that everybody has gone elsewhere.
            steps.append((after + draw.choice([0, 0, .3]), self.gates[0].start))
        if second is not None and not is_slow:
            steps += [(second, self.kill, self.gates[1]), (second + draw.choice([0, .2]), self.gates[1].start)]
        for _ in range(draw.choice([0, 1, 2])):
            steps.append((draw.uniform(0, 1), draw.choice(self.gates).set_clock, draw.choice(CLOCKS)))
        for _ in range(draw.choice([0, 0, 1, 2])):
            change = draw.choice(STREAMING)
            steps.append((draw.uniform(0, .6), self.control.ask, "POST", "/streaming", change))
        return sorted(steps, key=lambda step: step[0])

    def heat(self, draw):
        """Some of what each client has is changed by others, too, while this round lasts."""
        times = collections.Counter(m.uid for _, m in self.members() if m.possible != [None])
        hot = []
        for client in self.clients:
            able = [m for m in client.members if m.lives and m.kind == CALENDAR and m.uid in self.items
                    and times[m.uid] == 1]
            chosen = draw.sample(able, min(len(able), draw.randrange(3)))
            for member in client.members:
                member.is_hot = member in chosen
                member.was_hot = member.was_hot or member.is_hot
            hot += chosen
        return hot

    def check(self, draw):
        # What the kill left half done is ended or undone when its owner comes back.
        places = [[Place(self.gates, user, Door(at)) for at in range(len(self.gates))] for user in PEOPLE]
        for place in [place for of_user in places for place in of_user]:
            self.insist(place.discover)
            self.insist(lambda: place.listing(CALENDAR))
        # And once it is, it is left alone.
        self.kill(self.gates[0])
        if draw.random() < .1:
            self.gates[0].spoil(draw)
            self.spoilt += 1
        self.gates[0].start()
        self.control.reset()
        for of_user in places:
            self.insist(lambda: of_user[0].listing(CALENDAR))
        calls = self.control.calls()
        if again := {name: calls[name] for name in WRITING if calls.get(name)}:
            self.wrong(f"ended: a restart with nothing to do writes again: {again}")
        fresh = Gate(self.arguments.exdav, self.exchange.urls["exchange"], PEOPLE)
        try:
            fresh.start()
            dumps = {user: self.control.ask("GET", f"/dump/{user}") for user in PEOPLE}
            self.look_into(dumps[USER])
            for user, of_user in zip(PEOPLE, places):
                self.compare(user, Place([fresh], user, Door()).discover(), of_user)
            self.doubles.check(dumps[USER], Place([fresh], USER, Door()).discover(), self.wrong)
            self.compare_with_exchange()
            self.mails(dumps)
            self.others(places)
        finally:
            fresh.remove()

    def look_into(self, dump):
        """What Exchange itself says: files, ids and how often each object is there."""
        self.files, self.there, self.items = collections.defaultdict(collections.Counter), collections.Counter(), {}
        self.properties, self.where = {}, collections.defaultdict(list)
        for folder in dump["folders"]:
            if not folder["class"].startswith(("IPF.Appointment", "IPF.Contact", "IPF.Task")):
                continue
            for item in folder["items"]:
                texts = [t for values in item["extended"].values() for t in values]
                found = {t for t in [item["properties"].get("calendar:UID", ""), *texts] if UID.fullmatch(t)}
                for uid in found:
                    self.there[uid] += 1
                    self.items[uid] = item["id"]
                    self.properties[uid] = item["extended"]
                    self.where[uid].append(folder["name"])
                if folder["name"] == "Calendar":
                    for name in item["attachments"]:
                        self.files[name.rsplit("-", 1)[0]][name] += 1

    def insist(self, look):
        """Who finds out that a mirror is damaged, or a password was refused, comes back. After a refusal exdav shows a
        service account's password to Exchange no sooner than ten seconds later, and after another one twenty."""
        until = time.monotonic() + 45
        while time.monotonic() < until:
            try:
                return look()
            except Lost:
                time.sleep(.1)
        self.wrong("mirror: a gateway does not come back:\n" + "".join(self.gates[0].serve.running.log)[-2000:])
        return look()

    def compare(self, user, truth, places):
        names = truth.calendars()
        for place in places:
            if (shown := self.settled(place.calendars, names)) != names:
                self.wrong(f"mirror: the calendars of {user} are {shown} at gateway {place.at}, in truth {names}")
        if user == USER:
            self.judge_calendars(names)
        for collection in [CONTACTS, *sorted(names)]:
            self.compare_collection(user, collection, truth, places)

    def settled(self, look, wanted):
        """What it shows, as soon as it is what it should be, or when it should long have been."""
        until = time.monotonic() + CONVERGES
        while (shown := self.insist(look)) != wanted and time.monotonic() < until:
            time.sleep(.05)
        return shown

    def compare_collection(self, user, collection, truth, places):
        there = truth.listing(collection)
        bodies = truth.bodies(collection, list(there))
        for place in places:
            shown = self.settled(lambda: place.listing(collection), there)
            if shown != there:
                differ = {h for h in shown.keys() | there.keys() if shown.get(h) != there.get(h)}
                self.wrong(f"mirror: {collection} of {user} differs from the mailbox at gateway {place.at} at "
                           + ", ".join(f"{h} ({shown.get(h)}, in truth {there.get(h)})" for h in sorted(differ)[:5]))
            if (mirrored := self.insist(lambda: place.bodies(collection, list(shown)))) != bodies:
                differ = sorted(h for h in mirrored.keys() | bodies.keys() if mirrored.get(h) != bodies.get(h))
                self.wrong(f"mirror: {collection} of {user} has other texts at gateway {place.at} at {differ[:5]}:\n"
                           f"{mirrored.get(differ[0])}\n--\n{bodies.get(differ[0])}")
        before = self.beginning.setdefault((user, collection), bodies if self.rounds == 1 else {})
        before = {h: b for h, b in before.items() if not UID.search(b) and "\nSUMMARY:colleague" not in b and "doubles-" not in b}
        for href in [h for h, body in before.items() if bodies.get(h) != body][:3]:
            self.wrong(f"untouched: {href} of {user} was\n{before[href]}\n-- and is\n{bodies.get(href)}")
        if user == USER:
            for _, member in self.members():
                if collection in (c for c, _ in member.spots):
                    self.find(member, collection, truth, there, bodies)
        for person in self.people:
            for (at, of), chain in person.chains.items():
                if of == collection and person.place.user == user:
                    chain.follow(places[at])
                    if chain.view != there:
                        differ = {h for h in there.keys() | chain.view.keys() if there.get(h) != chain.view.get(h)}
                        self.wrong(f"chains: client {person.number} ends elsewhere in {collection} at gateway {at}: "
                                   f"{sorted(differ)[:5]}")
                        chain.view = dict(there)

    def judge_calendars(self, names):
        for client in self.clients:
            for calendar in client.calendars:
                if names.get(calendar.name) not in calendar.possible:
                    self.wrong(f"acknowledged: calendar {calendar.name} is {names.get(calendar.name)!r}, none of "
                               f"{calendar.possible}")
                calendar.possible, calendar.clear = [names.get(calendar.name)], True

    def find(self, member, collection, truth, there, bodies):
        """Where it is of the places where it may be, and as what."""
        for spot in member.spots:
            if spot[0] == collection and (href := member.href(truth, spot)) in bodies:
                member.found = [*getattr(member, "found", []), (spot, bodies[href], there[href])]

    def compare_with_exchange(self):
        wanted = collections.Counter()
        for _, member in self.members():
            found = member.__dict__.pop("found", [])
            if len(found) > 1:
                self.wrong(f"acknowledged: {member.uid} is there as {[spot for spot, _, _ in found]}")
            spot, body, tag = found[0] if found else (member.spots[0], None, None)
            member.spots = [spot]
            self.judge(member, body, tag)
            wanted[member.uid] += body is not None
        for client in self.clients:
            self.given_up |= {member.uid for member in client.members if member.is_given_up}
            client.members = [member for member in client.members if not member.is_given_up]
        for uid in sorted(wanted.keys() | self.there.keys()):
            if wanted[uid] != self.there[uid] and uid not in self.given_up:
                done = [f"{m.spots} after\n" + "\n".join(m.history[-12:]) for _, m in self.members() if m.uid == uid]
                self.wrong(f"acknowledged: {uid} is {self.there[uid]} times in Exchange, not {wanted[uid]} times\n-- at "
                           + "\n-- and ".join(done) + f"\n-- and Exchange has it in {self.where.get(uid)}: "
                           f"{self.properties.get(uid)}")

    def judge(self, member, body, tag):
        def same(wanted):
            if wanted is None or body is None:
                return wanted is None and body is None
            if member.shape == "attached" and member.spots[0][0] == CALENDAR:
                # The attachment is served as a link or not at all: Exchange tells whether it is there.
                files = re.findall(r"FILENAME=([^:]*):", wanted)
                if self.files[member.uid] != collections.Counter(files):
                    return False
            if member.was_hot or member.shape in ("meeting", "attached"):
                # Who accepted, how often it was sent, and what somebody else changed is Exchange's to say.
                wanted = wanted.replace("\r\n", "\n")
                named = r"(?m)^(?:SUMMARY|X-CAMPAIGN|DTSTART|RRULE|RECURRENCE-ID)[:;].*$"
                return sorted(re.findall(named, wanted)) == sorted(re.findall(named, body))
            return wanted.replace("\r\n", "\n") == body
        possible = [None] if member.taken == "surely" else member.possible + [None] * (member.taken == "perhaps")
        found = [wanted for wanted in possible if same(wanted)]
        if not found:
            rule = "acknowledged" if member.clear else "whole"
            self.wrong(f"{rule}: {member.uid} ({member.shape}{', changed by others' * member.was_hot}, taken away: "
                       f"{member.taken}, {dict(self.files[member.uid])}) is none of {len(possible)} states:\n{body}\n-- but\n"
                       + "\n-- or\n".join(str(p) for p in possible) + f"\n-- at {member.spots} after\n"
                       + "\n".join(member.history[-12:]) + f"\n-- and Exchange has {self.there[member.uid]}: "
                       f"{self.properties.get(member.uid)}")
            # It has been said: nothing more is expected of it.
            member.is_given_up = True
            return
        if body is not None and location(body) not in member.places:
            self.wrong(f"colleagues: {member.uid} takes place at {location(body)!r}, not at {member.places}:\n{body}")
        member.places = {location(body or "")}
        member.place = location(body or "")
        member.possible, member.tag, member.clear, member.is_lost = [found[-1]], tag, True, False
        if body is None:
            member.taken = "no"

    def mails(self, dumps):
        """Who was told what."""
        sent = collections.Counter()
        for mail in dumps[USER]["sent"]:
            for to in mail["to"]:
                sent[mail["uid"], to, mail["what"] == "cancellation"] += 1
        self.sends = sum(sent.values())
        meetings = {m.uid: m for _, m in self.members() if m.shape == "meeting"}
        for (uid, to, is_end), times in sent.items():
            if not UID.fullmatch(uid or "") or uid in self.given_up:
                continue
            member = meetings.get(uid)
            if member is None or to != GUEST:
                self.wrong(f"invitations: {to} is told of {uid}, which is none of theirs")
            elif times > (member.ended if is_end else member.written - member.ended):
                what = [s["what"] for s in dumps[USER]["sent"] if s.get("uid") == uid]
                self.wrong(f"invitations: {uid} was written {member.written} times, {member.ended} of them to end it, and "
                           f"told: {what}")
        answers = collections.Counter(m["uid"] for m in dumps[GUEST]["sent"] if m["to"] == [USER])
        for mail in dumps[GUEST]["sent"]:
            if mail["what"] != "response" or mail["to"] != [USER]:
                self.wrong(f"answers: the guest sends {mail}")
        for uid in self.guest.tried.keys() | answers.keys():
            if not self.guest.acknowledged[uid] <= answers[uid] <= self.guest.tried[uid]:
                self.wrong(f"answers: {uid} was answered {self.guest.tried[uid]} times, {self.guest.acknowledged[uid]} of them "
                           f"acknowledged, and {answers[uid]} answers were sent")
        self.sends += sum(answers.values())

    def others(self, places):
        """The guest has his invitations and nothing else of the owner but when the owner is busy, which Exchange shows to all."""
        invited = {m.uid for _, m in self.members() if m.shape == "meeting"} | self.given_up
        for owner, guest in zip(*places):
            for collection in (CALENDAR, CONTACTS, TASKS):
                for href, body in guest.bodies(collection, list(guest.listing(collection))).items():
                    uids = set(UID.findall(body))
                    if uids - invited or "X-CAMPAIGN" in body:
                        self.wrong(f"others: the guest sees {href} at gateway {guest.at}:\n{body}")
                hrefs = list(owner.listing(collection))[-1:]
                for path in [owner.path(collection), *hrefs]:
                    for method in ("GET", "PROPFIND", "DELETE"):
                        status, _, text = guest.ask(method, path, Depth="0")
                        is_busy_time = collection == CALENDAR and path == owner.path(collection) and method != "DELETE"
                        allowed = (200, 207, 403, 404, 405) if is_busy_time else (403, 404, 405)
                        text = text.decode().replace(path, "")
                        if status not in allowed or UID.search(text) or re.search(r"SUMMARY:v\d|X-CAMPAIGN", text):
                            self.wrong(f"others: the guest may {method} {path}: {status} {text[:300]}")

    def run(self):
        until = time.monotonic() + self.arguments.minutes * 60
        try:
            self.rounds_until(until)
        finally:
            # However it ends, it leaves no program and no folder behind.
            for gate in self.gates:
                gate.remove()
            self.exchange.kill()
        totals = self.totals()
        restarts = sum(chain.restarts for c in self.people for chain in c.chains.values())
        print("\n| rounds | kills | mirrors spoilt | rounds listened | writes done | answers | changed by others | refused | without an answer"
              " | reads without an answer | chains begun anew | mails | wrong |\n|" + "---|" * 13)
        print(f"| {self.rounds} | {self.kills} | {self.spoilt} | {self.listened} | {totals['done']} | {totals['answers']} | {self.changed} | "
              f"{totals['refused']} | {totals['unclear']} | {totals['unread']} | {restarts} | {self.sends} | "
              f"{len(self.faults_found)} |")
        return 1 if self.faults_found or not totals["done"] else 0

    def totals(self):
        return sum((c.counts for c in self.people), collections.Counter())

    def rounds_until(self, until):
        for gate in self.gates:
            gate.start()
        for person in self.people:
            person.place.discover()
        for place in self.doubles.places:
            place.discover()
        while (self.rounds < self.arguments.rounds) if self.arguments.rounds else (time.monotonic() < until):
            self.round()
            print(f"round {self.rounds} of seed {self.arguments.seed}: {json.dumps(self.totals())}, {self.kills} kills, "
                  f"{self.listened} listened, {self.changed} changed by others, {self.sends} mails, "
                  f"{len(self.faults_found)} wrong", flush=True)
            if len(self.faults_found) > 10:
                break


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exdav", required=True)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--decisions", action="store_true", help="print what the clients are going to do, and do nothing")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if arguments.short:
        arguments.rounds = arguments.rounds or 8
        # Always the same decisions, so that it is a change that makes it red.
        arguments.seed = 1
    workplace("campaign")
    print(f"seed {arguments.seed}", flush=True)
    if arguments.decisions:
        for client in (Client(n, arguments.seed, Place([], USER, Door())) for n in range(arguments.clients)):
            for number in range(DEEDS * (arguments.rounds or 1)):
                print(f"round {number // DEEDS + 1} client {client.number}: {Decision(client.draw)}")
        return 0
    return Campaign(arguments).run()


if __name__ == "__main__":
    sys.exit(main())
