#!/usr/bin/env python3
"""cards.py FOLDER
Fetches the vCards that other programs' packages ship in their tests: one file each in FOLDER, read by
tests/corpus_cards.rs. Packages come from PyPI and, where npm is installed, from npm."""
import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PYPI = ["khard==0.21.0", "vobject==0.9.6.1", "radicale==3.9.0", "vdirsyncer==0.21.0", "vcard==0.15.4",
        "pycarddav==0.7.0"]
NPM = ["vcf@2.1.2", "vcard4@4.0.5", "vcard-parser@1.0.0", "vcards-js@2.10.0", "vcard-creator@0.7.2"]
CARD = re.compile(rb"([ \t]*)BEGIN:VCARD(\r?\n|\\r\\n|\\n)(.*?)END:VCARD", re.S | re.I)


def packages(work):
    """The archives, as far as they can be had."""
    for name in PYPI:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--no-binary", ":all:", "--dest", str(work), name]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300, check=False)
    if shutil.which("npm"):
        for name in NPM:
            subprocess.run(["npm", "pack", "--silent", name], cwd=work, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=300, check=False)
    return sorted([*work.glob("*.tar.gz"), *work.glob("*.tgz")])


def cards(archive):
    """Every card in any text of an archive."""
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
        for member in tar:
            if member.isfile() and member.size < 2 << 20:
                for indent, end, within in CARD.findall(tar.extractfile(member).read()):
                    if end.startswith(b"\\"):
                        # A string of a program: its line ends are written out.
                        within = re.sub(rb"['\"][ \t]*[+.\\]?[ \t]*\r?\n[ \t]*['\"]", b"", within).replace(end, b"\r\n")
                        end = b"\r\n"
                    lines = within.splitlines(keepends=True)
                    # Those within programs are indented.
                    lines = [line.removeprefix(indent) for line in lines]
                    yield b"BEGIN:VCARD" + end + b"".join(lines) + b"END:VCARD" + end


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    seen = set()
    with tempfile.TemporaryDirectory() as work:
        for archive in packages(Path(work)):
            before = len(seen)
            for card in cards(archive):
                name = hashlib.sha256(card).hexdigest()[:16]
                if name not in seen:
                    seen.add(name)
                    (folder / f"{archive.name.split('-')[0]}-{name}.vcf").write_bytes(card)
            print(f"{archive.name}: {len(seen) - before} vCards")
    print(f"{len(seen)} vCards in {folder}")


main()
