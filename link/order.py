#!/usr/bin/env python3
"""Writes start.ld: which functions `exdav serve` runs until its first answer. The linker lays them side by side, so that
the system need not bring in the pages between them. What is not in the list is laid where it would be without it: the
list grows old without harm, but for memory.

    cargo rustc --release --bin exdav -- -C link-arg=-Wl,-Map=target/start.map
    link/order.py target/release/exdav target/start.map

Needs valgrind.
"""
import bisect
import collections
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

# A module goes into the list as a whole if that does not make it larger than this many times what is run of it.
MOST_BESIDE = 2


def run(program, profile):
    """Starts it under callgrind, asks once, ends it."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "exdav.toml")
        config.write_text(f'[server]\nlisten = "127.0.0.1:0"\n[exchange]\nurl = "http://127.0.0.1:9/EWS/Exchange.asmx"\n'
                          f'[store]\npath = "{folder}/store"\n')
        # With the variable set the program does not load itself again.
        serve = subprocess.Popen(
            ["valgrind", "--tool=callgrind", "--dump-instr=yes", f"--callgrind-out-file={profile}", program, "serve",
             "--config", str(config)],
            env={**os.environ, "EXDAV_LOG": "warn", "MALLOC_ARENA_MAX": "1"}, text=True, stdout=subprocess.PIPE)
        for line in serve.stdout:
            if found := re.search(r"gateway\s+(http\S+)", line):
                url = found[1]
            if line.startswith("ready"):
                break
        urllib.request.urlopen(urllib.request.Request(url, method="OPTIONS")).read()
        time.sleep(1)
        serve.terminate()
        serve.wait()


def addresses(profile, name):
    """The addresses of the program's instructions that were run."""
    objects, inside, at, found = {}, False, 0, set()
    for line in open(profile, encoding="utf-8", errors="replace"):
        if named := re.match(r"(c?)ob=\((\d+)\)(?: (.*))?", line):
            objects.setdefault(named[2], named[3])
            if not named[1]:
                inside = objects[named[2]].endswith(name)
        elif line[0] in "0+-*":
            first = line.split()[0]
            at = int(first, 16) if first.startswith("0x") else at if first == "*" else at + int(first, 0)
            if inside:
                found.add(at)
    return found


def sections(map_file):
    """(address, octets, name) of the functions in a map that LLVM's linker wrote."""
    row = re.compile(r"\s*([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)\s+\d+\s+\S.*:\(\.text\.(\S+)\)$")
    found = (row.match(line) for line in open(map_file, encoding="utf-8", errors="replace"))
    return sorted((int(match[1], 16), int(match[2], 16), match[3]) for match in found if match)


def path(name):
    """A function's path; its last part is the hash that tells it from others of its name."""
    found, at = [], name.find("_ZN") + 3
    while at > 2 and (length := re.match(r"\d+", name[at:])):
        at += len(length[0])
        found.append(length[0] + name[at:at + int(length[0])])
        at += int(length[0])
    if not found:  # the newer names, of the standard library: a crate's number differs from compiler to compiler
        return [re.sub(r"Cs[0-9A-Za-z]+_", "Cs*_", name), ""]
    return [name[:name.find("_ZN") + 3] + found[0], *found[1:]]


def patterns(functions, is_run):
    """What matches all that is run and as little else as names allow; what is run for the most part comes first."""
    size, used, children = collections.Counter(), collections.Counter(), collections.defaultdict(set)
    for (_, octets, name), wanted in zip(functions, is_run):
        nodes = path(name)
        for depth in range(len(nodes) + 1):
            node = tuple(nodes[:depth])
            size[node] += octets
            used[node] += octets * wanted
            if depth:
                children[node[:-1]].add(node)
    chosen, waiting = set(), [()]
    while waiting:
        node = waiting.pop()
        if node and size[node] <= used[node] * MOST_BESIDE:
            chosen.add((node, "".join(node) + "*"))
            continue
        for child in children[node]:
            if used[child] and child in children:
                waiting.append(child)
            elif used[child]:  # the same for other types differs only by its hash, which is another with each compiler
                chosen.add((node, "".join(node) + "17h*"))
    return [pattern for node, pattern in sorted(chosen, key=lambda each: (-used[each[0]] / size[each[0]], each))]


def main():
    program, map_file = map(os.path.abspath, sys.argv[1:3])
    hit = set()
    for _ in range(3):  # threads do not meet in the same places each time
        with tempfile.NamedTemporaryFile() as profile:
            run(program, profile.name)
            hit |= addresses(profile.name, program)
    functions = sections(map_file)
    starts = [address for address, _, _ in functions]
    seen = {starts[bisect.bisect_right(starts, address) - 1] for address in hit if address >= starts[0]}
    is_run = [address in seen for address in starts]
    lines = "\n".join(f"    *(.text.{pattern})" for pattern in patterns(functions, is_run))
    Path(__file__).with_name("start.ld").write_text(f"""\
/* Made by link/order.py: what runs until the first answer lies side by side. */
SECTIONS {{
  .text.start : {{
{lines}
  }}
}} INSERT BEFORE .text;
""")
    octets = sum(function[1] for function, wanted in zip(functions, is_run) if wanted)
    print(f"{sum(is_run)} functions of {octets:,} octets are run")


if __name__ == "__main__":
    main()
