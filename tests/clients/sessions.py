#!/usr/bin/env python3
"""Runs client sessions against `exdav demo` and prints what each cost Exchange.

    sessions.py --exdav PROGRAM --tools DIR [--all | NAME …]

Two sessions run at once. A session is a program that prints `ok …` or `FAIL …` lines and ends in `N passed, M failed`. Each has a
demo of its own, so that none sees another's traces. All messages between exdav and the simulated Exchange are
recorded and validated against Exchange's schema at the end.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from modes import CA, MODES, Deployment
from programs import Control, Program

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("EXDAV_SHARED", HERE.parents[2] / "shared"))
USER, PASSWORD = "demo@example.com", "demo"


class Demo(Program):
    """One `exdav demo` on free ports with a store of its own."""

    def __init__(self, program, record, *options):
        self.store = tempfile.mkdtemp(prefix="exdav-session-")
        super().__init__(program, "demo", "--listen", "127.0.0.1:0", "--exchange-listen", "127.0.0.1:0",
                         "--control-listen", "127.0.0.1:0", "--store", self.store, "--record", record, *options)
        self.control = Control(self.urls["control"])
        self.output = "".join(self.log)

    def stop(self):
        code = super().stop()
        shutil.rmtree(self.store, ignore_errors=True)
        return code


class Tools:
    """Python environments with pinned clients, made once."""

    PINS = {
        "exchangelib": ["exchangelib==5.6.0"],
        "caldav": ["caldav==3.6.0", "icalendar"],
        "vdirsyncer": ["vdirsyncer==0.21.0"],
        "ntlm": ["pyspnego==0.12.4", "requests-ntlm==1.3.0", "requests==2.32.5"],
        "writers": ["caldav==3.6.0", "icalendar", "vdirsyncer==0.21.0", "exchangelib==5.6.0"],
        "thunderbird": ["marionette_driver==3.7.1"],
        "readers": ["vdirsyncer==0.21.0", "khard==0.22.0", "khal==0.14.1", "todoman==4.7.0"],
    }

    def __init__(self, folder):
        self.folder = Path(folder).resolve()

    def python(self, name):
        if name is None:
            return sys.executable
        if name == "system":
            return "/usr/bin/python3"
        home = self.folder / name
        done = home / "installed"
        want = "\n".join(self.PINS[name])
        if not done.exists() or done.read_text() != want:
            shutil.rmtree(home, ignore_errors=True)
            subprocess.check_call([sys.executable, "-m", "venv", str(home)])
            subprocess.check_call([str(home / "bin" / "pip"), "--quiet", "--disable-pip-version-check", "install",
                                   *self.PINS[name]])
            done.write_text(want)
        return str(home / "bin" / "python")


# name: (script, environment, arguments). G = gateway, E = EWS URL, C = control interface.
SESSIONS = {
    "curl": ("curl_session.py", None, ["G", "C", USER, PASSWORD]),
    "python-caldav": ("caldav_session.py", "caldav", ["G", "E", USER, PASSWORD]),
    "vdirsyncer": ("vdirsyncer_session.py", "vdirsyncer", ["G", USER, PASSWORD]),
    "readers": ("readers_session.py", "readers", ["G", "E", USER, PASSWORD]),
    "writers": ("writers_session.py", "writers", ["G", "E", USER, PASSWORD]),
    "evolution": ("evolution_session.py", "system", ["G", USER, PASSWORD]),
    "evolution-loss": ("evolution_loss_session.py", "system", [USER, PASSWORD]),
    "fill": ("fill_session.py", "thunderbird", [USER, PASSWORD]),
    "thunderbird": ("thunderbird_session.py", "thunderbird", ["G", "C", USER, PASSWORD]),
    "exchangelib": ("exchangelib_session.py", "exchangelib", ["E", USER, PASSWORD]),
    "meetings": ("meetings_session.py", "exchangelib", ["E", USER, PASSWORD]),
    "davmail": ("davmail_session.py", None, ["E", USER, PASSWORD]),
    "series": ("series_session.py", None, ["G", "E", USER, PASSWORD]),
    "write": ("write_session.py", None, ["G", "E", "C", USER, PASSWORD]),
    "ntlm": ("ntlm_session.py", "ntlm", [USER, PASSWORD]),
    "autodiscover": ("autodiscover_session.py", "exchangelib", [USER, PASSWORD]),
    "login": ("login_session.py", None, [USER]),
    "live": ("live_session.py", "exchangelib", ["E", "C", USER, PASSWORD]),
    "cost": ("cost_session.py", None, [USER, PASSWORD]),
    "bounds": ("bounds_session.py", None, [USER, PASSWORD]),
    "reference": ("reference_session.py", None, ["G", USER, PASSWORD]),
    "replay": ("replay.py", None, ["G", USER, PASSWORD]),
}


# The same clients once more for each way of signing in to Exchange, over TLS on both sides: `write@ntlm`.
IN_EACH_MODE = ["curl", "python-caldav", "vdirsyncer", "write"]
OWN = "it starts servers of its own, which are Exchange"
FOLLOWS = "gromox tells neither OriginalStart nor the first and the last occurrence"
# The same clients once more before another product: `curl@gromox`. What that product cannot, and why: whole sessions
# which are not run there, and single checks which fail there. A check that is listed and passes is a failure, too.
PRODUCTS = {
    "gromox": {
        "sessions": {
            "ntlm": "gromox offers Basic alone",
            "login": "gromox takes no tokens",
            "autodiscover": OWN,
            "cost": OWN,
            "fill": OWN,
            "evolution-loss": OWN,
            "bounds": OWN,
        },
        "checks": {
            "meetings": {
                "declined meetings leave the calendar": "DeclineItem leaves the item in the calendar",
            },
            "replay": {
                "davx5/31-PUT-group-vcard-v3": "a DistributionList cannot be created: exdav answers 501",
                "ios/37-PUT-contact-group-create": "a DistributionList cannot be created: exdav answers 501",
            },
            "exchangelib": {
                "knows the exception": "OriginalStart is the midnight of the day",
                "and its first and last occurrence": FOLLOWS,
                "an occurrence may not pass its neighbour": "InstanceIndex skips deleted occurrences: it is another one",
                "time zones of the server": "there is no GetServerTimeZones",
            },
        },
    },
}
IN_EACH_PRODUCT = [f"{name}@{product}" for product, cannot in PRODUCTS.items() for name in SESSIONS
                   if name not in cannot["sessions"]]
# Exchanges of other ages differ in their schema alone: the clients that are run in each way of signing in tell them apart.
EXCHANGES = ["exchange2010", "exchange2013", "online"]
# Every session in every form.
ALL = [*SESSIONS, *(f"{name}@{form}" for form in [*MODES, *EXCHANGES] for name in IN_EACH_MODE), *IN_EACH_PRODUCT]
# Sessions mostly wait for their clients. Two of them share a machine of two cores.
AT_ONCE = 2
# What says how long something took, or asks more of a server that is slow.
ALONE = {"fill", "cost", "bounds"}
# Every session once, and of each form the session that tells it apart.
SHORT = [*SESSIONS, *(f"write@{mode}" for mode in MODES), "series@gromox"]


class Outcome(NamedTuple):
    passed: int
    failed: int
    seconds: float
    calls: dict
    said: str


def run_session(name, program, tools, record):
    start = time.monotonic()
    os.makedirs(record, exist_ok=True)
    name, _, mode = name.partition("@")
    product, mode = (mode, "") if mode in PRODUCTS or mode in EXCHANGES else ("exchange2016", mode)
    script, environment, arguments = SESSIONS[name]
    said = []
    python = tools.python(environment)
    if mode:
        demo = Deployment(program, record, mode, USER)
        more = {"EXDAV_CA": CA, "CURL_CA_BUNDLE": CA, "REQUESTS_CA_BUNDLE": CA, "SSL_CERT_FILE": CA, **demo.colleague}
        arguments = [demo.password if argument == PASSWORD else argument for argument in arguments]
    else:
        demo, more = Demo(program, record, "--product", product), {}
    try:
        known = {"G": demo.urls["gateway"], "E": demo.urls["exchange"], "C": demo.urls["control"]}
        env = dict(os.environ, EXDAV_SHARED=str(SHARED), EXDAV_DEMO_OUTPUT=demo.output,
                   EXDAV_PROGRAM=os.path.abspath(program), EXDAV_CALDAV_PYTHON=tools.python("caldav"),
                   EXDAV_VDIRSYNCER=str(Path(tools.python("vdirsyncer")).parent / "vdirsyncer"),
                   EXDAV_EXCHANGELIB_PYTHON=tools.python("exchangelib"),
                   EXDAV_REFERENCE_CACHE=str(tools.folder / "reference"), **more)
        demo.control.reset()
        done = subprocess.run([python, str(HERE / script), *[known.get(a, a) for a in arguments]], env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=7200 if os.environ.get("EXDAV_FILL") == "long" else 900)
        said.append(done.stdout)
        calls = demo.control.calls()
        counts = re.findall(r"^(\d+) passed, (\d+) failed", done.stdout, re.M)
        passed, failed = (int(counts[-1][0]), int(counts[-1][1])) if counts else (0, 1)
        if done.returncode != 0 and failed == 0:
            failed = 1
        cannot = PRODUCTS.get(product, {}).get("checks", {}).get(name, {})
        outcomes = re.findall(r"^(ok  |FAIL) (.*?)(?: \[.*)?$", done.stdout, re.M)
        for check, why in cannot.items():
            found = {verdict for verdict, text in outcomes if text == check}
            if found == {"FAIL"}:
                said.append(f"{product} cannot: {check}: {why}\n")
                failed -= 1
            else:
                said.append(f"FAIL {check} is listed as what {product} cannot: {found or 'it was not checked'}\n")
                passed, failed = passed - 1, failed + 1
    finally:
        code = demo.stop()
    if code != 0:
        said.append(f"FAIL exdav ended with {code}\n")
        failed += 1
    if failed:
        said.append("".join(demo.log[-60:]))
    return Outcome(passed, failed, time.monotonic() - start, calls, "".join(said))


def validate(record):
    """All recorded messages against Exchange's schema; returns (valid, invalid), or None without the schema."""
    schema = Path(os.environ.get("EXDAV_EWS_SCHEMA", SHARED / "ews" / "schema")) / "soap-envelope.xsd"
    files = sorted(str(f) for f in Path(record).rglob("*.xml"))
    if not schema.exists():
        return None

    def some(start):
        done = subprocess.run(["xmllint", "--noout", "--nonet", "--huge", "--schema", str(schema),
                               *files[start:start + 500]], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        return done.stderr.splitlines()

    valid, invalid = 0, 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for line in (line for lines in pool.map(some, range(0, len(files), 500)) for line in lines):
            valid += line.endswith(" validates")
            if line.endswith(" fails to validate") or "parser error" in line:
                invalid += 1
            if "Schemas validity error" in line and invalid < 20:
                print("  ", line[:300])
    return valid, invalid


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exdav")
    parser.add_argument("--tools", default="target/test-tools")
    parser.add_argument("--validate", metavar="DIR", help="only validate the messages recorded there")
    parser.add_argument("--keep-record", help="folder for the recorded messages; default: a temporary one")
    parser.add_argument("--all", action="store_true", help="every session in every form")
    parser.add_argument("--product", choices=list(PRODUCTS), help="the sessions named, or all, before this product alone")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ALL))
    arguments = parser.parse_args()
    if arguments.validate:
        outcome = validate(arguments.validate)
        if outcome is None:
            print("the schema is not here: messages were not validated (set EXDAV_EWS_SCHEMA)")
            return 0
        print(f"{outcome[0]} valid, {outcome[1]} not valid")
        return 1 if outcome[1] or not outcome[0] else 0
    if not arguments.exdav:
        parser.error("--exdav is needed")
    tools = Tools(arguments.tools)
    record = arguments.keep_record or tempfile.mkdtemp(prefix="exdav-record-")
    rows, total = [], [0, 0]
    names = arguments.names or (ALL if arguments.all else SHORT)
    if arguments.product:
        chosen = arguments.names or [name for name in SESSIONS if name not in PRODUCTS[arguments.product]["sessions"]]
        names = [f"{name}@{arguments.product}" for name in chosen]
    for name in names:  # two sessions must not install the same packages at once
        tools.python(SESSIONS[name.partition("@")[0]][1])
    for name in ("caldav", "vdirsyncer", "exchangelib"):
        tools.python(name)
    alone = [name for name in names if name in ALONE]
    for group, at_once in ((alone, 1), ([name for name in names if name not in alone], AT_ONCE)):
        with ThreadPoolExecutor(at_once) as pool:
            running = [(name, pool.submit(run_session, name, arguments.exdav, tools, os.path.join(record, name)))
                       for name in group]
            for name, session in running:
                outcome = session.result()
                print(f"\n== client session: {name}\n{outcome.said}", end="", flush=True)
                rows.append((name, outcome))
                total[0] += outcome.passed
                total[1] += outcome.failed
    print("\n== messages against Exchange's schema")
    outcome = validate(record)
    if outcome == (0, 0):
        print("no message was recorded")
    elif outcome is None:
        print("the schema is not here: messages were not validated (set EXDAV_EWS_SCHEMA)")
    else:
        valid, invalid = outcome
        print(f"{valid} valid, {invalid} not valid")
        total[0] += invalid == 0
        total[1] += invalid > 0
    if not arguments.keep_record:
        shutil.rmtree(record, ignore_errors=True)
    print("\n== client sessions")
    for name, done in rows:
        listed = ", ".join(f"{k} {v}" for k, v in sorted(done.calls.items()))
        print(f"{name:31} {done.passed:4} passed {done.failed:3} failed {done.seconds:4.0f} s   EWS calls: {listed or 'none'}")
    for product, cannot in PRODUCTS.items():
        if not any(name.endswith(f"@{product}") for name in names):
            continue
        print(f"\n== what {product} cannot")
        for name, why in cannot["sessions"].items():
            print(f"{name}: not run: {why}")
        for name, checks in cannot["checks"].items():
            for check, why in checks.items():
                print(f"{name}: {check}: {why}")
    if arguments.all:
        print("\n== what --all runs")
        forms = [name.partition("@")[2] for name in ALL]
        for form in dict.fromkeys(forms):
            print(f"{form or 'exchange2016, basic':20} {', '.join(n.partition('@')[0] for n in ALL if n.partition('@')[2] == form)}")
    print(f"\n{total[0]} passed, {total[1]} failed")
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
