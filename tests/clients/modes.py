"""Ways of putting exdav before an Exchange: each signs in to it otherwise. TLS on both sides everywhere."""
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import urllib.parse
from pathlib import Path

from programs import Control, Program

TLS = Path(__file__).resolve().parents[2] / "fixtures" / "tls"
CA, CERTIFICATE, KEY = (str(TLS / name) for name in ("ca.crt", "localhost.crt", "localhost.key"))
CLIENT, SECRET = "11111111-2222-4333-8444-555555555555", "demo-secret"

# mode: (what Exchange offers, how exdav's account reaches its mailbox; None: the client's password is Exchange's).
# A colleague's own programs sign in by the first scheme that is not Bearer.
MODES = {
    "basic": ("basic", None),
    "ntlm": ("ntlm", None),
    "negotiate": ("negotiate", None),
    "impersonation": ("ntlm", "service"),
    "oauth-application": ("bearer,ntlm", "application"),
    "oauth-person": ("bearer,ntlm", "person"),
}


class Deployment:
    """`exdav serve` before `exdav simulate`, set up as an administrator would do it."""

    def __init__(self, program, record, mode, user):
        offered, reach = MODES[mode]
        self.folder = tempfile.mkdtemp(prefix="exdav-mode-")
        self.exchange = Program(program, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen",
                                "127.0.0.1:0", "--record", record, "--sign-in", offered,
                                "--exchange-certificate", CERTIFICATE, "--exchange-key", KEY)
        self.gateway = None
        try:
            self.start(program, reach, user)
        except Exception:
            self.stop()
            raise
        auth = next(scheme for scheme in offered.split(",") if scheme != "bearer")
        # exchangelib has no word for Negotiate without Kerberos.
        self.colleague = {"EXDAV_COLLEAGUE_AUTH": "basic" if auth == "basic" else "NTLM",
                          "EXDAV_COLLEAGUE_PASSWORD": "demo"}
        if auth == "negotiate":
            self.control.ask("POST", "/sign-in", {"schemes": ["negotiate", "ntlm"]})

    def start(self, program, reach, user):
        url = self.exchange.urls["exchange"]
        self.control = Control(self.exchange.urls["control"])
        tables = {"exchange": {"url": url, "ca": CA}, "store": {"path": os.path.join(self.folder, "store")},
                  "server": {"listen": "127.0.0.1:0", "public_url": "https://gateway.example.com", "certificate": CERTIFICATE, "key": KEY}}
        if reach:
            tables["accounts"] = {"path": os.path.join(self.folder, "accounts.json")}
            tables["sign_in"] = {"pass_through": False}
        if reach == "service":
            tables["exchange"].update(service_user="EXAMPLE\\service", service_password="demo")
        if reach in ("application", "person"):
            tables["oauth"] = {"authority": url.rsplit("/", 2)[0] + "/contoso.example", "client_id": CLIENT}
        if reach == "application":
            tables["oauth"]["client_secret"] = SECRET
        config = os.path.join(self.folder, "exdav.toml")
        with open(config, "w", encoding="utf-8") as file:
            for table, values in tables.items():
                file.write(f"[{table}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in values.items()))
        self.password = "demo"
        if reach:
            login = ["--login"] if reach == "person" else []
            made = subprocess.run([program, "user", "--config", config, "add", user, *login], capture_output=True,
                                  text=True, check=True)
            self.password = made.stdout.strip()
        if reach == "person":
            device_login(program, config, user)
        self.gateway = Program(program, "serve", "--config", config)
        self.urls = {"gateway": self.gateway.urls["gateway"], "exchange": url, "control": self.exchange.urls["control"]}
        self.log = self.gateway.log
        # What `exdav demo` would have printed for a person to try.
        curl = f"  curl -su {user}:{self.password}"
        home = f"{self.urls['gateway']}/dav/%s/{user.replace('@', '~40')}/"
        self.output = "".join(f"{curl} {rest}\n" for rest in (
            home % "cal" + "calendar/", f"-X PROPFIND -H 'Depth: 1' {home % 'cal'}", home % "card" + "contacts/"))

    def stop(self):
        codes = [running.stop() for running in (self.gateway, self.exchange) if running]
        shutil.rmtree(self.folder, ignore_errors=True)
        return max(codes)


def device_login(program, config, user):
    """`exdav login`, and a person with another device at the page that it names."""
    login = subprocess.Popen([program, "login", user, "--config", config], stdout=subprocess.PIPE, text=True)
    shown = ""
    for line in login.stdout:
        shown += line
        if code := re.search(r"enter the code\s+(\S+)", line):
            break
    page = urllib.parse.urlsplit(re.search(r"https?://\S+", shown)[0])
    connection = http.client.HTTPSConnection(page.hostname, page.port, context=ssl.create_default_context(cafile=CA))
    form = urllib.parse.urlencode({"code": code[1], "login": user, "password": "demo"})
    connection.request("POST", page.path, form, {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"the code was not taken: {answer.status} {answer.read()!r}")
    rest = login.stdout.read()
    if login.wait(60) or "is signed in" not in rest:
        raise RuntimeError(f"exdav login: {shown}{rest}")
