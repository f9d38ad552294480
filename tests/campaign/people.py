"""People with their programs: what they decide, what they do, and what they may expect to find afterwards."""
import collections
import random

from gates import Chain, Lost
from texts import CALENDAR, CONTACTS, TASKS, UID, answered, lines, location, written

DEEDS = {"create": 5, "update": 6, "delete": 3, "move": 2, "carry": 1, "copy": 1, "calendar": 1, "sync": 4, "list": 1,
         "get": 1}


class Decision:
    """What a client is going to do. The same number is drawn whatever became of what was decided before, so that a seed
    means the same decisions each time."""

    def __init__(self, draw):
        self.deed = draw.choices(list(DEEDS), list(DEEDS.values()))[0]
        self.kind = draw.choices([CALENDAR, CONTACTS, TASKS], [6, 2, 1])[0]
        self.shape = draw.choices(["single", "series", "meeting", "attached"], [3, 2, 2, 2])[0]
        self.chain, self.chosen, self.again = draw.randrange(3), draw.random(), draw.random() < .5
        self.day, self.exdate = draw.randrange(1, 24), draw.choice([1, 2])
        self.is_hot, self.is_elsewhere, self.answer = (draw.random() < .5, draw.random() < .3,
                                                       draw.choice(["ACCEPTED", "TENTATIVE", "DECLINED"]))

    def __str__(self):
        return (f"{self.deed} {self.kind} {self.shape} chain {self.chain} member {self.chosen:.3f}"
                f"{' of those that others change' if self.is_hot else ''}{', elsewhere' if self.is_elsewhere else ''} "
                f"{'again' if self.again else 'once'} day {self.day}+{self.exdate}, {self.answer}")


class Calendar:
    """A calendar that a client made, and every display name that it may have; `None`: it is not there."""

    def __init__(self, name):
        self.name, self.possible, self.clear, self.versions, self.history = name, [None], True, 0, []


class Member:
    """An object that one client writes, and every state that it may be in."""

    def __init__(self, kind, collection, uid, shape):
        self.kind, self.uid, self.shape = kind, uid, shape if kind == CALENDAR else "single"
        self.possible, self.tag, self.clear, self.written, self.ended = [None], None, True, 0, 0
        self.spots, self.moves, self.is_lost, self.history = [(collection, uid + self.suffix)], 0, False, []
        # What Outlook does to it meanwhile: where it may take place, and whether it may have been thrown away.
        self.is_given_up, self.is_hot, self.was_hot, self.places, self.place, self.taken = False, False, False, {""}, "", "no"

    @property
    def suffix(self):
        return ".vcf" if self.kind == CONTACTS else ".ics"

    @property
    def lives(self):
        return self.possible != [None] and not self.is_lost

    def href(self, place, spot=None):
        collection, name = spot or self.spots[0]
        return place.path(collection) + name

    def next_name(self):
        self.moves += 1
        return f"{self.uid}-moved{self.moves}{self.suffix}"


