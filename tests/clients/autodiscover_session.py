#!/usr/bin/env python3
"""autodiscover_session.py USER PASSWORD
An administrator gives exdav the mail domain and nothing else; exdav finds the mailbox, and finds it again after a
restart. Then exchangelib, which has an Autodiscover of its own, finds the same endpoint at the simulated Exchange. Names
come from a proxy; DNS look-ups, which exchangelib makes beside it, are answered with yes."""
import os
import subprocess
import sys
from urllib.parse import urlsplit

from checks import Checks, Gateway
from modes import TLS
from names import Names
from programs import Control, Program, Serve

user, password = sys.argv[1:3]
program = os.environ["EXDAV_PROGRAM"]
check, names = Checks(), Names()
authority = str(TLS / "domains-ca.crt")
exchange = Program(program, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0",
                   "--sign-in", "basic,ntlm", "--exchange-certificate", str(TLS / "domain.crt"),
                   "--exchange-key", str(TLS / "domain.key"))
control = Control(exchange.urls["control"])
endpoint = "https://mail.example.com/EWS/Exchange.asmx"
control.ask("POST", "/autodiscover", {"ews_url": endpoint})
address = ("127.0.0.1", urlsplit(exchange.urls["exchange"]).port)
names.hosts.update({"autodiscover.example.com": address, "mail.example.com": address})

serve = Serve(program, "", exchange__domain="example.com", exchange__ca=authority, exchange__proxy=names.url,
              exchange__nameserver="127.0.0.1:9")
with open(serve.config, encoding="utf-8") as file:
    settings = file.read().replace('url = ""\n', "")
with open(serve.config, "w", encoding="utf-8") as file:
    file.write(settings)
check("nothing names Exchange's endpoint", "asmx" not in settings and 'domain = "example.com"' in settings, settings)


def calendars(running, secret=password):
    gateway = Gateway(running.urls["gateway"], user, secret)
    home, _ = gateway.homes()
    return gateway.collections(home, "calendar")


try:
    running = serve.start()
    check("the domain alone leads to the calendars", lambda: len(calendars(running)) > 1)
    check("Autodiscover was asked once", control.calls().get("Autodiscover") == 1, str(control.calls()))
    status, _, _ = Gateway(running.urls["gateway"], user, "wrong").ask("PROPFIND", "/dav/", Depth="0")
    check("a wrong password is refused", status == 401, str(status))
    status, _, _ = Gateway(running.urls["gateway"], "a@evil.test", password).ask("PROPFIND", "/dav/", Depth="0")
    check("an address of another domain is refused", status == 401, str(status))
    check("and nobody asked for that domain", not [host for host in names.asked if "evil" in host], str(names.asked))
    check("it ends in peace", running.stop() == 0)
    running = serve.start()
    check("after a restart what was found is still known", lambda: len(calendars(running)) > 1)
    check("Autodiscover was not asked again", control.calls().get("Autodiscover") == 1, str(control.calls()))
    done = subprocess.run([program, "check", "--config", serve.config, "--user", user], input=password + "\n",
                          capture_output=True, text=True, timeout=60)
    check("exdav check shows the way", done.returncode == 0 and f"EWS is at {endpoint}" in done.stdout,
          done.stdout + done.stderr)
    check("it ends in peace", running.stop() == 0)
finally:
    serve.remove()

# Somebody else's Autodiscover client against the simulated Exchange.
os.environ.update(HTTPS_PROXY=names.url, HTTP_PROXY=names.url, NO_PROXY="", REQUESTS_CA_BUNDLE=authority)
from exchangelib import DELEGATE, Account, Credentials  # noqa: E402
from exchangelib.autodiscover.discovery import Autodiscovery  # noqa: E402

Autodiscovery._ensure_valid_hostname = lambda self, url: None
Autodiscovery._is_valid_hostname = lambda self, hostname: True
Autodiscovery._get_srv_records = lambda self, hostname: []


def discovered(**plan):
    control.ask("POST", "/autodiscover", plan)
    answer, protocol = Autodiscovery(user, Credentials(user, password)).discover()
    return answer, protocol.service_endpoint


check("exchangelib finds the endpoint", lambda: discovered(ews_url=endpoint)[1] == endpoint)


def account():
    mailbox = Account(user, credentials=Credentials(user, password), autodiscover=True, access_type=DELEGATE)
    return mailbox.calendar.total_count > 100


check("exchangelib opens the mailbox from the address alone", account)
exchange.stop()
check.finish()
