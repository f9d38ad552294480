"""What is measured: exdav, DavMail, Radicale, Xandikos; and the simulated Exchange with its counters."""
import base64
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))
from programs import Control, Program, Serve, davmail, die_with_parent, workplace  # noqa: E402, F401
from wire import CALDAV, CARDDAV, PASSWORD, USER, Client, answers, event, propfind  # noqa: E402


def resources(pid):
    """CPU seconds, resident MB now and at most, of a process."""
    ticks = os.sysconf("SC_CLK_TCK")
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    now, peak = (int(re.search(name + r":\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024
                 for name in ("VmRSS", "VmHWM"))
    return (int(fields[11]) + int(fields[12])) / ticks, now, peak


def effort(pid):
    """Seconds of CPU that a process has spent: on a busy machine these tell more than the time that passed."""
    return time.clock_gettime((~pid << 3) | 2)  # MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of the kernel


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Subject:
    """A server that is asked the same things as the others."""

    def home(self, what, space):
        text = self.client.ask("PROPFIND", "/", propfind("D:current-user-principal")).decode()
        principal = re.search(r"current-user-principal>\s*<[^>]*href>([^<]+)", text)[1]
        text = self.client.ask("PROPFIND", principal, propfind(f'C:{what} xmlns:C="{space}"')).decode()
        return re.search(what + r"[^>]*>\s*<[^>]*href>([^<]+)", text)[1].rstrip("/") + "/"

    def wait(self):
        """Until it answers."""
        while not answers(self.url):
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}")
        self.client = Client(self.url)


class Exdav(Subject):
    name = "exdav"

    def __init__(self, program, exchange, **settings):
        # The others do not write a line for each request, either.
        self.serve = Serve(program, exchange, log="warn", **settings)

    def start(self):
        self.process = self.serve.start().process
        self.url = self.serve.running.urls["gateway"]
        self.calendar = "/users/demo@example.com/calendar/"
        self.wait()

    def locate(self):
        self.calendar = self.home("calendar-home-set", CALDAV) + "calendar/"

    def address_book(self):
        return self.home("addressbook-home-set", CARDDAV) + "contacts/"

    def stop(self):
        self.serve.running.stop()
        self.serve.remove()


class DavMail(Subject):
    name = "DavMail"

    def __init__(self, exchange):
        self.exchange, self.folder = exchange, tempfile.mkdtemp(prefix="davmail-")

    def start(self):
        port = free_port()
        self.process = davmail(self.folder, self.exchange, port)
        self.url, self.calendar = f"http://127.0.0.1:{port}", f"/users/{USER}/calendar/"
        self.wait()

    def locate(self):
        self.client.ask("PROPFIND", "/", propfind("D:current-user-principal"))

    def address_book(self):
        return f"/users/{USER}/contacts/"

    def stop(self):
        self.process.kill()
        self.process.wait()


class Python(Subject):
    """Radicale or Xandikos from PyPI, filled by PUT."""

    PACKAGES = {"Radicale": ["radicale==3.5.7"], "Xandikos": ["xandikos==0.2.12", "dulwich<0.23", "icalendar<6"]}

    def __init__(self, name, tools, objects):
        self.name, self.tools, self.objects = name, Path(tools).resolve(), objects
        self.folder = tempfile.mkdtemp(prefix=name.lower() + "-")

    def installed(self):
        home = self.tools / self.name.lower()
        if not (home / "done").exists():
            subprocess.check_call([sys.executable, "-m", "venv", str(home)])
            subprocess.check_call([str(home / "bin/pip"), "-q", "--disable-pip-version-check", "install",
                                   *self.PACKAGES[self.name]])
            (home / "done").touch()
        return home / "bin"

    def start(self):
        binaries, port = self.installed(), free_port()
        if self.name == "Radicale":
            command = [str(binaries / "python"), "-m", "radicale", "--server-hosts", f"127.0.0.1:{port}", "--auth-type", "none",
                       "--storage-filesystem-folder", self.folder, "--logging-level", "error"]
            self.calendar = f"/{USER}/calendar/"
        else:
            command = [str(binaries / "xandikos"), "-d", self.folder, "--defaults", "--no-detect-systemd",
                       "--listen-address", "127.0.0.1", "--port", str(port), "--current-user-principal", "/user/"]
            self.calendar = "/user/calendars/calendar/"
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        preexec_fn=die_with_parent)
        self.url = f"http://127.0.0.1:{port}"
        self.wait()

    # A PUT of Xandikos is a commit that takes the longer the more there are: its folder is filled at once.
    FILL = """import os, sys
from dulwich import porcelain
os.chdir(sys.argv[1])
porcelain.add(".", sorted(name for name in os.listdir(".") if name.endswith(".ics")))
porcelain.commit(".", message=b"bench", author=b"bench <bench>", committer=b"bench <bench>")
"""

    def locate(self):
        if self.name == "Radicale":
            self.client.ask("MKCALENDAR", self.calendar)
        self.client.ask("PUT", f"{self.calendar}first.ics", event("first", "first"), Content_Type="text/calendar")
        first = next(path for path in Path(self.folder).rglob("first.ics") if ".Radicale.cache" not in path.parts)
        for number, text in enumerate(self.objects):
            (first.parent / f"{number}.ics").write_bytes(text.encode())
        if self.name == "Xandikos":
            subprocess.check_call([str(self.installed() / "python"), "-c", self.FILL, str(first.parent)])
        self.client.ask("DELETE", f"{self.calendar}first.ics")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Echo:
    """A process that sends back what it gets."""

    OCTETS = b"." * 600  # about a poll and its answer
    SERVE = """import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
peer = listener.accept()[0]
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while octets := peer.recv(4096):
    peer.sendall(octets)
"""

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, "-c", self.SERVE], stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        self.socket = socket.create_connection(("127.0.0.1", int(self.process.stdout.readline())))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def ask(self):
        self.socket.sendall(self.OCTETS)
        left = len(self.OCTETS)
        while left:
            left -= len(self.socket.recv(left))

    def __exit__(self, *_):
        self.socket.close()
        self.process.wait()
        self.process.stdout.close()


