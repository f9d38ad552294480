#!/usr/bin/env python3
"""meetings_session.py EWS USER PASSWORD
Two people meet through exchangelib: the organiser invites, changes and cancels, the guest answers; both sides are read
back. Shows that the simulated Exchange carries invitations and answers as Exchange does."""
import datetime as dt
import sys

from checks import Checks
from exchangelib import (DELEGATE, Account, Attendee, CalendarItem, Configuration, Credentials, EWSDateTime,
                         EWSTimeZone, Mailbox)
from exchangelib.errors import ErrorCalendarIsNotOrganizer, ErrorCalendarIsOrganizerForAccept
from exchangelib.items import (SEND_ONLY_TO_ALL, SEND_ONLY_TO_CHANGED, SEND_TO_ALL_AND_SAVE_COPY, SEND_TO_NONE,
                               MeetingCancellation, MeetingRequest, MeetingResponse)
from exchangelib.recurrence import Recurrence, WeeklyPattern

ews, user, password = sys.argv[1:4]
other = user.replace("@", "2@")
check = Checks()
zone = EWSTimeZone("Europe/Berlin")
day = dt.date.today() + dt.timedelta(days=20)


def account(name):
    credentials = Credentials(name, password)
    return Account(name, credentials=credentials, access_type=DELEGATE, autodiscover=False,
                   config=Configuration(service_endpoint=ews, credentials=credentials, auth_type="basic"))


def at(hour, shift=0):
    when = day + dt.timedelta(days=shift)
    return EWSDateTime(when.year, when.month, when.day, hour, 0, tzinfo=zone)


def refuses(error, operation):
    try:
        operation()
    except error:
        return True
    return False


anna, bert = account(user), account(other)


def guest(who=other):
    return Attendee(mailbox=Mailbox(email_address=who), response_type="Unknown")


def copies(subject):
    return [i for i in bert.calendar.all() if i.subject == subject]


def letters(kind, where=bert):
    return [m for m in where.inbox.all() if isinstance(m, kind)]


def answer_of(item, who=other):
    item.refresh()
    return next(a for a in item.required_attendees if a.mailbox.email_address == who).response_type


def meeting(subject, **more):
    return CalendarItem(account=anna, folder=anna.calendar, subject=subject, start=at(9), end=at(10), location="Room 1",
                        required_attendees=[guest()], **more)


# Silence
quiet = meeting("Quiet")
check("save without telling", lambda: quiet.save(send_meeting_invitations=SEND_TO_NONE))
check("nobody hears of it", lambda: not copies("Quiet") and not letters(MeetingRequest))

# Invite, answer
item = meeting("Planning", legacy_free_busy_status="OOF")
check("invite", lambda: item.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY))
copy = check("the guest has it in the calendar", lambda: copies("Planning")[0])
check("tentatively, unanswered, from the organiser", lambda: copy.legacy_free_busy_status == "Tentative"
      and copy.my_response_type == "NoResponseReceived" and copy.organizer.email_address == user
      and copy.is_meeting)
check("with the same UID", lambda: copy.uid == bert.calendar.get(id=copy.id).uid and copy.uid == (item.refresh(), item)[1].uid)
check("an invitation lies in the Inbox", lambda: letters(MeetingRequest)[0].associated_calendar_item_id.id == copy.id)
check("nothing was sent to the organiser", lambda: not letters(MeetingRequest, anna))
check("the organiser cannot accept", refuses(ErrorCalendarIsOrganizerForAccept, item.accept))
check("the guest cannot cancel", refuses(ErrorCalendarIsNotOrganizer, copy.cancel))
check("the guest accepts the invitation", lambda: (letters(MeetingRequest)[0].accept(), True)[1])
check("the invitation is gone from the Inbox", lambda: not letters(MeetingRequest))
accepted = check("the calendar item has another id", lambda: next(i for i in copies("Planning") if i.id != copy.id))
check("it is accepted, with the organiser's status", lambda: accepted.my_response_type == "Accept"
      and accepted.legacy_free_busy_status == "OOF" and accepted.appointment_reply_time)
