#!/usr/bin/env python3
"""reference_session.py GATEWAY USER PASSWORD
The client sessions of the shared reference (python-caldav, vdirsyncer, Evolution's data server), as they are. Their
reading half must pass; what they write is listed with its outcome, and judged when writing is complete."""
import os
import re
import subprocess
import sys
from pathlib import Path

from checks import Checks

url, user, password = sys.argv[1:4]
check = Checks()
folder = Path(os.environ["EXDAV_SHARED"]) / "clients" / "bin"
cache = os.path.abspath(os.environ.get("EXDAV_REFERENCE_CACHE", "target/test-tools/reference"))
PROGRAMS = {
    "run-pycaldav-script": ([url + "/", user, password], sys.executable, [
        "principal", "calendars", "at least one calendar", "displayname", "supported components",
        "initial sync-collection", "time-range search misses", "freebusy report"]),
    "run-vdirsyncer": ([url + "/", url + "/", user, password], sys.executable, [
        r"calendar: discover .*", r"calendar: collection '.*' discovered", "calendar: collection url known",
        "calendar: first sync", "calendar: metasync", r"contacts: discover .*", r"contacts: collection '.*' discovered",
        "contacts: collection url known", "contacts: first sync", "contacts: metasync"]),
    "run-eds": ([url + "/", url + "/", user, password], "/usr/bin/python3", [
        "calendar discovery", "an event calendar is found", "open calendar", "backend is online", "backend is writable",
        "refresh", "open task list", "address book discovery", "an address book is found", "open address book",
        "book is online and writable"]),
}
if not folder.is_dir():
    print(f"{folder} is not here: these sessions were not run")
    print("0 passed, 0 failed")
    sys.exit(0)
for name, (arguments, python, reading) in PROGRAMS.items():
    done = subprocess.run([python, str(folder / name), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=600, env=dict(os.environ, CACHE=cache))
    lines = re.findall(r"^(ok|FAIL)\s+(.*)$", done.stdout, re.M)
    outcomes = [(verdict, re.sub(r"\s+\[.*", "", text).strip()) for verdict, text in lines]
    for wanted in reading:
        found = [verdict for verdict, text in outcomes if re.fullmatch(wanted, text)]
        check(f"{name}: {wanted}", bool(found) and set(found) == {"ok"}, f"{found} {done.stdout[-300:] if not found else ''}")
    others = [(verdict, text) for verdict, text in outcomes if not any(re.fullmatch(w, text) for w in reading)]
    good = sum(verdict == "ok" for verdict, _ in others)
    print(f"     {name}: of its writing half {good} of {len(others)} pass")
check.finish()
