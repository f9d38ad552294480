"""evolution-data-server in a D-Bus session of its own: what GNOME Calendar, Contacts and Evolution do. Importing this runs the
importing script again, inside of that session."""
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
                                os.path.abspath(sys.argv[0]), *sys.argv[1:]], env=environment, stderr=errors)
    if code not in (0, 1):
        with open(f"{home}/errors", encoding="utf-8") as errors:
            print(errors.read()[-2000:])
    shutil.rmtree(home, ignore_errors=True)
    sys.exit(code)

import time

import gi

for name, version in (("EDataServer", "1.2"), ("ECal", "2.0"), ("EBook", "1.2"), ("EBookContacts", "1.2")):
    gi.require_version(name, version)
from urllib.parse import urlsplit  # noqa: E402

from gi.repository import ECal, EDataServer, GLib  # noqa: E402

registry = EDataServer.SourceRegistry.new_sync(None)


def source(url, user, identity, extension, backend, path):
    """A data source as the account assistant would make it."""
    place = urlsplit(url)
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


def until(condition, seconds=120):
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


def opened(url, user, password, identity, extension, backend, path, connect):
    """A connected client of the backend."""
    made = source(url, user, identity, extension, backend, path)
    made.store_password_sync(password, True, None)
    registry.commit_source_sync(made, None)
    known = until(lambda: registry.ref_source(identity))
    # The factory of backends may not have heard of it yet.
    client = until(lambda: connect(known)) or connect(known)
    until(client.is_online)
    return client


def events(source):
    """The client of a calendar."""
    return ECal.Client.connect_sync(source, ECal.ClientSourceType.EVENTS, 1, None)


def uids(client):
    """The UIDs of all events or tasks that it shows, one for each object."""
    return [event.get_uid() for event in client.get_object_list_sync("#t", None)[1]]