class Client:
    """One person with one program. What it decides depends on its seed alone."""

    def __init__(self, number, seed, place):
        self.number, self.draw, self.place = number, random.Random(f"{seed}/{number}"), place
        self.members, self.calendars, self.made, self.objects, self.counts = [], [], 0, 0, collections.Counter()
        self.chains = {(at, c): Chain(c) for at in range(len(place.gates)) for c in (CALENDAR, CONTACTS, TASKS)}

    def text(self, member, decision):
        self.made += 1
        return written(member.kind, member.uid, f"v{self.made}", member.shape, decision, member.place)

    def attempts(self, of, method, again, ask, unclear):
        """The answer of a request that changes something. Without a clear one, sometimes asks again."""
        for attempt in range(2 if again else 1):
            at = self.place.at
            try:
                status, answer, text = ask()
                of.history.append(f"{method} at gateway {at}: {status} {answer.get('ETag')}")
                return attempt, status, answer, text
            except Lost as lost:
                of.history.append(f"{method} at gateway {at}: {lost}")
                self.counts["unclear"] += 1
                unclear()
        return None

    def excuses(self, member, attempt):
        """Whether a refusal can be: an earlier attempt, Outlook, a guest or another gateway were faster."""
        self.counts["refused"] += 1
        member.tag = None
        return attempt or not member.clear or member.was_hot or member.shape == "meeting" or self.place.turned

    def learn(self, member):
        """How it is now, before it is changed; whether it is there."""
        status, answer, text = self.place.ask("GET", member.href(self.place))
        if status == 404:
            if member.clear and member.taken == "no" and not self.place.turned:
                raise AssertionError(f"{member.uid} is gone though nobody removed it")
            member.is_lost = True
            return False
        member.tag, member.place = answer.get("ETag"), location(text.decode())
        return True

    def write(self, member, method, body, headers, again):
        """Notes what is known afterwards."""
        wanted = body if method == "PUT" else None
        member.written += 1
        member.ended += method == "DELETE"

        def unclear():
            member.clear = False
            if wanted not in member.possible:
                member.possible.append(wanted)

        done = self.attempts(member, f"{method} {member.spots[0]}", again, lambda: self.place.ask(
            method, member.href(self.place), body or "", **headers), unclear)
        if done is None:
            return
        attempt, status, answer, text = done
        if status < 300 or (method == "DELETE" and status == 404):
            self.counts["done"] += 1
            member.possible, member.tag, member.clear = [wanted], answer.get("ETag"), True
        elif not (status in (403, 404, 412) and self.excuses(member, attempt)):
            raise AssertionError(f"{method} {member.href(self.place)}: {status} {text[-300:]!r}")

    def create(self, decision):
        collection = self.elsewhere(decision) if decision.kind == CALENDAR else decision.kind
        member = Member(decision.kind, collection, f"c{self.number}-{self.objects}", decision.shape)
        self.members.append(member)
        self.objects += 1
        self.write(member, "PUT", self.text(member, decision), {**kind(member.kind), "If_None_Match": "*"}, decision.again)

    def change(self, member, decision):
        """Updates or deletes what is there, as it was when it was looked at."""
        if (not member.tag or not member.clear) and not self.learn(member):
            return
        if decision.deed == "delete":
            self.write(member, "DELETE", None, {"If_Match": member.tag}, decision.again)
        else:
            self.write(member, "PUT", self.text(member, decision), {**kind(member.kind), "If_Match": member.tag},
                       decision.again)

    def elsewhere(self, decision):
        own = [c.name for c in self.calendars if c.clear and c.possible != [None]]
        return own[-1] if own and decision.is_elsewhere else CALENDAR

    def move(self, member, decision):
        """Gives it another name, here or in another calendar."""
        collection = member.spots[0][0]
        if decision.deed == "carry" and member.kind == CALENDAR:
            collection = self.elsewhere(decision) if collection == CALENDAR else CALENDAR
        spot = collection, member.next_name()
        if decision.again and not member.tag and not self.learn(member):
            return
        # Who does not say what it was is not told what it is.
        condition = {"If_Match": member.tag} if decision.again else {}

        def unclear():
            member.clear, member.spots = False, [member.spots[0], spot]

        done = self.attempts(member, f"MOVE to {spot}", decision.again, lambda: self.place.ask(
            "MOVE", member.href(self.place), Destination=member.href(self.place, spot), Overwrite="F",
            **condition), unclear)
        if done is None:
            return
        attempt, status, answer, text = done
        if status < 300:
            self.counts["done"] += 1
            member.spots, member.tag, member.clear = [spot], answer.get("ETag"), True
        elif status == 403 and self.has_copy(member):
            self.counts["refused"] += 1  # its copy is there, with the same UID
        elif not (status in (403, 404, 409, 412) and self.excuses(member, attempt)):
            raise AssertionError(f"MOVE {member.href(self.place)} to {spot}: {status} {text[-300:]!r}")

    def has_copy(self, member):
        return any(other is not member and other.uid == member.uid for other in self.members)

    def copy(self, member, decision):
        """Puts the same object into another calendar."""
        collection = self.elsewhere(decision)
        if member.kind != CALENDAR or member.shape != "single" or collection == member.spots[0][0] or member.was_hot:
            return
        twin = Member(CALENDAR, collection, member.uid, "single")
        twin.spots = [(collection, member.next_name())]
        self.members.append(twin)
        text = member.possible[0]

        def unclear():
            twin.clear, twin.possible = False, [None, text]

        done = self.attempts(twin, "COPY", decision.again, lambda: self.place.ask(
            "COPY", member.href(self.place), Destination=twin.href(self.place), Overwrite="F"), unclear)
        if done is None:
            return
        attempt, status, _, answer = done
        if status < 300:
            self.counts["done"] += 1
            twin.possible, twin.clear = [text], True
        elif status in (403, 404, 409, 412):
            self.counts["refused"] += 1  # its UID is there already, or an earlier attempt has been done
        else:
            raise AssertionError(f"COPY {member.href(self.place)}: {status} {answer[-300:]!r}")

    def calendar(self, decision):
        """Makes a calendar of one's own, gives it another name, or removes it with all that is in it."""
        own = [c for c in self.calendars if c.possible != [None]]
        if own and not own[-1].clear:
            return
        if not own:
            self.calendars.append(Calendar(f"own-{self.number}-{len(self.calendars)}"))
        calendar = own[-1] if own else self.calendars[-1]
        path = self.place.path(calendar.name)
        calendar.versions += 1
        wanted = f"{calendar.name} v{calendar.versions}"
        prop = f'<D:set><D:prop><D:displayname>{wanted}</D:displayname></D:prop></D:set>'
        within = [m for m in self.members if calendar.name in (c for c, _ in m.spots)]
        if own and decision.chosen < .4:
            method, body, wanted = "DELETE", "", None
        elif own:
            method, body = "PROPPATCH", f'<D:propertyupdate xmlns:D="DAV:">{prop}</D:propertyupdate>'
        else:
            method, body = "MKCALENDAR", (f'<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{prop}'
                                          '</C:mkcalendar>')

        def unclear():
            calendar.clear = False
            calendar.possible.append(wanted)
            for member in within if wanted is None else []:
                member.clear = False
                member.possible.append(None)

        done = self.attempts(calendar, method, decision.again, lambda: self.place.ask(
            method, path, body, Content_Type="application/xml"), unclear)
        if done is None:
            return
        attempt, status, _, answer = done
        if status < 300 and not (status == 207 and b" 200 " not in answer) or method == "DELETE" and status == 404:
            self.counts["done"] += 1
            calendar.possible, calendar.clear = [wanted], True
            for member in within if wanted is None else []:
                # One that may be elsewhere, too, may be there still.
                elsewhere = member.possible if len(member.spots) > 1 else []
                member.possible, member.clear = [*(p for p in elsewhere if p is not None), None], not elsewhere
        elif (attempt or self.place.turned) and status in (403, 404, 405, 409):
            self.counts["refused"] += 1
        else:
            raise AssertionError(f"{method} {path}: {status} {answer[-300:]!r}")

    def act(self):
        decision = Decision(self.draw)
        living = [m for m in self.members if m.lives and (m.clear or m.is_hot and len(m.spots) == 1)]
        hot = [m for m in living if m.is_hot]
        living = hot if hot and decision.is_hot else [m for m in living if m.clear]
        member = living[int(decision.chosen * len(living))] if living else None
        collection, deed = (CALENDAR, CONTACTS, TASKS)[decision.chain], decision.deed
        try:
            if deed == "sync":
                self.chains[self.place.at, collection].follow(self.place)
            elif deed == "list":
                self.place.listing(collection)
            elif deed == "calendar":
                self.calendar(decision)
            elif deed == "create" or member is None:
                self.create(decision)
            elif deed in ("update", "delete"):
                self.change(member, decision)
            elif deed in ("move", "carry") and member.clear:
                self.move(member, decision)
            elif deed == "copy" and member.clear:
                self.copy(member, decision)
            else:
                self.place.ask("GET", member.href(self.place))
        except Lost:
            self.counts["unread"] += 1


