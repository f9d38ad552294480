#!/usr/bin/env python3
"""exchangelib_session.py EWS USER PASSWORD
exchangelib, an EWS client that knows nothing of exdav, against the simulated Exchange: creates, lists, syncs, updates
and deletes events (single, recurring with exceptions), contacts and tasks."""
import datetime as dt
import sys
from decimal import Decimal

from checks import Checks
from exchangelib import (DELEGATE, UTC, Account, Attendee, CalendarItem, Configuration, Contact, Credentials, EWSDate,
                         EWSDateTime, EWSTimeZone, FileAttachment, Mailbox, Task)
from exchangelib.errors import ErrorItemNotFound, ErrorOccurrenceCrossingBoundary, UnauthorizedError
from exchangelib.indexed_properties import EmailAddress, PhoneNumber, PhysicalAddress
from exchangelib.items import SEND_TO_NONE
from exchangelib.protocol import BaseProtocol, NoVerifyHTTPAdapter  # noqa: F401
from exchangelib.recurrence import (AbsoluteMonthlyPattern, DailyPattern, Recurrence, RelativeMonthlyPattern,
                                    WeeklyPattern)

ews, user, password = sys.argv[1:4]
check = Checks()


def account(name, secret):
    credentials = Credentials(name, secret)
    return Account(name, credentials=credentials, access_type=DELEGATE, autodiscover=False,
                   config=Configuration(service_endpoint=ews, credentials=credentials, auth_type="basic"))


mailbox = check("sign in", lambda: account(user, password))
zone = EWSTimeZone("Europe/Berlin")
tokyo = EWSTimeZone("Asia/Tokyo")
day = dt.date.today() + dt.timedelta(days=10)


def at(hour, minute=0, shift=0, where=zone):
    when = day + dt.timedelta(days=shift)
    return EWSDateTime(when.year, when.month, when.day, hour, minute, tzinfo=where)


def refuses(error, operation):
    try:
        operation()
    except error:
        return True
    return False


check("a wrong password is refused", refuses(UnauthorizedError, lambda: account(user, "wrong").calendar.total_count))
check("the folder tree", lambda: "Project X" in {f.name for f in mailbox.calendar.children}
      and mailbox.contacts.folder_class == "IPF.Contact" and mailbox.tasks.folder_class == "IPF.Task")
check("folders count their items", lambda: mailbox.calendar.total_count > 100 and mailbox.contacts.total_count > 100)

# Single events
calendar = mailbox.calendar
state = check("a first sync of the calendar", lambda: len(list(calendar.sync_items(only_fields=["subject"]))))
first_state = calendar.item_sync_state
item = CalendarItem(account=mailbox, folder=calendar, subject="Plain & <simple>", body="Hello\nthere", location="Room 1",
                    start=at(9), end=at(10), categories=["Blue", "A, B"], reminder_minutes_before_start=30)
check("create an event", lambda: item.save(send_meeting_invitations=SEND_TO_NONE))
check("it has an id and a change key", item.id and item.changekey)
again = check("get it", lambda: calendar.get(id=item.id))
check("it is what was written", again and (again.subject, again.location, set(again.categories), again.start, again.end)
      == ("Plain & <simple>", "Room 1", {"Blue", "A, B"}, at(9), at(10)), str(again))
check("with its zone, reminder and UID", again and again._start_timezone.key == "Europe/Berlin"
      and again.reminder_minutes_before_start == 30 and again.uid and again.type == "Single", str(again))
check("find it in a view", lambda: item.id in {i.id for i in calendar.view(start=at(8), end=at(12))})
check("not in another", lambda: item.id not in {i.id for i in calendar.view(start=at(8, 0, 1), end=at(12, 0, 1))})
check("find it by subject", lambda: [i.id for i in calendar.filter(subject="Plain & <simple>")] == [item.id])
check("find it by part of its subject", lambda: item.id in {i.id for i in calendar.filter(subject__icontains="SIMPLE")})
check("sort and page", lambda: [i.subject for i in calendar.all().order_by("subject")[:5]]
      == sorted([i.subject for i in calendar.all().only("subject")], key=str.lower)[:5])
