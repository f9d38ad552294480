"""What all client sessions share: counting checks, and asking the gateway without a client library."""
import base64
import http.client
import os
import ssl
import sys
import time
import xml.etree.ElementTree as ET
from urllib.parse import urlsplit

DAV = "{DAV:}"


class Checks:
    """Prints `ok NAME` or `FAIL NAME [why]`; `finish` prints the totals and ends the program."""

    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, name, condition, why=""):
        if callable(condition):
            try:
                condition = condition()
            except Exception as error:  # a client library may raise anything; the session goes on
                condition, why = False, f"{type(error).__name__}: {str(error)[:300]}"
        if condition is None or condition is False:
            self.failed += 1
            print(f"FAIL {name}" + (f" [{why}]" if why else ""), flush=True)
        else:
            self.passed += 1
            print(f"ok   {name}", flush=True)
        return condition

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)


def connect(url):
    """A connection to a parsed URL; over TLS, EXDAV_CA vouches for it."""
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=os.environ.get("EXDAV_CA"))
        return http.client.HTTPSConnection(url.hostname, url.port, timeout=60, context=context)
    return http.client.HTTPConnection(url.hostname, url.port, timeout=60)


class Gateway:
    """Plain HTTP against the gateway."""

    def __init__(self, url, user, password):
        self.url = urlsplit(url)
        self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def ask(self, method, path, body=b"", authorization=None, **headers):
        """Status, headers, body. Header names with underscores for hyphens."""
        connection = connect(self.url)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if authorization != "":
            fields["Authorization"] = authorization or self.authorization
        connection.request(method, path, body.encode() if isinstance(body, str) else body, fields)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, answer.headers, text

    def propfind(self, path, properties, depth="0"):
        """href → {property in Clark notation: element} of the 200 propstat."""
        names = "".join(f'<x:{name} xmlns:x="{space}"/>' for space, name in properties)
        status, _, text = self.ask("PROPFIND", path, f'<propfind xmlns="DAV:"><prop>{names}</prop></propfind>',
                                   Depth=depth, Content_Type="application/xml; charset=utf-8")
        if status != 207:
            raise RuntimeError(f"PROPFIND {path}: {status} {text[:200]!r}")
        found = {}
        for response in ET.fromstring(text).iter(DAV + "response"):
            values = {}
            for propstat in response.iter(DAV + "propstat"):
                if " 200 " in propstat.findtext(DAV + "status"):
                    values.update({element.tag: element for element in propstat.find(DAV + "prop")})
            found[response.findtext(DAV + "href")] = values
        return found

    def homes(self):
        """The calendar home and the address book home of the signed-in user."""
        [principal] = [
            v[DAV + "current-user-principal"].findtext(DAV + "href")
            for v in self.propfind("/", [("DAV:", "current-user-principal")]).values()]
        caldav, carddav = "urn:ietf:params:xml:ns:caldav", "urn:ietf:params:xml:ns:carddav"
        [values] = self.propfind(principal, [(caldav, "calendar-home-set"), (carddav, "addressbook-home-set")]).values()
        return (values[f"{{{caldav}}}calendar-home-set"].findtext(DAV + "href"),
                values[f"{{{carddav}}}addressbook-home-set"].findtext(DAV + "href"))

    def collections(self, home, kind):
        """href → display name of the collections of a kind (`calendar`, `addressbook`) with their components."""
        caldav = "urn:ietf:params:xml:ns:caldav"
        space = caldav if kind == "calendar" else "urn:ietf:params:xml:ns:carddav"
        found = {}
        answer = self.propfind(home, [("DAV:", "resourcetype"), ("DAV:", "displayname"),
                                      (caldav, "supported-calendar-component-set")], depth="1")
        for href, values in answer.items():
            if values.get(DAV + "resourcetype") is None or values[DAV + "resourcetype"].find(f"{{{space}}}{kind}") is None:
                continue
            components = values.get(f"{{{caldav}}}supported-calendar-component-set")
            names = [c.get("name") for c in components] if components is not None else []
            found[href] = (values[DAV + "displayname"].text, names)
        return found

    def filled(self, seconds=300):
        """Waits until the first fill of every collection is complete: they are filled in the background, and only then do they
        have a sync-token. Calls are counted after it, so that no fill counts into them."""
        end = time.monotonic() + seconds
        while True:
            left = [href for home in self.homes() for href, values in self.propfind(
                        home, [("DAV:", "resourcetype"), ("DAV:", "sync-token")], depth="1").items()
                    if any(child.tag.endswith(("}calendar", "}addressbook")) for child in values.get(DAV + "resourcetype", ()))
                    and DAV + "sync-token" not in values]
            if not left:
                return
            if time.monotonic() > end:
                raise RuntimeError(f"not filled after {seconds} s: {left}")
            time.sleep(0.1)

    def members(self, collection):
        """href → ETag of the members of a collection."""
        answer = self.propfind(collection, [("DAV:", "getetag")], depth="1")
        return {href: values[DAV + "getetag"].text for href, values in answer.items()
                if DAV + "getetag" in values and not href.endswith("/")}
