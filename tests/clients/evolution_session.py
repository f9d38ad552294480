#!/usr/bin/python3
"""evolution_session.py GATEWAY USER PASSWORD
evolution-data-server (GNOME Calendar and Contacts, Evolution), headless in a D-Bus session of its own: discovery,
then a calendar, a task list and an address book through the real backends."""
import sys
from urllib.parse import unquote, urlsplit

from checks import Checks, Gateway
from evolution import events, opened, source, uids, until
from gi.repository import EBook, ECal, EDataServer

url, user, password = sys.argv[1:4]
check, gateway = Checks(), Gateway(url, user, password)


def discover(kind):
    """[(path, display name)] of the collections that Evolution would offer."""
    credentials = EDataServer.NamedParameters()
    credentials.set("username", user)
    credentials.set("password", password)
    probe = source(url, user, "probe", EDataServer.SOURCE_EXTENSION_CALENDAR, "caldav", "/")
    answer = EDataServer.webdav_discover_sources_sync(probe, url + "/", kind, credentials, None)
    return [(unquote(urlsplit(found.href).path), found.display_name) for found in answer[3] if found.supports & int(kind)]


Supports = EDataServer.WebDAVDiscoverSupports
for title, kind, extension, backend, connect, members in (
        ("calendar", Supports.EVENTS, EDataServer.SOURCE_EXTENSION_CALENDAR, "caldav",
         events, lambda c: set(uids(c))),
        ("task list", Supports.TASKS, EDataServer.SOURCE_EXTENSION_TASK_LIST, "caldav",
         lambda s: ECal.Client.connect_sync(s, ECal.ClientSourceType.TASKS, 1, None),
         lambda c: set(uids(c))),
        ("address book", Supports.CONTACTS, EDataServer.SOURCE_EXTENSION_ADDRESS_BOOK, "carddav",
         lambda s: EBook.BookClient.connect_sync(s, 1, None),
         lambda c: {o.get_property("id") for o in c.get_contacts_sync("#t", None)[1]})):
    found = check(f"{title}: discovery", lambda: discover(kind)) or []
    check(f"{title}: found with names", bool(found) and all(name for _, name in found), str(found))
    for number, (path, name) in enumerate(found[:2]):
        client = check(f"{title}: open {name}",
                       lambda: opened(url, user, password, f"{backend}-{title.split()[0]}-{number}", extension, backend, path, connect))
        if not client:
            continue
        check("  online", client.is_online())
        there = len(gateway.members(path))
        here = until(lambda: len(members(client)) >= there and members(client))
        check(f"  all {there} members arrived", here is not None and len(here) == there or there == 0,
              f"{len(members(client))} of {there}")
check.finish()
