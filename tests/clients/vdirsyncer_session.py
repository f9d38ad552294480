#!/usr/bin/env python3
"""vdirsyncer_session.py GATEWAY USER PASSWORD
vdirsyncer: discover and sync of calendars and address books, then an idle sync."""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from checks import Checks, Gateway

url, user, password = sys.argv[1:4]
check, gateway = Checks(), Gateway(url, user, password)
verify = f'verify = "{os.environ["EXDAV_CA"]}"' if "EXDAV_CA" in os.environ else ""
program = str(Path(sys.executable).parent / "vdirsyncer")
calendar_home, card_home = gateway.homes()

with tempfile.TemporaryDirectory(prefix="vdirsyncer-") as work:
    for kind, storage, home, suffix in (("calendar", "caldav", calendar_home, ".ics"),
                                        ("addressbook", "carddav", card_home, ".vcf")):
        config = Path(work) / f"config-{kind}"
        config.write_text(f"""
[general]
status_path = "{work}/status-{kind}/"
[pair t]
a = "here"
b = "there"
collections = ["from b"]
metadata = ["displayname"]
[storage here]
type = "filesystem"
path = "{work}/{kind}/"
fileext = "{suffix}"
[storage there]
type = "{storage}"
url = "{url}/"
username = "{user}"
password = "{password}"
{verify}
""")

        def vdirsyncer(*arguments):
            done = subprocess.run([program, *arguments], input="y\n" * 100, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=600,
                                  env=dict(os.environ, VDIRSYNCER_CONFIG=str(config), LC_ALL="C.UTF-8"))
            return done.returncode, done.stdout

        code, text = vdirsyncer("discover")
        check(f"{kind}: discover", code == 0, text[-300:])
        code, text = vdirsyncer("sync")
        check(f"{kind}: sync", code == 0, text[-500:])
        remote = gateway.collections(home, kind)
        check(f"{kind}: every collection came", {h.rstrip('/').rsplit('/', 1)[-1] for h in remote}
              == {p.name for p in (Path(work) / kind).iterdir()}, text[-300:])
        for href, (name, _) in remote.items():
            here = list((Path(work) / kind / href.rstrip("/").rsplit("/", 1)[-1]).glob("*" + suffix))
            there = gateway.members(href)
            check(f"{kind}: all of {name} came ({len(here)})", len(here) == len(there), f"{len(here)} of {len(there)}")
        code, text = vdirsyncer("sync")
        check(f"{kind}: an idle sync moves nothing", code == 0 and not re.search(r"Copying|Deleting|conflict", text),
              text[-300:])
        code, text = vdirsyncer("metasync")
        check(f"{kind}: names", code == 0, text[-300:])
check.finish()
