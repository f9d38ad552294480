#!/usr/bin/env python3
"""ntlm_session.py USER PASSWORD
NTLM against implementations that are not ours: exdav signs in to a server built on pyspnego's acceptor (which checks
NTLMv2, MIC and channel binding), and pyspnego and requests-ntlm sign in to the simulated Exchange. Over TLS."""
import base64
import hashlib
import http.client
import os
import ssl
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
import requests_ntlm
import spnego
from spnego.channel_bindings import GssChannelBindings

from checks import Checks, Gateway
from modes import CA, CERTIFICATE, KEY
from programs import Control, Program, Serve

user, password = sys.argv[1:3]
program = os.environ["EXDAV_PROGRAM"]
check = Checks()
TRUST = ssl.create_default_context(cafile=CA)
SOAP = (b"<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' xmlns:t='http://schemas.microsoft.com/exchange/"
        b"services/2006/types' xmlns:m='http://schemas.microsoft.com/exchange/services/2006/messages'><s:Body><m:GetFolder>"
        b"<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId "
        b"Id='calendar'/></m:FolderIds></m:GetFolder></s:Body></s:Envelope>")
XML = {"Content-Type": "text/xml; charset=utf-8"}


def binding(certificate):
    """tls-server-end-point of RFC 5929, for a certificate that is signed with SHA-256."""
    digest = hashlib.sha256(certificate).digest()
    return GssChannelBindings(application_data=b"tls-server-end-point:" + digest)


class Front(ThreadingHTTPServer):
    """Signs people in by pyspnego's acceptor and hands their requests on to an Exchange that takes Basic."""
    daemon_threads = True

    def __init__(self, scheme, exchange):
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE, KEY)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme, self.exchange = scheme, exchange
        with open(CERTIFICATE, encoding="ascii") as file:
            self.binding = binding(ssl.PEM_cert_to_DER_cert(file.read()))
        self.accepted = self.failed = self.connections = self.served = self.early = 0
        self.drops = self.epoch = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"https://localhost:{self.server_address[1]}/EWS/Exchange.asmx"

    def handle_error(self, request, client_address):
        pass  # a client that does not trust us, or has gone


class Handler(BaseHTTPRequestHandler):
    """One connection."""
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.context, self.login, self.epoch = None, None, self.server.epoch
        self.server.connections += 1

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server, scheme = self.server, self.server.scheme
        if self.epoch != server.epoch:
            self.login, self.epoch = None, server.epoch
        word, _, token = self.headers.get("Authorization", "").partition(" ")
        if word.lower() == scheme.lower():
            try:
                if self.context is None or self.context.complete:
                    self.context = spnego.server(protocol=scheme.lower(), channel_bindings=server.binding)
                reply = self.context.step(base64.b64decode(token), channel_bindings=server.binding)
            except spnego.exceptions.SpnegoError:
                self.context = None
                server.failed += 1
                return self.answer(401, WWW_Authenticate=scheme)
            if not self.context.complete:
                server.early += bool(body)
                return self.answer(401, WWW_Authenticate=f"{scheme} {base64.b64encode(reply).decode()}")
            self.login = self.context.client_principal
            server.accepted += 1
        if not self.login:
            return self.answer(401, WWW_Authenticate=scheme)
        inner = requests.post(server.exchange, data=body, headers=XML, auth=(user, password), timeout=60)
        server.served += 1
        self.answer(inner.status_code, inner.content, Content_Type=inner.headers["Content-Type"])
        if server.drops:
            server.drops -= 1
            self.close_connection = True


class Raw:
    """One connection that signs in by pyspnego's client."""

    def __init__(self, url, scheme, login, secret, bind=True):
        self.url, self.scheme = url, scheme
        self.connection = http.client.HTTPSConnection(url.hostname, url.port, context=TRUST, timeout=60)
        self.connection.connect()
        bound = binding(self.connection.sock.getpeercert(True)) if bind else None
        self.context = spnego.client(login, secret, hostname=url.hostname, service="HTTP", protocol=scheme.lower(),
                                     channel_bindings=bound)

    def post(self, token=None, body=SOAP):
        fields = dict(XML)
        if token:
            fields["Authorization"] = f"{self.scheme} {base64.b64encode(token).decode()}"
        self.connection.request("POST", self.url.path, body, fields)
        answer = self.connection.getresponse()
        text = answer.read()
        challenges = answer.headers.get_all("WWW-Authenticate") or []
        return answer.status, challenges, text

    def sign_in(self):
        status, challenges, _ = self.post(self.context.step(), b"")
        word, _, token = challenges[0].partition(" ")
        if status != 401 or word != self.scheme or not token:
            raise RuntimeError(f"no challenge: {status} {challenges}")
        return self.post(self.context.step(base64.b64decode(token)))