changes = check("sync tells about it", lambda: list(calendar.sync_items(sync_state=first_state, only_fields=["subject"])))
check("as one creation", changes and [(kind, i.id) for kind, i in changes] == [("create", item.id)], str(changes))
key = item.changekey
item.subject, item.end = "Renamed", at(11)
check("update it", lambda: item.save(update_fields=["subject", "end"], send_meeting_invitations=SEND_TO_NONE))
check("the change key is a new one", item.changekey != key)
changes = check("sync again", lambda: list(calendar.sync_items(sync_state=calendar.item_sync_state, only_fields=["subject"])))
check("as one update", changes and [(kind, i.id) for kind, i in changes] == [("update", item.id)], str(changes))
item.location = None
check("clear a field", lambda: item.save(update_fields=["location"], send_meeting_invitations=SEND_TO_NONE))
check("it is gone", lambda: not calendar.get(id=item.id).location)
check("attach a file", lambda: item.attach(FileAttachment(name="a.txt", content=b"octets \x00\xff")) is None)
check("get it back", lambda: calendar.get(id=item.id).attachments[0].content == b"octets \x00\xff")
held = calendar.get(id=item.id)
check("detach it", lambda: held.detach(list(held.attachments)) is None)
check("none is left", lambda: not calendar.get(id=item.id).has_attachments)
old_id = item.id
check("move it", lambda: calendar.get(id=item.id).move(to_folder=calendar / "Project X") is None)
check("under its old id it is gone", lambda: isinstance(list(mailbox.fetch([(old_id, None)]))[0], ErrorItemNotFound))
moved = check("it is in the other folder", lambda: (calendar / "Project X").get(subject="Renamed"))
check("delete it", lambda: moved.delete(send_meeting_cancellations=SEND_TO_NONE) is None)
check("nothing is left of it", lambda: not (calendar / "Project X").filter(subject="Renamed").exists())
whole = CalendarItem(account=mailbox, folder=calendar, subject="All day", start=EWSDate(day.year, day.month, day.day),
                     end=EWSDate(day.year, day.month, day.day), is_all_day=True)
check("an all-day event", lambda: whole.save(send_meeting_invitations=SEND_TO_NONE))
again = calendar.get(id=whole.id)
check("keeps its day", again.is_all_day and again.start == day and again.end == day, f"{again.is_all_day} {again.start!r}")

# Series
series = CalendarItem(
    account=mailbox, folder=calendar, subject="Series", start=at(14, 30), end=at(15, 0),
    required_attendees=[Attendee(mailbox=Mailbox(email_address="bob@example.com", name="Bob"))],
    recurrence=Recurrence(pattern=WeeklyPattern(interval=1, weekdays=[at(1).strftime("%A")]), start=day, number=8))
check("create a series", lambda: series.save(send_meeting_invitations=SEND_TO_NONE))
second = check("an occurrence by its index", lambda: series.occurrence(index=2))
check("get it", lambda: second.refresh() or True)
check("it is a week later", second.start == at(14, 30, 7), str(second.start))
second.start, second.end, second.subject = at(16, 0, 8), at(17, 0, 8), "Moved"
check("move it", lambda: second.save(update_fields=["start", "end", "subject"], send_meeting_invitations=SEND_TO_NONE))
check("delete another", lambda: series.occurrence(index=4).delete(send_meeting_cancellations=SEND_TO_NONE) is None)
master = check("the master", lambda: calendar.get(id=series.id))
check("knows the exception", lambda: master and len(master.modified_occurrences or []) == 1
      and master.modified_occurrences[0].original_start == at(14, 30, 7)
      and master.modified_occurrences[0].start == at(16, 0, 8), str(master and master.modified_occurrences))
check("and the deletion", lambda: master and [d.start for d in master.deleted_occurrences or []] == [at(14, 30, 21)],
      str(master and master.deleted_occurrences))
check("and its first and last occurrence", lambda: master and master.first_occurrence.start == at(14, 30)
      and master.last_occurrence.start == at(14, 30, 49), str(master and master.last_occurrence))
found = check("the view has the occurrences", lambda: sorted(
    i.start for i in calendar.view(start=at(0), end=at(0, 0, 60)) if i.subject in ("Series", "Moved")))
check("seven of them at their times", found == sorted(
    [at(14, 30, 7 * n) for n in (0, 2, 4, 5, 6, 7)] + [at(16, 0, 8)]), str(found))
