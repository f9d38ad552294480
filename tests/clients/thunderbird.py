"""Thunderbird without a screen: a profile of its own with a mail identity, driven by Marionette (Mozilla's protocol for
tests, which the program itself serves), through the same functions that its windows call.

A `Thunderbird` is one running program. Its mail goes to `mails`, an SMTP server of the test that delivers nothing.
"""
import os
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from urllib.parse import urlsplit

from marionette_driver.marionette import Marionette
from programs import die_with_parent

# What no test needs: first-start pages, updates, telemetry, look-ups outside.
SETTINGS = {
    "marionette.port": 0,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.spotlight.firstRunDone": True,
    "mail.rights.version": 1,
    "mail.winsearch.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "mailnews.start_page_override.mstone": "ignore",
    "mailnews.database.global.indexer.enabled": False,
    "app.update.enabled": False,
    "app.donation.eoy.version.viewed": 999,
    "app.normandy.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "security.enterprise_roots.enabled": True,
    "calendar.timezone.local": "Europe/Berlin",
    "calendar.timezone.useSystemTimezone": False,
    "calendar.alarms.show": False,
    "calendar.alarms.playsound": False,
    "calendar.itip.compatSendMode": 0,
}

# Every script has these. `item(calendar, uid)` finds what the calendar holds, or null.
TOOLS = """
const { cal } = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");
const { CalEvent } = ChromeUtils.importESModule("resource:///modules/CalEvent.sys.mjs");
const { CalAttendee } = ChromeUtils.importESModule("resource:///modules/CalAttendee.sys.mjs");
const calendar = id => cal.manager.getCalendars().find(one => one.id == id);
const item = (id, uid) => calendar(id).getItem(uid);
const all = id => calendar(id).getItemsAsArray(Ci.calICalendar.ITEM_FILTER_ALL_ITEMS, 0, null, null);
const attendee = (address, role, status) => {
  const made = new CalAttendee();
  made.id = "mailto:" + address;
  made.role = role;
  made.participationStatus = status;
  made.rsvp = status == "NEEDS-ACTION" ? "TRUE" : "FALSE";
  return made;
};
const send = { responseMode: Ci.calIItipItem.AUTO };
"""