class Exchange:
    """The simulated Exchange in a process of its own, with its counters and a colleague who uses it."""

    ENVELOPE = ('<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
                'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" '
                'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><s:Header>'
                '<t:RequestServerVersion Version="Exchange2013_SP1"/></s:Header><s:Body>{}</s:Body></s:Envelope>')

    def __init__(self, program, latency, events, contacts=50, mailboxes=1, days=365):
        self.running = Program(program, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0",
                               "--events", str(events), "--days", str(days), "--contacts", str(contacts), "--mailboxes", str(mailboxes))
        self.url, self.control = self.running.urls["exchange"], Control(self.running.urls["control"])
        self.control.ask("POST", "/latency", {"ms": latency})

    def counted(self):
        """EWS calls, HTTP requests, octets both ways, since the last reset."""
        stats, door = self.control.ask("GET", "/stats"), self.control.ask("GET", "/sign-in")
        return stats["total"], door["requests"], stats["received"] + stats["sent"]

    def colleague(self, body):
        """One request of somebody else who uses the mailbox."""
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(self.url, self.ENVELOPE.format(body).encode(), {
            "Content-Type": "text/xml; charset=utf-8", "Authorization": f"Basic {token}"})
        text = urllib.request.urlopen(request, timeout=60).read().decode()
        if 'ResponseClass="Error"' in text:
            raise RuntimeError(text[:1000])
        return text

    def change(self, number):
        """Somebody else makes an event in the calendar."""
        self.colleague(
            '<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem>'
            f"<t:Subject>change {number}</t:Subject><t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End>"
            "</t:CalendarItem></m:Items></m:CreateItem>")

    def photographed(self, number):
        """That many contacts, each with a photo."""
        one = ("<t:Contact><t:FileAs>Photo {0}</t:FileAs><t:DisplayName>Photo {0}</t:DisplayName><t:GivenName>Photo</t:GivenName>"
               "<t:Surname>{0}</t:Surname></t:Contact>")
        made = self.colleague("<m:CreateItem><m:Items>" + "".join(one.format(n) for n in range(number)) + "</m:Items></m:CreateItem>")
        photo = base64.b64encode(b"\xff\xd8\xff\xe0" + os.urandom(4_000) + b"\xff\xd9").decode()
        for item in re.findall(r'<t:ItemId Id="([^"]+)"', made):
            self.colleague(f'<m:CreateAttachment><m:ParentItemId Id="{item}"/><m:Attachments><t:FileAttachment>'
                           "<t:Name>ContactPicture.jpg</t:Name><t:ContentType>image/jpeg</t:ContentType>"
                           f"<t:IsContactPhoto>true</t:IsContactPhoto><t:Content>{photo}</t:Content></t:FileAttachment>"
                           "</m:Attachments></m:CreateAttachment>")

    def stop(self):
        self.running.stop()
