#!/usr/bin/python3
"""evolution_session.py GATEWAY USER PASSWORD
evolution-data-server (GNOME Calendar and Contacts, Evolution), headless in a D-Bus session of its own: discovery,
then a calendar, a task list and an address book through the real backends."""
import os
import shutil
import subprocess
import sys
import tempfile

if "EVOLUTION_SESSION" not in os.environ:
    home = tempfile.mkdtemp(prefix="evolution-")
    folders = {"XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "data", "XDG_CACHE_HOME": "cache", "XDG_RUNTIME_DIR": "run"}
    environment = dict(os.environ, EVOLUTION_SESSION="1", HOME=home, GIO_USE_NETWORK_MONITOR="base",
                       GSETTINGS_BACKEND="memory", GIO_USE_PROXY_RESOLVER="dummy", LC_ALL="C.UTF-8")
    for variable, folder in folders.items():
        os.makedirs(f"{home}/{folder}", mode=0o700)
        environment[variable] = f"{home}/{folder}"
    unlock = 'printf x | gnome-keyring-daemon --unlock --components=secrets > /dev/null 2>&1; exec "$@"'
    with open(f"{home}/errors", "w", encoding="utf-8") as errors:
        code = subprocess.call(["dbus-run-session", "--", "sh", "-c", unlock, "sh", "/usr/bin/python3",
                                os.path.abspath(__file__), *sys.argv[1:]], env=environment, stderr=errors)
    if code not in (0, 1):
        with open(f"{home}/errors", encoding="utf-8") as errors:
            print(errors.read()[-2000:])
    shutil.rmtree(home, ignore_errors=True)
    sys.exit(code)

import time
from urllib.parse import unquote, urlsplit

import gi

for name, version in (("EDataServer", "1.2"), ("ECal", "2.0"), ("EBook", "1.2"), ("EBookContacts", "1.2")):
    gi.require_version(name, version)
from gi.repository import EBook, ECal, EDataServer, GLib  # noqa: E402
from checks import Checks, Gateway  # noqa: E402

url, user, password = sys.argv[1:4]
check, gateway = Checks(), Gateway(url, user, password)
place = urlsplit(url)
registry = EDataServer.SourceRegistry.new_sync(None)


def source(identity, extension, backend, path):
    """A data source as the account assistant would make it."""
    made = EDataServer.Source.new_with_uid(identity, None)
    made.set_display_name(identity)
    made.get_extension(extension).set_backend_name(backend)
    authentication = made.get_extension(EDataServer.SOURCE_EXTENSION_AUTHENTICATION)
    authentication.set_host(place.hostname)
    authentication.set_port(place.port)
    authentication.set_user(user)
    authentication.set_method("plain/password")
    made.get_extension(EDataServer.SOURCE_EXTENSION_SECURITY).set_secure(False)
    made.get_extension(EDataServer.SOURCE_EXTENSION_WEBDAV_BACKEND).set_resource_path(path)
    made.get_extension(EDataServer.SOURCE_EXTENSION_OFFLINE).set_stay_synchronized(True)
    return made


def discover(kind):
    """[(path, display name)] of the collections that Evolution would offer."""
    credentials = EDataServer.NamedParameters()
    credentials.set("username", user)
    credentials.set("password", password)
    probe = source("probe", EDataServer.SOURCE_EXTENSION_CALENDAR, "caldav", "/")
    answer = EDataServer.webdav_discover_sources_sync(probe, url + "/", kind, credentials, None)
    return [(unquote(urlsplit(found.href).path), found.display_name) for found in answer[3] if found.supports & int(kind)]


def until(condition, seconds=60):
    """What `condition` gives once it is true; the main loop turns meanwhile."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            value = condition()
            if value:
                return value
        except GLib.Error:
            pass
        GLib.MainContext.default().iteration(False)
        time.sleep(0.05)
    return None


def opened(identity, extension, backend, path, connect):
    """A connected client of the backend."""
    made = source(identity, extension, backend, path)
    made.store_password_sync(password, True, None)
    registry.commit_source_sync(made, None)
    client = connect(until(lambda: registry.ref_source(identity)))
    until(client.is_online, 15)
    return client


Supports = EDataServer.WebDAVDiscoverSupports
for title, kind, extension, backend, connect, members in (
        ("calendar", Supports.EVENTS, EDataServer.SOURCE_EXTENSION_CALENDAR, "caldav",
         lambda s: ECal.Client.connect_sync(s, ECal.ClientSourceType.EVENTS, 1, None),
         lambda c: {o.get_uid() for o in c.get_object_list_sync("#t", None)[1]}),
        ("task list", Supports.TASKS, EDataServer.SOURCE_EXTENSION_TASK_LIST, "caldav",
         lambda s: ECal.Client.connect_sync(s, ECal.ClientSourceType.TASKS, 1, None),
         lambda c: {o.get_uid() for o in c.get_object_list_sync("#t", None)[1]}),
        ("address book", Supports.CONTACTS, EDataServer.SOURCE_EXTENSION_ADDRESS_BOOK, "carddav",
         lambda s: EBook.BookClient.connect_sync(s, 1, None),
         lambda c: {o.get_property("id") for o in c.get_contacts_sync("#t", None)[1]})):
    found = check(f"{title}: discovery", lambda: discover(kind)) or []
    check(f"{title}: found with names", bool(found) and all(name for _, name in found), str(found))
    for number, (path, name) in enumerate(found[:2]):
        client = check(f"{title}: open {name}",
                       lambda: opened(f"{backend}-{title.split()[0]}-{number}", extension, backend, path, connect))
        if not client:
            continue
        check("  online", client.is_online())
        there = len(gateway.members(path))
        here = until(lambda: len(members(client)) >= there and members(client))
        check(f"  all {there} members arrived", here is not None and len(here) == there or there == 0,
              f"{len(members(client))} of {there}")
check.finish()