class Mails:
    """An SMTP server that keeps what it is given. RFC 5321"""

    def __init__(self):
        received = self.received = []

        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 test\r\n")
                is_data, text = False, []
                for line in self.rfile:
                    if is_data:
                        if line.rstrip(b"\r\n") == b".":
                            received.append(b"".join(text).decode(errors="replace"))
                            is_data, text = False, []
                            self.wfile.write(b"250 kept\r\n")
                        else:
                            text.append(line)
                        continue
                    word = line[:4].upper()
                    is_data = word == b"DATA"
                    self.wfile.write({b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(word, b"250 ok\r\n"))
                    if word == b"QUIT":
                        break

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def wait_until(condition, seconds=120, pause=0.05):
    """What `condition` gives once it is true, or `None` when it was not in time; `pause` lies between two looks."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(pause)
    return None


class Thunderbird:
    """A running Thunderbird. `profile`: a folder that survives it (see `stop`), or `None` for one of its own. `patience`: the
    seconds that one script may take. Thunderbird answers nothing while it stores thousands of items."""

    def __init__(self, email, profile=None, name="Demo", patience=120):
        self.home = tempfile.mkdtemp(prefix="thunderbird-")
        self.patience = patience
        self.profile = profile or os.path.join(self.home, "profile")
        os.makedirs(self.profile, exist_ok=True)
        self.mails = Mails()
        self.process = self.marionette = None
        with open(os.path.join(self.profile, "user.js"), "w", encoding="utf-8") as file:
            for key, value in {**SETTINGS, **self._identity(email, name)}.items():
                word = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else None
                word = word or (str(value) if isinstance(value, int) else f'"{value}"')
                file.write(f'user_pref("{key}", {word});\n')
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _identity(self, email, name):
        """A mail account that fetches nothing and sends to `mails`."""
        return {
            "mail.accountmanager.accounts": "account1,account2", "mail.accountmanager.defaultaccount": "account1",
            "mail.accountmanager.localfoldersserver": "server2",
            "mail.account.account1.server": "server1", "mail.account.account1.identities": "id1",
            "mail.account.account2.server": "server2",
            "mail.server.server1.type": "pop3", "mail.server.server1.hostname": "127.0.0.1",
            "mail.server.server1.userName": email, "mail.server.server1.login_at_startup": False,
            "mail.server.server1.check_new_mail": False, "mail.server.server1.download_on_biff": False,
            "mail.server.server2.type": "none", "mail.server.server2.hostname": "Local Folders",
            "mail.server.server2.userName": "nobody",
            "mail.identity.id1.useremail": email, "mail.identity.id1.fullName": name, "mail.identity.id1.valid": True,
            "mail.identity.id1.smtpServer": "smtp1", "mail.identity.id1.fcc": False,
            "mail.smtpservers": "smtp1", "mail.smtp.defaultserver": "smtp1", "mail.smtpserver.smtp1.type": "smtp",
            "mail.smtpserver.smtp1.hostname": "127.0.0.1", "mail.smtpserver.smtp1.port": self.mails.port,
            "mail.smtpserver.smtp1.authMethod": 1, "mail.smtpserver.smtp1.try_ssl": 0,
        }

    def _start(self):
        place = os.path.join(self.profile, "MarionetteActivePort")
        if os.path.exists(place):
            os.remove(place)
        self.output = open(os.path.join(self.home, "output"), "w", encoding="utf-8")
        self.process = subprocess.Popen(
            ["thunderbird", "--headless", "--marionette", "--remote-allow-system-access", "--no-remote",
             "--profile", self.profile],
            env=dict(os.environ, HOME=self.home, MOZ_HEADLESS="1"), stdout=self.output, stderr=self.output,
            preexec_fn=die_with_parent if threading.current_thread() is threading.main_thread() else None)

        def port():
            if self.process.poll() is not None:
                raise RuntimeError(f"Thunderbird ended with {self.process.returncode}:\n{self.log()}")
            try:
                with open(place, encoding="utf-8") as file:
                    number = int(file.read() or 0)
                socket.create_connection(("127.0.0.1", number), 1).close()
                return number
            except (OSError, ValueError):
                return None
        number = wait_until(port, self.patience)
        if not number:
            raise RuntimeError(f"Thunderbird did not start:\n{self.log()}")
        # The socket waits longer than any script may take, so that it is the script whose end is reported.
        self.marionette = Marionette("127.0.0.1", port=number, socket_timeout=self.patience + 60)
        self.marionette.start_session()
        self.marionette.timeout.script = self.patience
        self.marionette.set_context("chrome")
        # Calendars are there a moment after the window.
        is_ready = "typeof doTransaction == 'function' && !!window.calendarWindowLoaded || document.readyState == 'complete'"
        if not wait_until(lambda: self.marionette.execute_script(f"return {is_ready};"), self.patience):
            raise RuntimeError(f"Thunderbird's window did not become ready:\n{self.log()}")

    def log(self):
        """The end of what it printed."""
        with open(self.output.name, encoding="utf-8", errors="replace") as file:
            return file.read()[-3000:]

    def run(self, script, *arguments):
        """Runs the body of an async function in the main window; it sees `TOOLS` and its `arguments`."""
        is_done, value = self.marionette.execute_async_script(
            "const given = [...arguments]; const resolve = given.pop();"
            f"(async (...arguments) => {{ {TOOLS} {script} }})(...given)"
            ".then(value => resolve([true, value === undefined ? null : value]),"
            " error => resolve([false, String(error) + ' ' + (error && error.stack)]));",
            script_args=list(arguments))
        if not is_done:
            raise RuntimeError(value)
        return value

    def add_calendar(self, url, user, password, realm="exdav", name="exdav"):
        """Subscribes to a CalDAV calendar with its password in the store, as the assistant does; the calendar's id. The
        first synchronization begins by itself."""
        place = urlsplit(url)
        return self.run("""
            const [url, origin, realm, user, password, name] = arguments;
            const known = await Services.logins.searchLoginsAsync({ origin });
            if (!known.some(one => one.username == user)) {
              const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
              login.init(origin, null, realm, user, password, "", "");
              await Services.logins.addLoginAsync(login);
            }
            const made = cal.manager.createCalendar("caldav", Services.io.newURI(url));
            made.name = name;
            made.setProperty("username", user);
            made.setProperty("cache.enabled", true);
            made.setProperty("imip.identity.key", "id1");
            cal.manager.registerCalendar(made);
            return made.id;
        """, url, f"{place.scheme}://{place.netloc}", realm, user, password, name)

    def items(self, calendar):
        """{UID: title} of what the calendar holds in the program's own store."""
        return self.run("const found = await all(arguments[0]); return Object.fromEntries(found.map(i => [i.id, i.title]));",
                        calendar)

    def properties(self, calendar, *names):
        """Properties of a calendar: `disabled`, `readOnly`, `capabilities.autoschedule.supported`, `currentStatus`, …"""
        return self.run("const one = calendar(arguments[0]); return arguments[1].map(name => one.getProperty(name));",
                        calendar, list(names))

    def refresh(self, calendar):
        """Synchronizes now; returns when that is over."""
        self.run("""
            const one = calendar(arguments[0]);
            const loaded = new Promise(done => {
              const observer = {
                QueryInterface: ChromeUtils.generateQI(["calIObserver"]),
                onLoad() { one.removeObserver(observer); done(); },
                onStartBatch() {}, onEndBatch() {}, onAddItem() {}, onModifyItem() {}, onDeleteItem() {},
                onError() {}, onPropertyChanged() {}, onPropertyDeleting() {},
              };
              one.addObserver(observer);
            });
            one.refresh();
            await loaded;
        """, calendar)

    def invite(self, calendar, uid, title, start, end, organizer, guests):
        """Stores a meeting as its window does when somebody presses "Save and Send"."""
        self.run("""
            const [id, uid, title, start, end, organizer, guests] = arguments;
            const event = new CalEvent();
            event.id = uid;
            event.title = title;
            event.startDate = cal.createDateTime(start);
            event.endDate = cal.createDateTime(end);
            const host = attendee(organizer, "CHAIR", "ACCEPTED");
            host.isOrganizer = true;
            event.organizer = host;
            for (const guest of guests) {
              event.addAttendee(attendee(guest, "REQ-PARTICIPANT", "NEEDS-ACTION"));
            }
            event.calendar = calendar(id);
            await doTransaction("add", event, calendar(id), null, null, send);
        """, calendar, uid, title, start, end, organizer, guests)

    def answer(self, calendar, uid, status):
        """Answers an invitation as the buttons of its window do. The address that it answers as, or `None` where it does not
        find its user among the attendees."""
        return self.run("""
            const [id, uid, status] = arguments;
            const before = await item(id, uid);
            const own = cal.itip.getInvitedAttendee(before, calendar(id));
            if (!own) {
              return null;
            }
            const after = before.clone();
            const answered = own.clone();
            answered.participationStatus = status;
            after.removeAttendee(after.getAttendeeById(own.id));
            after.addAttendee(answered);
            await doTransaction("modify", after, calendar(id), before, null, send);
            return own.id;
        """, calendar, uid, status)

    def busy(self, address, start, end):
        """Busy times of somebody, as the window with the attendees shows them: [[start, end], …] in UTC."""
        return self.run("""
            const [address, start, end] = arguments;
            return new Promise((done, fail) => {
              cal.freeBusyService.getFreeBusyIntervals(
                "mailto:" + address, cal.createDateTime(start), cal.createDateTime(end),
                Ci.calIFreeBusyInterval.BUSY_ALL,
                { onResult(operation, result) {
                    if (operation === null || !operation.isPending) {
                      done((result || []).filter(one => one.freeBusyType != Ci.calIFreeBusyInterval.FREE)
                        .map(one => [one.interval.start.icalString, one.interval.end.icalString]));
                    }
                  } });
            });
        """, address, start, end)

    def stop(self):
        """Ends it. Its own folders are removed; a profile that was given stays."""
        if self.marionette is not None:
            try:
                self.marionette.execute_script("Services.startup.quit(Ci.nsIAppStartup.eForceQuit);")
            except Exception:  # the answer is lost with the program
                pass
        if self.process is not None:
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
            self.output.close()
        self.mails.stop()
        shutil.rmtree(self.home, ignore_errors=True)
