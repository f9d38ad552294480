#!/usr/bin/env python3
"""readers_session.py GATEWAY EWS USER PASSWORD
vdirsyncer syncs an address book and a task list both ways; khard, khal and todoman list what it synced and change it;
exchangelib reads back what a colleague in Outlook sees, and changes it in turn."""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from checks import Checks, Gateway

url, ews, user, password = sys.argv[1:5]
check, gateway = Checks(), Gateway(url, user, password)
programs = Path(sys.executable).parent
calendar_home, card_home = gateway.homes()

# What Exchange holds of a contact or task by its name, as a colleague's program reads it; `set` changes fields first.
COLLEAGUE = r'''
import json, sys
from exchangelib import Account, Configuration, Credentials, DELEGATE
from exchangelib.indexed_properties import PhoneNumber
ews, user, password, folder, name, changes = sys.argv[1:7]
account = Account(user, credentials=Credentials(user, password), access_type=DELEGATE, autodiscover=False,
                  config=Configuration(service_endpoint=ews, credentials=Credentials(user, password), auth_type="basic"))
folder = {"tasks": account.tasks, "contacts": account.contacts}[folder]
title = lambda i: str(getattr(i, "display_name", None) or getattr(i, "subject", None))
for change in json.loads(changes):
    [item] = [i for i in folder.all() if title(i) == name]
    for field, value in change.items():
        if field == "mobile":
            item.phone_numbers = [PhoneNumber(label="MobilePhone", phone_number=value)]
            item.save(update_fields=["phone_numbers"])
        else:
            setattr(item, field, value)
            item.save(update_fields=[field])
def shown(i):
    text = lambda name: None if getattr(i, name, None) is None else str(getattr(i, name))
    found = {n: text(n) for n in ("given_name", "surname", "company_name", "job_title", "status", "percent_complete",
                                  "importance", "is_complete", "due_date", "birthday", "file_as")}
    found["body"] = str(getattr(i, "text_body", None) or getattr(i, "body", None) or "")
    found["emails"] = [e.email for e in getattr(i, "email_addresses", None) or [] if e.email]
    found["phones"] = {p.label: p.phone_number for p in getattr(i, "phone_numbers", None) or [] if p.phone_number}
    found["cities"] = {a.label: a.city for a in getattr(i, "physical_addresses", None) or [] if a.city}
    found["categories"] = sorted(getattr(i, "categories", None) or [])
    return found
print(json.dumps([shown(i) for i in folder.all() if title(i) == name]))
'''


