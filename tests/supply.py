#!/usr/bin/env python3
"""Looks through everything that is linked into exdav: licences, sources, what was withdrawn, versions of one crate beside
each other, build scripts of C, unsafe code of exdav's own; prints the sizes. Works offline, from Cargo.lock and what
cargo has fetched. First each check is shown something that it has to find.

    tests/supply.py [PROGRAM]
"""
import collections
import copy
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import image

ROOT = Path(__file__).resolve().parents[1]
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"
# Licences under which exdav (MIT OR Apache-2.0) may be handed out as a whole.
ALLOWED = {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "0BSD",
           "Unlicense", "CC0-1.0", "Unicode-3.0", "BSL-1.0", "MIT-0", "CDLA-Permissive-2.0"}
# One crate in two versions, and why both stay. Each new one needs a line here.
TWICE = {
    "base64": "hyper-util has moved to 0.23 while others have not",
    **dict.fromkeys(("block-buffer", "cpufeatures", "crypto-common", "digest", "sha2", "thiserror", "thiserror-impl"),
                    "oauth2 5.0 asks for the older one"),
    "getrandom": "ring asks for 0.2",
    "syn": "macros at compile time only",
    "tower-http": "reqwest has not moved to 0.7",
}
# Crates that have C or assembly compiled, or look for libraries of the system, and why. Each new one needs a line here.
NATIVE = {
    "ring": "cryptography in assembly and C, both in the crate; needs a C compiler, no library",
}
# Crates whose use in a build script says that it does so.
COMPILERS = {"cc", "cmake", "pkg-config", "vcpkg", "bindgen", "nasm-rs", "autotools", "meson", "system-deps", "cxx-build"}
# Largest program of each profile: packages hold `dist`, continuous integration builds `release`.
MAX_PROGRAM_OCTETS = {"dist": 15_000_000, "release": 26_000_000}


def allowed(expression):
    """Whether an SPDX expression can be fulfilled with what is allowed: AND binds more tightly than OR."""
    words = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def either():
        holds = both()
        while words[:1] == ["OR"]:
            words.pop(0)
            holds |= both()
        return holds

    def both():
        holds = one()
        while words[:1] == ["AND"]:
            words.pop(0)
            holds &= one()
        return holds

    def one():
        if not words:
            return False
        word = words.pop(0)
        if word == "(":
            holds = either()
            return holds and words[:1] == [")"] and bool(words.pop(0))
        if words[:1] == ["WITH"]:
            word = f"{word} WITH {words[1] if len(words) > 1 else ''}"
            del words[:2]
        return word in ALLOWED

    return either() and not words


class World:
    """What is looked at; a proof changes a copy."""

    def __init__(self):
        self.metadata = json.loads(subprocess.check_output(
            ["cargo", "metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform",
             "x86_64-unknown-linux-gnu"], cwd=ROOT))
        self.lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
        self.manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
        self.is_lock_kept = subprocess.run(["git", "ls-files", "--error-unmatch", "Cargo.lock"], cwd=ROOT,
                                           capture_output=True).returncode == 0
        self.sources = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "src").rglob("*.rs")}
        self.withdrawn, self.unknown = withdrawn(self.lock)

    def package(self, name):
        return next(package for package in self.metadata["packages"] if package["name"] == name)

    def linked(self):
        """All that exdav is built with, tests' crates left out."""
        nodes = {node["id"]: node for node in self.metadata["resolve"]["nodes"]}
        packages = {package["id"]: package for package in self.metadata["packages"]}
        found, waiting = {}, [self.metadata["resolve"]["root"]]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = packages[name]
                waiting += [dependency["pkg"] for dependency in nodes[name]["deps"]
                            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])]
        return list(found.values())