crossing = series.occurrence(index=6)
crossing.refresh()
crossing.start, crossing.end = at(9, 0, 43), at(10, 0, 43)
check("an occurrence may not pass its neighbour", refuses(
    ErrorOccurrenceCrossingBoundary,
    lambda: crossing.save(update_fields=["start", "end"], send_meeting_invitations=SEND_TO_NONE)))
for title, pattern, expected in (
        ("daily", DailyPattern(interval=3), [0, 3, 6]),
        ("the last day of the month", AbsoluteMonthlyPattern(interval=1, day_of_month=31), None),
        ("the first workday", RelativeMonthlyPattern(interval=1, weekday="Weekday", week_number="First"), None)):
    other = CalendarItem(account=mailbox, folder=calendar, subject=title, start=at(6, 0, 0, tokyo), end=at(7, 0, 0, tokyo),
                         recurrence=Recurrence(pattern=pattern, start=day, number=3))
    check(f"create: {title}", lambda: other.save(send_meeting_invitations=SEND_TO_NONE))
    starts = check("  three occurrences", lambda: [i.start for i in calendar.view(start=at(0, 0, -1), end=at(0, 0, 130))
                                                   if i.subject == title])
    check("  all there", starts is not None and len(starts) == 3, str(starts))
    if expected:
        check("  at their times", starts == [at(6, 0, n, tokyo) for n in expected], str(starts))
check("delete the series", lambda: calendar.get(id=series.id).delete(send_meeting_cancellations=SEND_TO_NONE) is None)

# Contacts
contact = Contact(account=mailbox, folder=mailbox.contacts, given_name="Zoë", surname="Ångström", display_name="Zoë Ångström",
                  company_name="R&D; Inc.", birthday=EWSDate(1980, 2, 29),
                  email_addresses=[EmailAddress(email="zoe@example.org", label="EmailAddress1")],
                  phone_numbers=[PhoneNumber(label="MobilePhone", phone_number="+1 555")],
                  physical_addresses=[PhysicalAddress(label="Home", street="Street 1", city="Town", zipcode="123")])
check("create a contact", lambda: contact.save())
again = check("get it", lambda: mailbox.contacts.get(id=contact.id))
check("it is what was written", again and (again.given_name, again.surname, again.company_name, again.birthday)
      == ("Zoë", "Ångström", "R&D; Inc.", EWSDate(1980, 2, 29))
      and again.email_addresses[0].email == "zoe@example.org" and again.physical_addresses[0].city == "Town", str(again))
again.phone_numbers = [PhoneNumber(label="MobilePhone", phone_number="+1 556"),
                       PhoneNumber(label="HomePhone", phone_number="+1 557")]
again.physical_addresses = None
check("update its dictionaries", lambda: again.save(update_fields=["phone_numbers", "physical_addresses"]))
again = check("get it", lambda: mailbox.contacts.get(id=contact.id))
check("one entry changed, one came, one went", again and {p.label: p.phone_number for p in again.phone_numbers
      if p.phone_number} == {"MobilePhone": "+1 556", "HomePhone": "+1 557"}
      and not [a for a in again.physical_addresses or [] if a.city], str(again))
check("resolve a name", lambda: any(m.email_address == "zoe@example.org"
                                    for m in mailbox.protocol.resolve_names(["Zoë"])))
check("delete it", lambda: again.delete() is None)

# Tasks
task = Task(account=mailbox, folder=mailbox.tasks, subject="A task", due_date=EWSDate(2027, 1, 15), status="InProgress",
            percent_complete=Decimal(30))
check("create a task", lambda: task.save())
again = check("get it", lambda: mailbox.tasks.get(id=task.id))
check("it is what was written", again and (again.subject, again.due_date, again.percent_complete, again.is_complete)
      == ("A task", EWSDate(2027, 1, 15), 30, False), str(again))
again.status = "Completed"
check("complete it", lambda: again.save(update_fields=["status"]))
again = check("get it", lambda: mailbox.tasks.get(id=task.id))
check("status, percentage and date go together", again and again.is_complete and again.percent_complete == 100
      and again.complete_date is not None, str(again))
check("delete it", lambda: again.delete(affected_task_occurrences="AllOccurrences") is None)

check("time zones of the server", lambda: {"W. Europe Standard Time", "Tokyo Standard Time"}
      <= {z.id for z in mailbox.protocol.get_timezones(return_full_timezone_data=True)})
check("another mailbox is another's", lambda: account("demo2@example.com", password).calendar.total_count > 0)
check.finish()