def colleague(folder, name, *changes):
    command = [os.environ["EXDAV_EXCHANGELIB_PYTHON"], "-c", COLLEAGUE, ews, user, password, folder, name,
               json.dumps(changes)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(done.stderr[-900:])
    return json.loads(done.stdout.strip().splitlines()[-1])


with tempfile.TemporaryDirectory(prefix="readers-") as work:
    work = Path(work)
    book, lists = work / "cards" / "contacts", work / "dates"
    (work / "vdirsyncer").write_text(f"""
[general]
status_path = "{work}/status/"
[pair cards]
a = "cards_here"
b = "cards_there"
collections = ["contacts"]
[pair dates]
a = "dates_here"
b = "dates_there"
collections = ["tasks", "calendar"]
[storage cards_here]
type = "filesystem"
path = "{work}/cards/"
fileext = ".vcf"
[storage cards_there]
type = "carddav"
url = "{url}/"
username = "{user}"
password = "{password}"
[storage dates_here]
type = "filesystem"
path = "{work}/dates/"
fileext = ".ics"
[storage dates_there]
type = "caldav"
url = "{url}/"
username = "{user}"
password = "{password}"
""")
    (work / "khard").write_text(f"[addressbooks]\n[[contacts]]\npath = {book}\n[general]\neditor = true\n"
                                "[contact table]\nlocalize_dates = no\n")
    (work / "khal").write_text(f"[calendars]\n[[calendar]]\npath = {lists}/calendar\n[locale]\ndateformat = %Y-%m-%d\n"
                               "longdateformat = %Y-%m-%d\ntimeformat = %H:%M\ndatetimeformat = %Y-%m-%d %H:%M\n"
                               "longdatetimeformat = %Y-%m-%d %H:%M\nlocal_timezone = UTC\ndefault_timezone = UTC\n"
                               f"[sqlite]\npath = {work}/khal.db\n")
    (work / "todoman.py").write_text(f'path = "{lists}/tasks"\ndate_format = "%Y-%m-%d"\ntime_format = "%H:%M"\n'
                                     f'default_list = "tasks"\ncache_path = "{work}/todoman.db"\n')

    def run(program, *arguments):
        environment = dict(os.environ, VDIRSYNCER_CONFIG=str(work / "vdirsyncer"), LC_ALL="C.UTF-8", LANG="C.UTF-8",
                           HOME=str(work), XDG_CONFIG_HOME=str(work), TZ="UTC", COLUMNS="300")
        done = subprocess.run([str(programs / program), *arguments], input="y\n" * 50, text=True, timeout=600,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
        return done.returncode, done.stdout

    def sync(what):
        code, text = run("vdirsyncer", "sync")
        check(f"vdirsyncer: {what}", code == 0, text[-500:])
        return text

    def khard(*arguments):
        return run("khard", "-c", str(work / "khard"), *arguments)

    def todo(*arguments):
        return run("todo", "--config", str(work / "todoman.py"), *arguments)

    code, text = run("vdirsyncer", "discover")
    check("vdirsyncer: discover", code == 0, text[-500:])
    sync("the first sync")
    there = gateway.members(card_home + "contacts/")
    check(f"every contact and list is here ({len(there)})", len(list(book.glob("*.vcf"))) == len(there))
    there = gateway.members(calendar_home + "tasks/")
    check(f"every task is here ({len(there)})", len(list((lists / "tasks").glob("*.ics"))) == len(there))

    code, text = khard("list", "--parsable")
    people = [p for p in book.glob("*.vcf") if "KIND:group" not in p.read_text()]
    check(f"khard lists them ({len(people)})", code == 0 and len(text.splitlines()) >= len(people), text[-300:])
    code, text = khard("phone", "--parsable")
    check("khard lists their phones", code == 0 and "+49 170" in text, text[-300:])
    code, text = run("khal", "-c", str(work / "khal"), "list", "today", "400d", "--format", "{title}")
    check("khal lists the events", code == 0 and len(text.splitlines()) > 20, text[-300:])
    code, text = todo("list", "--status", "ANY")
    check("todoman lists the tasks", code == 0 and len(re.findall(r"to do \d+", text)) == len(there), text[-400:])

    # Up: new, changed and deleted.
    card = ("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:readers-1\r\nFN:Zoë Ångström\r\nN:Ångström;Zoë;;Dr.;\r\n"
            "ORG:Läufer & Söhne;R\\, D\r\nTITLE:Chemist\r\nEMAIL;TYPE=WORK:zoe@work.example\r\n"
            "EMAIL;TYPE=HOME:zoe@home.example\r\nTEL;TYPE=CELL:+46 70 1\r\nTEL;TYPE=WORK,VOICE:+46 8 2\r\n"
            "TEL;TYPE=CELL:+46 70 3\r\nTEL;TYPE=CELL:+46 70 4\r\nADR;TYPE=HOME:;;Storgatan 1;Umeå;;90326;Sverige\r\n"
            "BDAY:1980-02-29\r\nNOTE:One\\nTwo\r\nCATEGORIES:Friends\r\nX-OWN:kept\r\nEND:VCARD\r\n")
    (book / "readers-1.vcf").write_bytes(card.encode())
    gone = sorted(people)[0]
    gone_name = re.search(r"^FN:(.*)$", gone.read_text(), re.M).group(1).strip()
    before = len(colleague("contacts", gone_name))
    gone.unlink()
    code, text = todo("new", "--list", "tasks", "--due", "2027-03-20", "--priority", "high", "Tax return")
    check("todoman makes a task", code == 0, text[-300:])
    sync("up")
    [seen] = check("Outlook has one such contact", lambda: colleague("contacts", "Zoë Ångström")) or [{}]
    expected = {"given_name": "Zoë", "surname": "Ångström", "company_name": "Läufer & Söhne", "job_title": "Chemist",
                "birthday": "1980-02-29", "emails": ["zoe@work.example", "zoe@home.example"],
                "phones": {"MobilePhone": "+46 70 1", "BusinessPhone": "+46 8 2", "OtherTelephone": "+46 70 3"},
                "cities": {"Home": "Umeå"}, "categories": ["Friends"]}
    check("with all its fields", {k: seen.get(k) for k in expected} == expected, str(seen))
    check("and its note", seen.get("body", "").split() == ["One", "Two"], str(seen))
    check("the deleted one is gone", lambda: len(colleague("contacts", gone_name)) == before - 1)
    [task] = check("Outlook has one such task", lambda: colleague("tasks", "Tax return")) or [{}]
    check("due that day, important", (task.get("due_date"), task.get("importance")) == ("2027-03-20", "High"), str(task))

    # A change here, another there.
    (book / "readers-1.vcf").write_bytes((book / "readers-1.vcf").read_bytes().replace(b"Chemist", b"Head of Lab"))
    code, text = todo("--porcelain", "list", "--status", "ANY")
    number = next((str(t["id"]) for t in json.loads(text) if t["summary"] == "Tax return"), "0") if code == 0 else "0"
    code, text = todo("done", number)
    check("todoman completes it", code == 0, text[-300:])
    sync("changes go up")
    [seen] = check("Outlook has it still once", lambda: colleague("contacts", "Zoë Ångström")) or [{}]
    check("with the new title and all else", seen.get("job_title") == "Head of Lab"
          and seen.get("phones") == expected["phones"], str(seen))
    [task] = check("the task as well", lambda: colleague("tasks", "Tax return")) or [{}]
    check("and it is done", (task.get("is_complete"), task.get("percent_complete")) == ("True", "100"), str(task))
    def tags():
        calendarserver = "http://calendarserver.org/ns/"
        found = {}
        for collection in (card_home + "contacts/", calendar_home + "tasks/"):
            [values] = gateway.propfind(collection, [(calendarserver, "getctag")]).values()
            found[collection] = values[f"{{{calendarserver}}}getctag"].text
        return found

    known = tags()
    check("somebody with Outlook changes both", lambda: colleague(
        "contacts", "Zoë Ångström", {"mobile": "+46 70 9"}, {"job_title": "Director"}) and colleague(
        "tasks", "Tax return", {"subject": "Tax return, again"}))
    # Within its freshness window the gateway asks Exchange nothing.
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up and any(known[name] == tag for name, tag in tags().items()):
        time.sleep(0.5)
    sync("changes come down")
    mine = (book / "readers-1.vcf").read_text()
    check("the contact has them", "TITLE:Director" in mine and "+46 70 9" in mine, mine)
    check("what Exchange has no place for is here still", all(
        line in mine for line in ("X-OWN:kept", "+46 70 4", "UID:readers-1")), mine)
    code, text = khard("show", "Zoë Ångström")
    check("khard shows them", code == 0 and "Director" in text and "+46 70 9" in text, text[-400:])
    code, text = todo("list", "--status", "ANY")
    check("todoman shows the task", "Tax return, again" in text, text[-400:])
    text = sync("an idle sync")
    check("moves nothing", not re.search(r"Copying|Deleting|conflict", text), text[-400:])
check.finish()
