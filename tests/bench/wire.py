"""HTTP as directly as can be, so that what is measured is the server: one socket, one write, no parsing of what is not
needed. http.client takes as long for a small answer as exdav does."""
import base64
import re
import socket
import time
from urllib.parse import urlsplit

USER, PASSWORD = "demo@example.com", "demo"
DAV, CALDAV, CARDDAV = "DAV:", "urn:ietf:params:xml:ns:caldav", "urn:ietf:params:xml:ns:carddav"
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection:\s*close", re.IGNORECASE)


class Client:
    """One keep-alive connection."""

    def __init__(self, url, user=USER):
        place = urlsplit(url)
        self.place, self.socket, self.rest = (place.hostname, place.port), None, b""
        token = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
        self.fixed = (f"Host: {place.netloc}\r\nUser-Agent: bench\r\nAuthorization: Basic {token}\r\n")

    def request(self, method, path, body="", depth="0", **more):
        """The octets of a request."""
        octets = body if isinstance(body, bytes) else body.encode()
        more = {"Content_Type": "application/xml; charset=utf-8", "Depth": depth, **more}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in more.items())
        return f"{method} {path} HTTP/1.1\r\n{self.fixed}{lines}Content-Length: {len(octets)}\r\n\r\n".encode() + octets

    def ask(self, method, path, body="", depth="0", **more):
        return self.send(self.request(method, path, body, depth, **more))

    def send(self, octets):
        """Sends a prepared request; the body of its answer."""
        fresh = self.socket is None
        try:
            status, answer = self.exchange(octets)
        except (ConnectionError, EOFError):
            self.close()
            if fresh:
                raise
            status, answer = self.exchange(octets)  # the server had ended an idle connection
        if status >= 400:
            raise RuntimeError(f"{octets.split(b' HTTP', 1)[0].decode()}: {status} {answer[:200]!r}")
        return answer

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket, self.rest = None, b""

    def exchange(self, octets):
        if self.socket is None:
            self.socket = socket.create_connection(self.place, timeout=900)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(octets)
        head, rest = self.until(b"\r\n\r\n", self.rest)
        status = int(head[9:12])
        if status in (204, 304) or octets.startswith(b"HEAD"):
            body, self.rest = b"", rest
        elif length := LENGTH.search(head):
            body, self.rest = self.exactly(int(length[1]), rest)
        elif CHUNKED.search(head):
            parts = []
            while True:
                size, rest = self.until(b"\r\n", rest)
                part, rest = self.exactly(int(size.split(b";")[0], 16) + 2, rest)
                if len(part) == 2:
                    break
                parts.append(part[:-2])
            body, self.rest = b"".join(parts), rest
        else:
            parts = [rest]
            while part := self.socket.recv(1 << 18):
                parts.append(part)
            body = b"".join(parts)
            self.close()
        if CLOSES.search(head):
            self.close()
        return status, body

    def until(self, end, got):
        while (at := got.find(end)) < 0:
            got += self.more()
        return got[:at], got[at + len(end):]

    def exactly(self, length, got):
        if len(got) < length:
            parts, have = [got], len(got)
            while have < length:
                parts.append(self.more())
                have += len(parts[-1])
            got = b"".join(parts)
        return got[:length], got[length:]

    def more(self):
        octets = self.socket.recv(1 << 18)
        if not octets:
            raise EOFError("the server ended the connection")
        return octets


def answers(url):
    """Whether a server answers anything at all."""
    try:
        Client(url).exchange(b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        return True
    except (OSError, EOFError):
        time.sleep(0.001)
        return False


def propfind(*names):
    return (f'<D:propfind xmlns:D="{DAV}" xmlns:CS="http://calendarserver.org/ns/"><D:prop>'
            + "".join(f"<{name}/>" for name in names) + "</D:prop></D:propfind>")


def multiget(hrefs):
    return (f'<C:calendar-multiget xmlns:D="{DAV}" xmlns:C="{CALDAV}"><D:prop><D:getetag/><C:calendar-data/></D:prop>'
            + "".join(f"<D:href>{href}</D:href>" for href in hrefs) + "</C:calendar-multiget>")


def cards(hrefs):
    return (f'<C:addressbook-multiget xmlns:D="{DAV}" xmlns:C="{CARDDAV}"><D:prop><D:getetag/><C:address-data/></D:prop>'
            + "".join(f"<D:href>{href}</D:href>" for href in hrefs) + "</C:addressbook-multiget>")


def month(start="20261201T000000Z", end="20270101T000000Z"):
    return (f'<C:calendar-query xmlns:D="{DAV}" xmlns:C="{CALDAV}"><D:prop><D:getetag/><C:calendar-data/></D:prop>'
            '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
            f'<C:time-range start="{start}" end="{end}"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>')


def sync(token):
    return (f'<D:sync-collection xmlns:D="{DAV}"><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>'
            "<D:prop><D:getetag/></D:prop></D:sync-collection>")


def token(text):
    return re.search(rb"sync-token>([^<]+)<", text)[1].decode()


def members(text, collection):
    hrefs = re.findall(rb"href>\s*([^<]+?)\s*</", text)
    return [h.decode() for h in hrefs if not h.endswith(b"/") and h.decode() != collection]


def person(number):
    return ("BEGIN:VCARD\r\nVERSION:3.0\r\n" f"UID:upload-{number}\r\nFN:Person {number}\r\nN:{number};Person;;;\r\n"
            f"EMAIL;TYPE=WORK:p{number}@example.net\r\nTEL;TYPE=CELL:{number}\r\nX-OWN:{number}\r\nEND:VCARD\r\n")


def event(uid, title, lines=""):
    return (f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
            f"DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nSUMMARY:{title}\r\n{lines}"
            "END:VEVENT\r\nEND:VCALENDAR\r\n")