def withdrawn(lock):
    """Crates that the registry has withdrawn since, and how many it says nothing of: from cargo's copy of its index."""
    index = next(iter(sorted((Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry/index").glob("*/.cache"))), None)
    gone, unknown = [], 0
    for package in lock["package"]:
        if package.get("source") != REGISTRY:
            continue
        name = package["name"].lower()
        folder = {1: "1", 2: "2", 3: f"3/{name[:1]}"}.get(len(name), f"{name[:2]}/{name[2:4]}")
        path = index / folder / name if index else None
        lines = path.read_bytes().split(b"\0") if path and path.exists() else []
        entries = [json.loads(line) for line in lines if line.startswith(b"{")]
        entry = next((entry for entry in entries if entry["vers"] == package["version"]), None)
        unknown += entry is None
        if entry and (entry["yanked"] or entry["cksum"] != package["checksum"]):
            gone.append(f"{name} {package['version']}")
    return gone, unknown


def complaints(world):
    linked = world.linked()
    versions = collections.defaultdict(set)
    for package in linked:
        name, version = package["name"], package["version"]
        versions[name].add(version)
        if not allowed(package["license"] or ""):
            yield f"{name} {version} has the licence `{package['license']}`"
        if name != "exdav" and package["source"] != REGISTRY:
            yield f"{name} comes from {package['source']}"
        has_script = any("custom-build" in target["kind"] for target in package["targets"])
        uses = {dependency["name"] for dependency in package["dependencies"] if dependency["kind"] == "build"}
        is_native = package["links"] or has_script and (uses & COMPILERS or name.endswith("-sys"))
        if is_native and name not in NATIVE:
            yield f"{name} {version} compiles or links other languages ({', '.join(sorted(uses & COMPILERS)) or package['links']})"
    for name in NATIVE.keys() - versions.keys():
        yield f"{name} is no longer there: its line in tests/supply.py can go"
    for package in world.lock["package"]:
        if "source" in package and "checksum" not in package:
            yield f"{package['name']} has no checksum in Cargo.lock"
    for crate in world.withdrawn:
        yield f"{crate} was withdrawn, or is not what it was when it was locked"
    twice = {name: sorted(found) for name, found in versions.items() if len(found) > 1}
    for name, found in sorted(twice.items()):
        if name not in TWICE:
            yield f"{name} is linked in versions {', '.join(found)}: say why in tests/supply.py, or join them"
    for name in TWICE.keys() - twice.keys():
        yield f"{name} is no longer there twice: its line in tests/supply.py can go"
    if world.manifest["lints"]["rust"].get("unsafe_code") != "forbid":
        yield "unsafe code is not forbidden"
    for path, text in world.sources.items():
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"\bunsafe\s*(\{|fn\b|impl\b|trait\b|extern\b)", line.split("//")[0]):
                yield f"{path}:{number} is unsafe"
    for dependency, value in world.manifest["dependencies"].items():
        if value == "*" or isinstance(value, dict) and ("git" in value or "path" in value):
            yield f"{dependency} is not a version from the registry"
    if not world.is_lock_kept:
        yield "Cargo.lock is not in the repository"


def proofs(world):
    """What each check has to find: a change to the world, and the word by which its complaint is known."""
    def change(edit):
        changed = copy.copy(world)
        for name in ("metadata", "lock", "manifest", "sources", "withdrawn"):
            setattr(changed, name, copy.deepcopy(getattr(world, name)))
        edit(changed)
        return changed

    def set_licence(text):
        return lambda w: w.package("bytes").update(license=text)

    def add_version(w):
        other = copy.deepcopy(w.package("bytes"))
        other.update(id="another", version="0.4.12")
        w.metadata["packages"].append(other)
        nodes = w.metadata["resolve"]["nodes"]
        nodes.append({"id": "another", "deps": []})
        root = next(node for node in nodes if node["id"] == w.metadata["resolve"]["root"])
        root["deps"].append({"pkg": "another", "dep_kinds": [{"kind": None}]})

    def compile_c(w):
        package = w.package("bytes")
        package["targets"].append({"kind": ["custom-build"]})
        package["dependencies"].append({"name": "cc", "kind": "build"})

    git = "git+https://example.com/bytes?rev=1#1"
    for edit, word in [
        (set_licence("GPL-3.0-or-later"), "bytes 1"), (set_licence("MIT AND GPL-2.0"), "licence"), (set_licence(None), "licence"),
        (set_licence("MPL-2.0"), "licence"), (set_licence("(MIT OR Apache-2.0) AND AGPL-3.0"), "licence"),
        (set_licence("LGPL-2.1 OR (MIT AND SSPL-1.0)"), "licence"), (set_licence("MIT WITH commons-clause"), "licence"),
        (lambda w: w.package("bytes").update(source=git), "comes from git"),
        (lambda w: w.package("bytes").update(source="registry+https://crates.example.com/"), "comes from registry"),
        (lambda w: w.package("bytes").update(source=None), "comes from None"),
        (lambda w: next(p for p in w.lock["package"] if p["name"] == "tempfile").pop("checksum"), "no checksum"),
        (lambda w: w.withdrawn.append("bytes 1.0.0"), "withdrawn"),
        (add_version, "linked in versions"), (compile_c, "compiles"),
        (lambda w: w.package("bytes").update(links="z"), "links"),
        (lambda w: w.manifest["lints"]["rust"].update(unsafe_code="deny"), "not forbidden"),
        (lambda w: w.sources.update({"src/x.rs": "fn f() {\n    unsafe { g() }\n}"}), "src/x.rs:2 is unsafe"),
        (lambda w: w.manifest["dependencies"].update(bytes={"git": "https://example.com/bytes"}), "not a version"),
        (lambda w: setattr(w, "is_lock_kept", False), "not in the repository"),
    ]:
        yield word, any(word in what for what in complaints(change(edit)))


def sizes(program):
    size = os.path.getsize(program)
    with tempfile.TemporaryDirectory(prefix="exdav-image-") as folder:
        whole, packed = image.measured(program, Path(folder) / "root")
    print(f"the program has {size / 1e6:.1f} MB; the image has {whole / 1e6:.1f} MB, {packed / 1e6:.1f} MB to download")
    profile = Path(program).parent.name
    if size > MAX_PROGRAM_OCTETS.get(profile, size):
        yield f"the program has {size} octets, more than {MAX_PROGRAM_OCTETS[profile]} of profile {profile}"


def main():
    world = World()
    planted = list(proofs(world))
    blind = [word for word, is_found in planted if not is_found]
    wrong = [f"the check for “{word}” is blind" for word in blind] + list(complaints(world))
    linked = world.linked()
    licences = collections.Counter(package["license"] for package in linked)
    print(f"{len(linked)} crates are linked; licences: " + ", ".join(f"{n} × {name}" for name, n in licences.most_common()))
    print("in two versions: " + ", ".join(f"{name} ({why})" for name, why in TWICE.items()))
    print("with C or assembly: " + ", ".join(f"{name} ({why})" for name, why in NATIVE.items()))
    if world.unknown:
        print(f"cargo's index says nothing of {world.unknown} crates: whether these were withdrawn is not known")
    if len(sys.argv) > 1:
        wrong += sizes(sys.argv[1])
    for what in wrong:
        print(f"FAIL {what}")
    print(f"{len(planted) - len(blind)} of {len(planted)} planted faults are found; complaints: {len(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
