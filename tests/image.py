#!/usr/bin/env python3
"""Puts the image's file system together as the Dockerfile does, prints its size, and runs the program in it: as the
image's user, with the image's environment, before a simulated Exchange over TLS whose name only a name server knows.

    tests/image.py PROGRAM

Runs the program as root only (chroot); otherwise it says so.
"""
import gzip
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TLS = ROOT / "fixtures/tls"
# A name that no /etc/hosts has, and who knows it: an address of this machine that nobody else takes.
NAME = "mail.example.com"
NAMESERVER = "127.0.0.153"
# Everything in the image beside the shared libraries.
FILES = {"/usr/local/bin/exdav", "/etc/ssl/certs/ca-certificates.crt", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group",
         "/etc/exdav/exdav.toml"}
# Largest image for a program of each profile; one for debugging is many times as large.
MAX_IMAGE_OCTETS = {"dist": 20_000_000, "release": 31_000_000}
failed = 0


def check(sentence, holds, why=""):
    global failed
    failed += not holds
    print(f"{'ok  ' if holds else 'FAIL'} {sentence}" + (f": {why}" if why and not holds else ""))


def instructions():
    """The Dockerfile's last stage, an instruction with its text each."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    last = max(at for at, line in enumerate(lines) if line.startswith("FROM "))
    return [tuple(line.split(" ", 1)) for line in lines[last:]]


def of(name):
    return [text for instruction, text in instructions() if instruction == name]


def files(root):
    return sorted(path for path in root.rglob("*") if not path.is_dir())


def layer(root):
    """The size of the image's layer: its files in a tar archive, packed."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6) as out, tarfile.open(fileobj=out, mode="w|") as tar:
        tar.add(root, arcname=".")
    return len(packed.getvalue())


def measured(program, root):
    """Puts the image together in a folder; octets of its files, and of its layer."""
    subprocess.run([ROOT / "packaging/rootfs", program, root], check=True)
    return sum(path.stat().st_size for path in files(root)), layer(root)


def answer(question):
    """The name server's answer: the address for NAME, for every other name that there is none. RFC 1035"""
    at, labels = 12, []
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode("latin-1"))
        at += 1 + question[at]
    kind = question[at + 1:at + 3]
    is_known = ".".join(labels).lower() == NAME
    record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1" if is_known and kind == b"\0\1" else b""
    flags = b"\x81\x80" if is_known else b"\x81\x83"
    return question[:2] + flags + b"\0\1\0" + bytes([bool(record)]) + b"\0\0\0\0" + question[12:at + 5] + record


def serve_names():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((NAMESERVER, 53))

    def run():
        while True:
            question, peer = server.recvfrom(512)
            server.sendto(answer(question), peer)
    threading.Thread(target=run, daemon=True).start()


