"""Starting exdav's programs on free ports and stopping them."""
import atexit
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.request
from pathlib import Path

PR_SET_PDEATHSIG = 1
try:
    PRCTL = ctypes.CDLL(None, use_errno=True).prctl
except (OSError, AttributeError):  # not Linux
    PRCTL = None


def die_with_parent():
    """In a child before it becomes a program: it does not outlive whoever started it, not even after a kill -9."""
    if PRCTL is not None:
        PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL)


def workplace(name):
    """From here on all temporary files lie in one folder that is gone at the end, however the end comes: folders of
    runs that were killed are removed by the next one."""
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"exdav-{name}-*-*"):
        owner = left.name.split("-")[2]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(left, ignore_errors=True)
    tempfile.tempdir = tempfile.mkdtemp(prefix=f"exdav-{name}-{os.getpid()}-", dir=place)

    def clear():
        for child in [int(pid) for task in Path("/proc/self/task").glob("*/children") for pid in task.read_text().split()]:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        shutil.rmtree(tempfile.tempdir, ignore_errors=True)

    def end(number, _):
        clear()
        os._exit(128 + number)  # threads are not waited for
    atexit.register(clear)
    for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(asked, end)


class Program:
    """A running `exdav …` that printed its addresses and then `ready`."""

    def __init__(self, program, *arguments, environment=None):
        # The kernel means the thread that starts it: only the main one lives as long as the run.
        bound = die_with_parent if threading.current_thread() is threading.main_thread() else None
        self.process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=environment, preexec_fn=bound)
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

    def __init__(self, program, exchange, log=None, environment=None, **settings):
        self.program, self.folder = program, tempfile.mkdtemp(prefix="exdav-serve-")
        self.environment = dict(os.environ, **(environment or {}), **({} if log is None else {"EXDAV_LOG": log}))
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
        self.running = Program(self.program, "serve", "--config", self.config, environment=self.environment)
        return self.running

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


DAVMAIL = """davmail.server=true
davmail.mode=EWS
davmail.url={exchange}
davmail.caldavPort={port}
davmail.popPort=
davmail.imapPort=
davmail.smtpPort=
davmail.ldapPort=
davmail.bindAddress=127.0.0.1
davmail.allowRemote=false
davmail.disableUpdateCheck=true
davmail.enableProxy=false
davmail.useSystemProxies=false
davmail.ssl.keystoreType=
davmail.ssl.keystoreFile=
davmail.ssl.nosecurecaldav=true
davmail.caldavPastDelay=0
davmail.logFilePath={folder}/davmail.log
log4j.rootLogger={level}
log4j.logger.davmail={level}
log4j.logger.httpclient={level}
log4j.logger.httpclient.wire={level}
"""


def davmail(folder, exchange, port, level="ERROR"):
    """DavMail before an Exchange, as a process; its log is in the folder."""
    settings = os.path.join(folder, "davmail.properties")
    with open(settings, "w", encoding="utf-8") as file:
        file.write(DAVMAIL.format(exchange=exchange, port=port, folder=folder, level=level))
    return subprocess.Popen(
        ["java", "-Xmx512M", "-Djava.awt.headless=true", "-jar", "/usr/share/davmail/davmail.jar", settings],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
