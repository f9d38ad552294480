#!/usr/bin/env python3
"""login_session.py USER
An administrator sets OAuth up and a person signs in: by browser on this machine, by a code on another device; tokens
survive a restart, end when they are revoked, and come back with a new sign-in. Over TLS."""
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse

from checks import Checks, Gateway, connect
from modes import CA, CERTIFICATE, CLIENT, KEY, device_login
from programs import Control, Program

[user] = sys.argv[1:2]
program = os.environ["EXDAV_PROGRAM"]
os.environ["EXDAV_CA"] = CA
check = Checks()


def exdav(*arguments, **more):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, **more)


def post(url, **form):
    """What a browser does with a form: status, where it is sent to, text."""
    url = urllib.parse.urlsplit(url)
    connection = connect(url)
    connection.request("POST", f"{url.path}?{url.query}", urllib.parse.urlencode(form),
                       {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    return answer.status, answer.headers["Location"], answer.read().decode()


def browser_login(config, change=lambda url: url, secret="demo"):
    """`exdav login --browser` with a person at the browser; its exit code and what it said."""
    login = subprocess.Popen([program, "login", user, "--config", config, "--browser"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    shown = ""
    for line in login.stdout:
        shown += line
        if found := re.search(r"https://\S+", line):
            break
    _, location, _ = post(found[0], login=user, password=secret)
    back = urllib.parse.urlsplit(change(location))
    connection = http.client.HTTPConnection(back.hostname, back.port, timeout=30)
    connection.request("GET", "/favicon.ico")
    icon = connection.getresponse().status
    connection.close()
    connection.request("GET", f"{back.path}?{back.query}")
    page = connection.getresponse().read().decode()
    shown += login.stdout.read()
    return login.wait(60), shown, icon, page


with tempfile.TemporaryDirectory(prefix="exdav-login-") as folder:
    exchange = Program(program, "simulate", "--exchange-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0",
                       "--sign-in", "bearer", "--exchange-certificate", CERTIFICATE, "--exchange-key", KEY)
    control, url = Control(exchange.urls["control"]), exchange.urls["exchange"]
    config, book = os.path.join(folder, "exdav.toml"), os.path.join(folder, "accounts.json")
    authority = url.rsplit("/", 2)[0] + "/contoso.example"
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"[exchange]\nurl = '{url}'\nca = '{CA}'\n[oauth]\nauthority = '{authority}'\nclient_id = '{CLIENT}'\n"
                   f"[accounts]\npath = '{book}'\n[server]\nlisten = '127.0.0.1:0'\n[store]\npath = '{folder}/store'\n"
                   "[sync]\nfreshness = '0s'\n[sign_in]\nrecheck = '0s'\n")
    made = exdav("user", "--config", config, "add", user, "--login")
    password = made.stdout.strip()
    check("exdav user add prints an app password and says what comes next",
          re.fullmatch(r"(\w{4}-){4}\w{4}", password) and "exdav login" in made.stderr, made.stdout + made.stderr)
    check("the same account cannot be made twice", exdav("user", "--config", config, "add", user).returncode == 1)

    running = Program(program, "serve", "--config", config)
    gateway = Gateway(running.urls["gateway"], user, password)
    ask = lambda: gateway.ask("PROPFIND", "/", Depth="0")[0]
    check("before anybody signed in clients get 503, not 401", ask() == 503)
    code, shown, icon, page = browser_login(config)
    check("exdav login --browser", code == 0 and "is signed in" in shown, shown)
    check("  the browser is told to go back", "close this window" in page and icon == 404, page)
    check("  a running exdav takes it up at once", ask() == 207)
    gateway.homes()
    with open(book, encoding="utf-8") as file:
        entry = json.load(file)[user]
    check("  what is kept is sealed and hashed", len(entry["reach"]["tokens"]["sealed"]) > 40
          and entry["passwords"][0]["hash"].startswith("$argon2id$") and password not in json.dumps(entry), str(entry)[:200])
    code, shown, _, _ = browser_login(config, change=lambda url: url.replace("state=", "state=x"))
    check("a browser that comes back from elsewhere is refused", code == 1 and "another sign-in" in shown, shown)
    code, shown, _, _ = browser_login(config, change=lambda url: url.split("?")[0] + "?error=access_denied&" + url.split("&")[1])
    check("a person who says no is reported", code == 1 and "access_denied" in shown, shown)

    check("the access token ends: renewed unseen", lambda: control.ask("POST", "/sign-in", {"revoke": "access"}) == {} and ask() == 207)
    running.stop()
    running = Program(program, "serve", "--config", config)
    gateway = Gateway(running.urls["gateway"], user, password)
    check("after a restart the kept token is enough", ask() == 207)
    gateway.filled()
    control.ask("POST", "/sign-in", {"revoke": "all"})
    control.reset()
    answers = {ask() for _ in range(5)}
    check("all tokens revoked: clients get 503", answers == {503}, str(answers))
    check("  the log says what to do", any("exdav login" in line for line in running.log), "".join(running.log[-5:]))
    check("  and neither Exchange nor the provider is asked again and again",
          # One for the request, one for the token, and what listens to the mailbox.
          control.ask("GET", "/sign-in")["requests"] <= 4, str(control.ask("GET", "/sign-in")))
    check("exdav login with a code on another device", lambda: device_login(program, config, user) is None)
    check("  and all is well again", ask() == 207)

    check("a wrong password is 401", Gateway(running.urls["gateway"], user, "wrong").ask("PROPFIND", "/", Depth="0")[0] == 401)
    phone = exdav("user", "--config", config, "password", user, "--label", "phone").stdout.strip()
    check("another app password opens the same account", Gateway(running.urls["gateway"], user, phone).ask("PROPFIND", "/", Depth="0")[0] == 207)
    listed = exdav("user", "--config", config, "list").stdout
    check("exdav user list names it and shows no secret", "phone" in listed and phone not in listed and "by tokens" in listed, listed)
    exdav("user", "--config", config, "remove", user, "--label", "phone")
    check("taken back, it opens nothing", Gateway(running.urls["gateway"], user, phone).ask("PROPFIND", "/", Depth="0")[0] == 401)
    check("  the other one still does", ask() == 207)
    secrets = [password, phone, *re.findall(r'"sealed": "([^"]+)"', open(book, encoding="utf-8").read())]
    check("no secret is in the log", not any(secret in "".join(running.log) for secret in secrets))
    running.stop()
    exchange.stop()
check.finish()