class Guest(Client):
    """Somebody who is invited, and answers."""

    def __init__(self, number, seed, place):
        super().__init__(number, seed, place)
        self.tried, self.acknowledged, self.history = collections.Counter(), collections.Counter(), []

    def act(self):
        decision = Decision(self.draw)
        try:
            if decision.deed in ("sync", "list", "get", "calendar"):
                self.chains[self.place.at, CALENDAR].follow(self.place)
            else:
                self.reply(decision)
        except Lost:
            self.counts["unread"] += 1

    def reply(self, decision):
        hrefs = [href for href in self.place.listing(CALENDAR) if UID.search(href)]
        if not hrefs:
            return
        href = hrefs[int(decision.chosen * len(hrefs))]
        status, answer, text = self.place.ask("GET", href)
        body = text.decode()
        if status != 200 or not answer.get("ETag"):
            return
        headers = {**kind(CALENDAR), "If_Match": answer["ETag"]}
        if "STATUS:CANCELLED" in lines(body):
            # There is nothing to be answered any more.
            self.place.ask("DELETE", href, **headers)
            return
        uid = next(line[4:] for line in lines(body) if line.startswith("UID:"))
        body, is_other = answered(body, decision.answer)
        if not is_other:
            return
        self.tried[uid] += 2 if decision.again else 1
        done = self.attempts(self, f"PUT {href}", decision.again, lambda: self.place.ask("PUT", href, body, **headers),
                             lambda: None)
        if done is None:
            return
        attempt, status, _, text = done
        if status < 300:
            self.counts["answers"] += 1
            self.acknowledged[uid] += 1
        elif status in (403, 404, 409, 412):
            self.counts["refused"] += 1  # the organiser was faster, or the first attempt has been done
        else:
            raise AssertionError(f"answer {href}: {status} {text[-300:]!r}")


def kind(kind):
    return {"Content_Type": "text/vcard" if kind == CONTACTS else "text/calendar"}


class Colleague:
    """Somebody with Outlook in the same mailbox, who is not asked whether it is convenient."""

    def __init__(self, outlook, draw, members, items):
        self.outlook, self.draw, self.members, self.items, self.counts = outlook, draw, members, items, 0

    def work(self):
        """Changes what the clients are changing, again and again."""
        for _ in range(self.draw.randrange(2, 12)):
            member = self.draw.choice(self.members)
            if self.draw.random() < .06:
                self.remove(member)
            else:
                self.place(member)

    def place(self, member):
        place = f"room {self.draw.randrange(10 ** 9)}"
        before = set(member.places)
        member.places.add(place)
        done = self.outlook.place(self.items[member.uid], place)
        member.history.append(f"Outlook: {place}: {done}")
        if done:
            member.places, self.counts = {place}, self.counts + 1
        elif done is False:
            member.places = before

    def remove(self, member):
        before, member.taken = member.taken, "perhaps" if member.taken == "no" else member.taken
        done = self.outlook.remove(self.items[member.uid])
        member.history.append(f"Outlook: removed: {done}")
        if done:
            member.taken, self.counts = "surely", self.counts + 1
        elif done is False:
            member.taken = before