check("the organiser sees the answer", lambda: answer_of(item) == "Accept")
check("and got a mail", lambda: letters(MeetingResponse, anna)[0].subject == "Accepted: Planning")

# Change
item.location = "Room 2"
check("another room", lambda: item.save(update_fields=["location"], send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY))
check("the guest sees it and stays", lambda: [(i.location, i.my_response_type) for i in copies("Planning")]
      == [("Room 2", "Accept")])
item.start, item.end = at(11), at(12)
check("another time", lambda: item.save(update_fields=["start", "end"], send_meeting_invitations=SEND_ONLY_TO_ALL))
check("the guest has to answer again", lambda: [(i.start, i.my_response_type) for i in copies("Planning")]
      == [(at(11), "NoResponseReceived")])
check("tentatively", lambda: (copies("Planning")[0].tentatively_accept(), True)[1])
check("the organiser heard it", lambda: answer_of(item) == "Tentative")

# Only those concerned
item.refresh()
item.required_attendees = [guest(), guest("stranger@example.org")]
before = check("invitations so far", lambda: len(letters(MeetingRequest)))
check("invite one more", lambda: item.save(update_fields=["required_attendees"],
                                           send_meeting_invitations=SEND_ONLY_TO_CHANGED))
check("the first is left alone", lambda: len(letters(MeetingRequest)) == before)
check("and keeps the answer", lambda: answer_of(item) == "Tentative")

# A series
series = meeting("Series", recurrence=Recurrence(pattern=WeeklyPattern(interval=1, weekdays=[at(9).strftime("%A")]),
                                                 start=day, number=4))
check("invite to a series", lambda: series.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY))


def view(of, subject):
    start, end = at(0), at(0, 40)
    return [i for i in of.calendar.view(start=start, end=end) if i.subject == subject]


check("the guest has all four", lambda: len(view(bert, "Series")) == 4)
check("accept them all", lambda: (copies("Series")[0].accept(), True)[1])
check("decline the third", lambda: (view(bert, "Series")[2].decline(), True)[1])
check("it is gone for the guest", lambda: len(view(bert, "Series")) == 3)
third = check("the organiser still has it", lambda: view(anna, "Series")[2])
check("as an exception with the answer", lambda: (third.refresh(), third.type == "Exception"
      and third.required_attendees[0].response_type == "Decline")[1])
check("the others are accepted", lambda: answer_of(anna.calendar.get(id=series.id)) == "Accept")
check("cancel the second", lambda: (view(anna, "Series")[1].cancel(), True)[1])
check("the organiser has it no more", lambda: len(view(anna, "Series")) == 3)
check("the guest sees it cancelled", lambda: view(bert, "Canceled: Series")[0].start == at(9, 7)
      and letters(MeetingCancellation)[0].subject == "Canceled: Series")

# Cancel, decline
check("delete with notice", lambda: (anna.calendar.get(id=item.id).delete(
    send_meeting_cancellations=SEND_TO_ALL_AND_SAVE_COPY), True)[1])
gone = check("the guest sees the cancellation", lambda: copies("Canceled: Planning")[0])
check("as cancelled and free", lambda: gone.is_cancelled and gone.legacy_free_busy_status == "Free")
last = meeting("Last")
last.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
check("decline", lambda: (copies("Last")[0].decline(), True)[1])
check("declined meetings leave the calendar", lambda: not copies("Last"))
check("the organiser knows", lambda: answer_of(last) == "Decline")
check("a guest who deletes tells nobody", lambda: (copies("Series")[0].delete(
    send_meeting_cancellations=SEND_TO_ALL_AND_SAVE_COPY), answer_of(anna.calendar.get(id=series.id)) == "Accept")[1])

check.finish()
