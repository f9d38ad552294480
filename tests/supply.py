#!/usr/bin/env python3
"""Looks through everything that is linked into exdav: licences, sources, versions of one crate beside each other,
build scripts of C; prints the sizes. Works offline, from Cargo.lock and what cargo has fetched.

    tests/supply.py [PROGRAM]
"""
import collections
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Licences under which exdav (MIT OR Apache-2.0) may be handed out as a whole.
ALLOWED = {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "0BSD",
           "Unlicense", "CC0-1.0", "Unicode-3.0", "BSL-1.0", "MIT-0", "CDLA-Permissive-2.0"}
# One crate in two versions, and why both stay. Each new one needs a line here.
TWICE = {
    "base64": "hyper-util has moved to 0.23 while others have not",
    "getrandom": "ring asks for 0.2",
    "syn": "macros at compile time only",
    "tower-http": "reqwest has not moved to 0.7",
}


def allowed(expression):
    """Whether one of the choices of an SPDX expression is allowed as a whole."""
    text = expression.replace("/", " OR ")
    options = re.split(r"\)\s*AND\s*\(|\s+AND\s+(?![^()]*\))", text)
    return all(any(choice.strip("() ") in ALLOWED for choice in re.split(r"\s+OR\s+", part)) for part in options)


def main():
    wrong = []
    metadata = json.loads(subprocess.check_output(
        ["cargo", "metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", "x86_64-unknown-linux-gnu"],
        cwd=ROOT))
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    linked, waiting = set(), [root]
    while waiting:
        name = waiting.pop()
        if name in linked:
            continue
        linked.add(name)
        for dependency in nodes[name]["deps"]:
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    licences, versions = collections.Counter(), collections.defaultdict(set)
    for name in linked:
        package = packages[name]
        licence = package["license"] or ""
        licences[licence] += 1
        versions[package["name"]].add(package["version"])
        if not allowed(licence):
            wrong.append(f"{package['name']} {package['version']} has the licence `{licence}`")
        if name != root and package["source"] != "registry+https://github.com/rust-lang/crates.io-index":
            wrong.append(f"{package['name']} comes from {package['source']}")
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    for package in lock["package"]:
        if "source" in package and "checksum" not in package:
            wrong.append(f"{package['name']} has no checksum in Cargo.lock")
    twice = {name: sorted(found) for name, found in versions.items() if len(found) > 1}
    for name, found in sorted(twice.items()):
        if name not in TWICE:
            wrong.append(f"{name} is linked in versions {', '.join(found)}: say why in tests/supply.py, or join them")
    for name in TWICE.keys() - twice.keys():
        wrong.append(f"{name} is no longer there twice: its line in tests/supply.py can go")
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    if manifest["lints"]["rust"].get("unsafe_code") != "forbid":
        wrong.append("unsafe code is not forbidden")
    for dependency, value in manifest["dependencies"].items():
        if value == "*" or isinstance(value, dict) and ("git" in value or "path" in value):
            wrong.append(f"{dependency} is not a version from the registry")
    if subprocess.run(["git", "ls-files", "--error-unmatch", "Cargo.lock"], cwd=ROOT, capture_output=True).returncode:
        wrong.append("Cargo.lock is not in the repository")
    print(f"{len(linked)} crates are linked; licences: " + ", ".join(f"{n} × {name}" for name, n in licences.most_common()))
    print("in two versions: " + (", ".join(f"{name} {' and '.join(found)}" for name, found in sorted(twice.items())) or "none"))
    if len(sys.argv) > 1:
        size = os.path.getsize(sys.argv[1])
        print(f"the program has {size / 1e6:.1f} MB; the image is that on a base of some 30 MB")
        if size > 15_000_000:
            wrong.append(f"the program has {size} octets, more than 15 MB")
    for what in wrong:
        print(f"FAIL {what}")
    print(f"{len(linked) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