def ours_signs_in_to_theirs():
    with tempfile.NamedTemporaryFile("w", suffix=".users") as users:
        users.write(f"EXAMPLE:demo:{password}\n")
        users.flush()
        os.environ["NTLM_USER_FILE"] = users.name
        exchange = Program(program, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0")
        for scheme in ("NTLM", "Negotiate"):
            front = Front(scheme, exchange.urls["exchange"])
            settings = {"exchange__ca": CA, "sync__freshness": "0s", "sign_in__refusal": "1h"}
            serve = Serve(program, front.url, **settings)
            running = serve.start()
            name = f"exdav → pyspnego's acceptor ({scheme})"
            gateway = Gateway(running.urls["gateway"], "EXAMPLE\\demo", password)
            home, _ = gateway.homes()
            calendars = check(f"{name}: signs in and lists calendars", lambda: gateway.collections(home, "calendar"))
            calendar = next(href for href in calendars if href.endswith("/calendar/"))
            check("  and reads them", lambda: len(gateway.members(calendar)) > 50)
            check("  NTLMv2, MIC and channel binding held", front.accepted > 0 and front.failed == 0, str(front.failed))
            check("  one handshake a connection", front.accepted <= front.connections, f"{front.accepted} {front.connections}")
            check("  the request goes with the last message, not with the first", front.early == 0, str(front.early))
            gateway.filled()
            accepted, served, connections = front.accepted, front.served, front.connections
            for _ in range(20):
                gateway.members(calendar)
            # What exdav fetches by itself meanwhile may open connections of its own.
            handshakes, requested, opened = (front.accepted - accepted, front.served - served, front.connections - connections)
            check("  which is kept for further requests", requested >= 20 and handshakes <= opened <= 3,
                  f"{handshakes} handshakes and {opened} connections for {requested} requests")
            wrong = Gateway(running.urls["gateway"], "EXAMPLE\\demo", "wrong")
            answers = {wrong.ask("PROPFIND", home, Depth="0")[0] for _ in range(5)}
            check(f"{name}: a wrong password is refused", answers == {401}, str(answers))
            check("  and was shown once", front.failed == 1, str(front.failed))
            # More drops than connections can wait in a pool.
            accepted, front.drops = front.accepted, 8
            counts = [len(gateway.members(calendar)) for _ in range(16)]
            check(f"{name}: requests are answered while connections drop", min(counts) > 50, str(counts))
            check(f"{name}: after a connection dropped the next one is signed in",
                  front.drops == 0 and front.accepted >= accepted + 4 and front.failed == 1,
                  f"{front.drops} {front.accepted - accepted} {front.failed}")
            accepted, front.epoch = front.accepted, front.epoch + 1
            check(f"{name}: re-challenged on a living connection it signs in again",
                  lambda: len(gateway.members(calendar)) > 50 and front.accepted > accepted and front.failed == 1)
            running.stop()
            # The same password over a channel that somebody stands in: nothing but the binding tells.
            front.binding = binding(b"another certificate")
            running = serve.start()
            status = Gateway(running.urls["gateway"], "EXAMPLE\\demo", password).ask("PROPFIND", "/", Depth="0")[0]
            check(f"{name}: bound to the channel: refused over another", status == 401 and front.failed == 2,
                  f"{status} {front.failed}")
            running.stop()
            serve.remove()
            front.shutdown()
            front.server_close()
        exchange.stop()


def theirs_signs_in_to_ours():
    exchange = Program(program, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0",
                       "--sign-in", "negotiate,ntlm", "--exchange-certificate", CERTIFICATE, "--exchange-key", KEY)
    control = Control(exchange.urls["control"])
    url = requests.compat.urlsplit(exchange.urls["exchange"])
    for scheme in ("NTLM", "Negotiate"):
        name = f"pyspnego → simulated Exchange ({scheme})"
        raw = Raw(url, scheme, "EXAMPLE\\demo", password)
        status, _, text = raw.sign_in()
        check(f"{name}: signs in with its request", status == 200 and b"NoError" in text, f"{status} {text[:200]!r}")
        check("  and stays signed in on the connection", raw.post()[0] == 200)
        check("  which is nobody's on another", Raw(url, scheme, "EXAMPLE\\demo", password).post()[0] == 401)
        control.ask("POST", "/faults", [{"kind": "unauthorized"}])
        check("  re-challenged on the connection", raw.post()[0] == 401)
        raw.context = Raw(url, scheme, "EXAMPLE\\demo", password).context
        check("  it signs in again", raw.sign_in()[0] == 200)
        check("  by UPN too", Raw(url, scheme, user, password).sign_in()[0] == 200)
        control.reset()
        check(f"{name}: a wrong password is refused", Raw(url, scheme, "EXAMPLE\\demo", "wrong").sign_in()[0] == 401)
        check("  and counted", control.ask("GET", "/sign-in")["refused"] == {user: 1})
        check("  without channel binding it is refused, as Extended Protection asks",
              Raw(url, scheme, "EXAMPLE\\demo", password, bind=False).sign_in()[0] == 401)
    session = requests.Session()
    session.trust_env = False
    session.verify, session.auth = CA, requests_ntlm.HttpNtlmAuth("EXAMPLE\\demo", password)
    post = lambda: session.post(url.geturl(), data=SOAP, headers=XML, timeout=60).status_code
    check("requests-ntlm → simulated Exchange: signs in", lambda: post() == 200)
    check("  again on its connection", lambda: post() == 200)
    control.ask("POST", "/faults", [{"kind": "drop-before"}])
    try:
        post()
    except requests.RequestException:
        pass
    check("  after the connection dropped", lambda: post() == 200)
    session = requests.Session()
    session.trust_env = False
    session.verify, session.auth = CA, requests_ntlm.HttpNtlmAuth("EXAMPLE\\demo", "wrong")
    check("  not with a wrong password", lambda: post() == 401)
    exchange.stop()


ours_signs_in_to_theirs()
theirs_signs_in_to_ours()
check.finish()