class Program:
    """A program that says `ready`."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if line.startswith("ready"):
                break
        self.is_ready = self.said.rstrip().splitlines()[-1:] != [] and self.said.rstrip().splitlines()[-1].startswith("ready")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def address(self, name):
        return re.search(rf"{name} +\w+://([\d.:\w]+)", self.said)[1]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None


def ask(method, url, body=None):
    import base64
    headers = {"Authorization": "Basic " + base64.b64encode(b"demo@example.com:demo").decode(), "Depth": "1"}
    request = urllib.request.Request(url, method=method, headers=headers, data=body)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def run_in(root, program):
    user = of("USER")[0]
    (entry,) = [json.loads(text) for text in of("ENTRYPOINT")]
    (command,) = [json.loads(text) for text in of("CMD")]
    environment = dict(pair.split("=", 1) for text in of("ENV") for pair in text.split())
    check("the image listens on all addresses", environment["EXDAV_SERVER_LISTEN"] == "0.0.0.0:8008")
    environment["EXDAV_SERVER_LISTEN"] = "127.0.0.1:0"

    def inside(arguments, more=()):
        line = [shutil.which("chroot"), f"--userspec={user}", str(root), *entry, *arguments]
        return line, {**environment, **dict(more)}

    def once(arguments, more=(), text=None):
        line, env = inside(arguments, more)
        done = subprocess.run(line, env=env, input=text, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    code, said = once(["--version"])
    check("the program starts with what is there", code == 0 and said.startswith("exdav "), said)
    exchange = Program([str(program), "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0",
                        "--exchange-certificate", str(TLS / "domain.crt"), "--exchange-key", str(TLS / "domain.key")])
    port = exchange.address("exchange").rsplit(":", 1)[1].split("/")[0]
    url = {"EXDAV_EXCHANGE_URL": f"https://{NAME}:{port}/EWS/Exchange.asmx"}
    look = ["check", "--config", "/etc/exdav/exdav.toml", "--user", "demo@example.com"]

    def seen(step):
        code, said = once(look, url, "demo\n")
        found = re.search(rf"^(\S+) +{step} +(.*)$", said, re.M)
        return (found[1], found[2]) if found else ("", said)

    # What Docker puts beside the image.
    (root / "etc/resolv.conf").write_text(f"nameserver {NAMESERVER}\n")
    check("names are resolved by the name server that the container is given", "127.0.0.1" in seen("address")[1], seen("address")[1])
    outcome, why = seen("connection")
    check("a certificate of nobody whom the image trusts is refused", outcome != "ok" and "authority" in why, why)
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    world = bundle.read_bytes()
    check("the authorities of the world are there", world.count(b"BEGIN CERTIFICATE") > 100)
    bundle.write_bytes(world + (TLS / "domains-ca.crt").read_bytes())
    check("one of an authority in the image's bundle is trusted", seen("connection")[0] == "ok", seen("connection")[1])

    line, env = inside(command, url)
    gateway = Program(line, env=env)
    check("the container's command starts with settings from the environment alone", gateway.is_ready, gateway.said)
    if gateway.is_ready:
        base = "http://" + gateway.address("gateway").rstrip("/")
        code, said = once(["health", f"{base}/healthz"])
        check("the health check finds it well", code == 0, said)
        status, said = ask("PROPFIND", f"{base}/dav/cal/demo~40example.com/")
        check("a client finds the calendars", status == 207 and "/calendar/" in said, f"{status} {said[:200]}")
        status, said = ask("GET", f"{base}/dav/cal/demo~40example.com/calendar/")
        check("a client reads events", status == 200 and "BEGIN:VEVENT" in said, f"{status} {said[:200]}")
        kept = [path for path in files(root / "var/lib/exdav")]
        check("the mirror is in the volume and belongs to the image's user", bool(kept) and all(
            path.stat().st_uid == int(user.split(":")[0]) for path in kept), str(kept))
        check("it ends in peace", gateway.end() == 0)
        code, _ = once(["health", f"{base}/healthz"])
        check("the health check finds that it is gone", code != 0)
    exchange.end()
    line, env = inside(["demo", "--listen", "127.0.0.1:0", "--exchange-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"])
    demo = Program(line, env=env)
    status, said = ask("PROPFIND", f"http://{demo.address('gateway').rstrip('/')}/") if demo.is_ready else (0, demo.said)
    check("the demo runs in the image", status == 207, said)
    check("and ends in peace", demo.end() == 0)


def main():
    program = Path(sys.argv[1]).resolve()
    folder = Path(tempfile.mkdtemp(prefix="exdav-image-"))
    root = folder / "root"
    try:
        size, packed = measured(program, root)
        found = files(root)
        names = {"/" + str(path.relative_to(root)) for path in found}
        loaded = subprocess.check_output(["ldd", program], text=True)
        libraries = set(re.findall(r"(/\S+) \(", loaded))
        check("the image holds the program, its shared libraries, and no file more", names == FILES | libraries,
              ", ".join(sorted(names ^ (FILES | libraries))))
        check("no file gives rights that its user has not", not any(path.stat().st_mode & 0o6000 for path in found))
        check("the last stage begins with nothing", of("FROM") == ["scratch"], str(of("FROM")))
        build = (ROOT / "Dockerfile").read_text()
        check("the Dockerfile makes it with the same script", "RUN packaging/rootfs target/dist/exdav /rootfs\n" in build
              and "/rootfs /" in of("COPY")[0])
        of_libraries = sum((root / name[1:]).stat().st_size for name in libraries)
        print(f"the image has {size / 1e6:.1f} MB ({size} octets of files: the program {program.stat().st_size}, {len(libraries)} "
              f"shared libraries {of_libraries}), {packed / 1e6:.1f} MB to download")
        (run,) = re.findall(r"^docker run (.*) exdav$", (ROOT / "docs" / "INSTALL.md").read_text(), re.M)
        given = dict(re.findall(r"-(\w) (\S+)", run))
        check("docs/INSTALL.md runs it with its port, its volume and its settings", given["p"].endswith(f":{of('EXPOSE')[0]}")
              and given["v"].endswith(f":{of('VOLUME')[0]}") and given["e"].startswith("EXDAV_EXCHANGE_URL="), run)
        if most := MAX_IMAGE_OCTETS.get(program.parent.name):
            check(f"the image has at most {most / 1e6:.0f} MB", size <= most)
        if os.getuid() != 0:
            print("not root: the program is not run in the image")
        else:
            serve_names()
            run_in(root, program)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("the image works" if not failed else f"{failed} of the image's promises are broken")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
