"""Starting exdav's programs on free ports and stopping them."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.request


class Program:
    """A running `exdav …` that printed its addresses and then `ready`."""

    def __init__(self, program, *arguments, environment=None):
        self.process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=environment)
        self.log, self.urls = [], {}
        for line in self.process.stdout:
            self.log.append(line)
            for name, url in re.findall(r"^\s*(gateway|exchange|control)\s+(http\S+)", line):
                self.urls[name] = url.rstrip("/")
            if line.startswith("ready"):
                break
        else:
            raise RuntimeError(f"{arguments} did not become ready:\n{''.join(self.log)}{self.process.stderr.read()}")
        for pipe in (self.process.stdout, self.process.stderr):
            threading.Thread(target=lambda p=pipe: self.log.extend(p), daemon=True).start()

    def stop(self):
        """Asks it to end; the exit code."""
        self.process.terminate()
        return self.process.wait(30)

    def kill(self):
        """Ends it without asking."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


class Control:
    """The control interface of the simulated Exchange."""

    def __init__(self, url):
        self.url = url

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def calls(self):
        """{operation: requests} since the last reset."""
        stats = self.ask("GET", "/stats")
        return {k: v for k, v in stats.get("operations", stats).items() if isinstance(v, int) and v}

    def reset(self):
        self.ask("POST", "/stats/reset")


class Serve:
    """`exdav serve` before a simulated Exchange, with a store that survives its restarts."""

    def __init__(self, program, exchange, **settings):
        self.program, self.folder = program, tempfile.mkdtemp(prefix="exdav-serve-")
        self.config = os.path.join(self.folder, "exdav.toml")
        tables = {"server": {"listen": "127.0.0.1:0"}, "exchange": {"url": exchange},
                  "store": {"path": os.path.join(self.folder, "store")}}
        for key, value in settings.items():
            table, name = key.split("__")
            tables.setdefault(table, {})[name] = value
        with open(self.config, "w", encoding="utf-8") as file:
            for table, values in tables.items():
                file.write(f"[{table}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in values.items()))
        self.running = None

    def start(self):
        self.running = Program(self.program, "serve", "--config", self.config)
        return self.running

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
