//! Lines that say one thing in several words: what a client leaves out, and what Outlook changes, beside what the other
//! side has.

use crate::support::{PASSWORD, Stage, USER, contacts};
use bytes::Bytes;
use exdav::gateway::write::{Conditions, Written};
use exdav::gateway::{Mailbox, Settings};
use exdav::model::id::CollectionId;
use std::time::Duration;

/// A mailbox, its gateway, and Outlook beside it.
struct Scene {
    stage: Stage,
    mailbox: Mailbox,
    kind: &'static str,
}

impl Scene {
    async fn of(kind: &'static str) -> Self {
        let stage = Stage::empty(1).await;
        let mailbox = stage.mailbox(Duration::ZERO).await;
        let scene = Self { stage, mailbox, kind };
        // After the first fill a read looks at Exchange.
        scene.mailbox.list(&scene.collection()).await.unwrap();
        scene
    }

    async fn events() -> Self {
        Self::of("calendar").await
    }

    fn collection(&self) -> CollectionId {
        self.kind.parse().unwrap()
    }

    fn element(&self) -> &'static str {
        match self.kind {
            "tasks" => "Task",
            "contacts" => "Contact",
            _ => "CalendarItem",
        }
    }

    /// Outlook makes an item; the name of its object.
    async fn made_in_outlook(&self, fields: &str) -> String {
        let (element, kind) = (self.element(), self.kind);
        let sends = if kind == "calendar" { "SendMeetingInvitations='SendToNone'" } else { "" };
        let request = format!(
            "<m:CreateItem {sends}><m:SavedItemFolderId><t:DistinguishedFolderId Id='{kind}'/></m:SavedItemFolderId>\
             <m:Items><t:{element}>{fields}</t:{element}></m:Items></m:CreateItem>"
        );
        let answer = self.stage.colleague(USER, &request).await;
        assert!(answer.contains("NoError"), "{answer}");
        let listed = self.mailbox.list(&self.collection()).await.unwrap();
        listed.last().expect("an object").name.to_string()
    }

    /// The only item of the folder, with its ItemRef.
    async fn found(&self) -> String {
        let find = format!(
            "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>\
             <m:ParentFolderIds><t:DistinguishedFolderId Id='{}'/></m:ParentFolderIds></m:FindItem>",
            self.kind
        );
        let found = self.stage.colleague(USER, &find).await;
        found
            .split("<t:ItemId ")
            .nth(1)
            .unwrap_or_else(|| panic!("{found}"))
            .split("/>")
            .next()
            .unwrap()
            .to_owned()
    }

    /// Outlook sets fields of the only item: FieldURI and element.
    async fn outlook_sets(&self, fields: &[(&str, &str)]) {
        let (id, element) = (self.found().await, self.element());
        let updates: String = fields
            .iter()
            .map(|(uri, value)| {
                format!(
                    "<t:SetItemField><t:FieldURI FieldURI='{uri}'/><t:{element}>{value}</t:{element}></t:SetItemField>"
                )
            })
            .collect();
        let request = format!(
            "<m:UpdateItem MessageDisposition='SaveOnly' ConflictResolution='AlwaysOverwrite' \
             SendMeetingInvitationsOrCancellations='SendToNone'><m:ItemChanges><t:ItemChange><t:ItemId {id}/>\
             <t:Updates>{updates}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
        );
        let answer = self.stage.colleague(USER, &request).await;
        assert!(answer.contains("NoError"), "{answer}");
    }

    /// What Exchange has of the only item.
    async fn exchange(&self) -> String {
        let id = self.found().await;
        let request = format!(
            "<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:AdditionalProperties>\
             <t:FieldURI FieldURI='item:TextBody'/>{}</t:AdditionalProperties></m:ItemShape><m:ItemIds>\
             <t:ItemId {id}/></m:ItemIds></m:GetItem>",
            if self.kind == "calendar" { "<t:FieldURI FieldURI='calendar:EnhancedLocation'/>" } else { "" }
        );
        self.stage.colleague(USER, &request).await
    }

    async fn get(&self, name: &str) -> String {
        let object = self.mailbox.get(&self.collection(), &name.parse().unwrap()).await.unwrap();
        let text = String::from_utf8(object.expect("the object").body.to_vec()).unwrap();
        text.replace("\r\n ", "")
    }

    async fn put(&self, name: &str, text: impl Into<Bytes>) -> Written {
        let name = name.parse().unwrap();
        self.mailbox.put(&self.collection(), &name, &Conditions::default(), text.into()).await.unwrap()
    }
}

fn event(lines: &str) -> String {
    object("VEVENT", &format!("DTSTART:20270610T100000Z\nDTEND:20270610T110000Z\n{lines}"))
}

fn object(kind: &str, lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nBEGIN:{kind}\nUID:one\nDTSTAMP:20260101T000000Z\n\
         {}\nEND:{kind}\nEND:VCALENDAR\n",
        lines.trim()
    )
    .replace('\n', "\r\n")
}

fn without_x(text: &str) -> String {
    text.split_inclusive("\r\n").filter(|line| !line.starts_with("X-")).collect()
}

fn with_line(text: &str, kind: &str, line: &str) -> String {
    text.replace(&format!("END:{kind}\r\n"), &format!("{line}\r\nEND:{kind}\r\n"))
}

const ALARM: &str = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT20M\r\nEND:VALARM";
const AT_TEN: &str = "<t:Start>2027-06-10T10:00:00Z</t:Start><t:End>2027-06-10T11:00:00Z</t:End>";

fn triggers(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.trim_end().strip_prefix("TRIGGER")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_office_stays_when_a_client_that_drops_x_lines_adds_an_alarm_or_a_place() {
    for status in ["OOF", "WorkingElsewhere", "Tentative", "Free", "Busy"] {
        for more in [ALARM, "LOCATION:Hall", "PRIORITY:1"] {
            let scene = Scene::events().await;
            let fields = format!(
                "<t:Subject>Away</t:Subject>{AT_TEN}<t:LegacyFreeBusyStatus>{status}</t:LegacyFreeBusyStatus>"
            );
            let name = scene.made_in_outlook(&fields).await;
            let text = with_line(&without_x(&scene.get(&name).await), "VEVENT", more);
            scene.put(&name, text.clone()).await;
            let held = format!("<t:LegacyFreeBusyStatus>{status}<");
            assert!(scene.exchange().await.contains(&held), "{status} {more}");
            // The next change starts from a text that has no such line any more.
            scene.put(&name, text.replace("SUMMARY:Away", "SUMMARY:Far away")).await;
            assert!(scene.exchange().await.contains(&held), "{status} {more}, once more");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unanswered_invitation_stays_tentative_when_a_client_that_drops_x_lines_adds_an_alarm() {
    let stage = Stage::empty(2).await;
    let request = format!(
        "<m:CreateItem SendMeetingInvitations='SendToAllAndSaveCopy'><m:Items><t:CalendarItem>\
         <t:Subject>Meet</t:Subject>{AT_TEN}<t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>{USER}\
         </t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees></t:CalendarItem></m:Items></m:CreateItem>"
    );
    let answer = stage.colleague("demo2@example.com", &request).await;
    assert!(answer.contains("NoError"), "{answer}");
    let mailbox = stage.mailbox(Duration::ZERO).await;
    let scene = Scene { stage, mailbox, kind: "calendar" };
    let name = scene.mailbox.list(&scene.collection()).await.unwrap()[0].name.to_string();
    scene.put(&name, with_line(&without_x(&scene.get(&name).await), "VEVENT", ALARM)).await;
    assert!(scene.exchange().await.contains("<t:LegacyFreeBusyStatus>Tentative<"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_status_that_a_client_does_change_is_changed() {
    let changes = [
        ("OOF", "TRANSP:OPAQUE", "TRANSP:TRANSPARENT", "Free"),
        ("Free", "TRANSP:TRANSPARENT", "TRANSP:OPAQUE", "Busy"),
        ("Tentative", "STATUS:TENTATIVE", "STATUS:CONFIRMED", "Busy"),
        ("OOF", "TRANSP:OPAQUE", "TRANSP:OPAQUE\r\nSTATUS:TENTATIVE", "Tentative"),
        ("Busy", "X-MICROSOFT-CDO-BUSYSTATUS:BUSY", "X-MICROSOFT-CDO-BUSYSTATUS:FREE", "Free"),
        ("Busy", "X-MICROSOFT-CDO-BUSYSTATUS:BUSY", "X-MICROSOFT-CDO-BUSYSTATUS:OOF", "OOF"),
        ("Tentative", "X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", "X-MICROSOFT-CDO-BUSYSTATUS:OOF", "OOF"),
    ];
    for (status, old, new, wanted) in changes {
        for keeps_x in [true, false] {
            let scene = Scene::events().await;
            let fields = format!(
                "<t:Subject>x</t:Subject>{AT_TEN}<t:LegacyFreeBusyStatus>{status}</t:LegacyFreeBusyStatus>"
            );
            let name = scene.made_in_outlook(&fields).await;
            let text = scene.get(&name).await;
            if !keeps_x && old.starts_with("X-") {
                continue;
            }
            let text = if keeps_x { text } else { without_x(&text) };
            assert!(text.contains(old), "{old}: {text}");
            scene.put(&name, text.replace(&format!("\r\n{old}"), &format!("\r\n{new}"))).await;
            let exchange = scene.exchange().await;
            assert!(
                exchange.contains(&format!("<t:LegacyFreeBusyStatus>{wanted}<")),
                "{status} {new}: {exchange}"
            );
            let seen = scene.get(&name).await;
            let is_free = seen.contains("TRANSP:TRANSPARENT");
            assert_eq!(is_free, wanted == "Free", "{status} {new}: {seen}");
            let word = seen.lines().find_map(|line| line.strip_prefix("X-MICROSOFT-CDO-BUSYSTATUS:"));
            assert!(
                word.is_none_or(|word| word.trim().eq_ignore_ascii_case(wanted)),
                "{status} {new}: {seen}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_event_and_an_important_one_stay_so_when_a_client_drops_x_lines() {
    let scene = Scene::events().await;
    scene
        .put(
            "one.ics",
            event("SUMMARY:x\nX-CALENDARSERVER-ACCESS:CONFIDENTIAL\nX-MICROSOFT-CDO-IMPORTANCE:2"),
        )
        .await;
    scene.put("one.ics", event("SUMMARY:y")).await;
    let exchange = scene.exchange().await;
    assert!(exchange.contains("<t:Sensitivity>Confidential<"), "{exchange}");
    assert!(exchange.contains("<t:Importance>High<"), "{exchange}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_importance_or_class_is_told_in_all_its_words() {
    let scene = Scene::events().await;
    scene.put("one.ics", event("SUMMARY:x\nPRIORITY:1\nX-MICROSOFT-CDO-IMPORTANCE:2\nCLASS:PRIVATE\nX-CALENDARSERVER-ACCESS:PRIVATE")).await;
    scene.put("one.ics", event("SUMMARY:x\nPRIORITY:9\nX-MICROSOFT-CDO-IMPORTANCE:2\nCLASS:PUBLIC\nX-CALENDARSERVER-ACCESS:PRIVATE")).await;
    let (exchange, seen) = (scene.exchange().await, scene.get("one.ics").await);
    assert!(
        exchange.contains("<t:Importance>Low<") && exchange.contains("<t:Sensitivity>Normal<"),
        "{exchange}"
    );
    assert!(!seen.contains("IMPORTANCE:2") && !seen.contains("ACCESS:PRIVATE"), "{seen}");
    scene.put("one.ics", event("SUMMARY:x\nPRIORITY:9\nX-MICROSOFT-CDO-IMPORTANCE:2\nCLASS:PUBLIC\nX-CALENDARSERVER-ACCESS:PRIVATE")).await;
    let (exchange, seen) = (scene.exchange().await, scene.get("one.ics").await);
    assert!(
        exchange.contains("<t:Importance>High<") && exchange.contains("<t:Sensitivity>Private<"),
        "{exchange}"
    );
    assert!(!seen.contains("PRIORITY:9") && !seen.contains("CLASS:PUBLIC"), "{seen}");
    for (kind, uri, value) in [
        ("calendar", "item:Importance", "<t:Importance>Low</t:Importance>"),
        ("tasks", "item:Importance", "<t:Importance>Low</t:Importance>"),
    ] {
        let scene = Scene::of(kind).await;
        let text = if kind == "tasks" {
            object("VTODO", "SUMMARY:x\nPRIORITY:1\nX-MICROSOFT-CDO-IMPORTANCE:2")
        } else {
            event("SUMMARY:x\nPRIORITY:1\nX-MICROSOFT-CDO-IMPORTANCE:2")
        };
        scene.put("one.ics", text).await;
        scene.outlook_sets(&[(uri, value)]).await;
        let seen = scene.get("one.ics").await;
        assert!(seen.contains("PRIORITY:9") && !seen.contains("IMPORTANCE:2"), "{kind}: {seen}");
    }
}

const BOTH: &str =
    "SUMMARY:x\nDESCRIPTION:stale words\nX-ALT-DESC;FMTTYPE=text/html:<p>stale <b>words</b></p>";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_changes_the_description_alone_does_not_leave_the_old_html() {
    for (kind, text) in [("calendar", event(BOTH)), ("tasks", object("VTODO", BOTH))] {
        let scene = Scene::of(kind).await;
        scene.put("one.ics", text.clone()).await;
        let written = scene.put("one.ics", text.replace("DESCRIPTION:stale", "DESCRIPTION:fresh")).await;
        let (exchange, seen) = (scene.exchange().await, scene.get("one.ics").await);
        assert!(exchange.contains("fresh words") && !exchange.contains("stale"), "{exchange}");
        assert!(seen.contains("DESCRIPTION:fresh words") && !seen.contains("stale"), "{seen}");
        assert!(written.etag.is_none(), "what is served is not what was sent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_changes_the_html_alone_does_not_leave_the_old_description() {
    for (kind, text) in [("calendar", event(BOTH)), ("tasks", object("VTODO", BOTH))] {
        let scene = Scene::of(kind).await;
        scene.put("one.ics", text.clone()).await;
        scene.put("one.ics", text.replace("<p>stale", "<p>fresh")).await;
        let (exchange, seen) = (scene.exchange().await, scene.get("one.ics").await);
        assert!(exchange.contains("fresh") && !exchange.contains("stale"), "{exchange}");
        assert!(seen.contains("DESCRIPTION:fresh words") && !seen.contains("stale"), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_occurrence_that_gets_a_description_of_its_own_does_not_keep_the_html_of_its_series() {
    let scene = Scene::events().await;
    let text = event(&format!("RRULE:FREQ=DAILY;COUNT=5\n{BOTH}"));
    scene.put("one.ics", text.clone()).await;
    let own = "BEGIN:VEVENT\nUID:one\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID:20270611T100000Z\nDTSTART:20270611T100000Z\n\
               DTEND:20270611T110000Z\nSUMMARY:x\nDESCRIPTION:own words\n\
               X-ALT-DESC;FMTTYPE=text/html:<p>stale <b>words</b></p>\nEND:VEVENT\nEND:VCALENDAR\n";
    scene.put("one.ics", text.replace("END:VCALENDAR\r\n", &own.replace('\n', "\r\n"))).await;
    let seen = scene.get("one.ics").await;
    assert!(seen.contains("own words") && seen.matches("X-ALT-DESC").count() == 1, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_outlook_makes_bold_are_bold_for_clients_that_wrote_them() {
    let scene = Scene::events().await;
    scene.put("one.ics", event("SUMMARY:x\nDESCRIPTION:some words\nURL:https://example.com/")).await;
    scene
        .outlook_sets(&[(
            "item:Body",
            "<t:Body BodyType='HTML'>&lt;p&gt;some &lt;b&gt;words&lt;/b&gt;&lt;/p&gt;</t:Body>",
        )])
        .await;
    let seen = scene.get("one.ics").await;
    assert!(seen.contains("X-ALT-DESC") && seen.contains("URL:https://example.com/"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn html_survives_a_client_that_drops_x_lines_until_that_changes_the_text() {
    let scene = Scene::events().await;
    let fields = format!(
        "<t:Subject>x</t:Subject><t:Body BodyType='HTML'>&lt;p&gt;some &lt;b&gt;words&lt;/b&gt;&lt;/p&gt;</t:Body>{AT_TEN}"
    );
    let name = scene.made_in_outlook(&fields).await;
    let text = without_x(&scene.get(&name).await);
    scene.put(&name, with_line(&text, "VEVENT", ALARM)).await;
    assert!(scene.exchange().await.contains("&lt;b&gt;words"));
    scene.put(&name, text.replace("some words", "other words")).await;
    let exchange = scene.exchange().await;
    assert!(exchange.contains("other words") && !exchange.contains("some"), "{exchange}");
}

const TWO_ALARMS: &str = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-P1D\nEND:VALARM\n\
                          BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT10M\nEND:VALARM";

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_dismissed_or_changed_in_outlook_takes_one_alarm_and_leaves_the_others() {
    let scene = Scene::events().await;
    let text = event(&format!("SUMMARY:x\n{TWO_ALARMS}"));
    scene.put("one.ics", text.clone()).await;
    scene.outlook_sets(&[("item:ReminderIsSet", "<t:ReminderIsSet>false</t:ReminderIsSet>")]).await;
    let dismissed = scene.get("one.ics").await;
    assert_eq!(triggers(&dismissed), [":-PT10M"]);
    // The client goes on from there: what Exchange does not hold is not taken for what it held.
    scene.put("one.ics", dismissed.replace("SUMMARY:x", "SUMMARY:y")).await;
    assert!(scene.exchange().await.contains("<t:ReminderIsSet>false<"));
    let thirty = "<t:ReminderMinutesBeforeStart>30</t:ReminderMinutesBeforeStart>";
    let set = "<t:ReminderIsSet>true</t:ReminderIsSet>";
    scene.outlook_sets(&[("item:ReminderIsSet", set), ("item:ReminderMinutesBeforeStart", thirty)]).await;
    let mut seen = scene.get("one.ics").await;
    assert_eq!(triggers(&seen), [":-PT10M", ":-PT30M"]);
    // Two days before instead of one.
    scene.put("one.ics", text.clone()).await;
    let two_days = "<t:ReminderMinutesBeforeStart>2880</t:ReminderMinutesBeforeStart>";
    scene.outlook_sets(&[("item:ReminderMinutesBeforeStart", two_days)]).await;
    seen = scene.get("one.ics").await;
    assert_eq!(triggers(&seen), [":-PT2880M", ":-PT10M"]);
    // At a time at which the client has an alarm already.
    scene.put("one.ics", text).await;
    let ten = "<t:ReminderMinutesBeforeStart>10</t:ReminderMinutesBeforeStart>";
    scene.outlook_sets(&[("item:ReminderMinutesBeforeStart", ten)]).await;
    seen = scene.get("one.ics").await;
    assert_eq!(triggers(&seen), [":-PT10M"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_of_a_task_dismissed_in_outlook_takes_one_alarm_and_leaves_the_others() {
    let scene = Scene::of("tasks").await;
    let alarms = TWO_ALARMS.replace("TRIGGER:", "TRIGGER;RELATED=END:");
    scene.put("one.ics", object("VTODO", &format!("DUE:20270610T100000Z\nSUMMARY:x\n{alarms}"))).await;
    scene.outlook_sets(&[("item:ReminderIsSet", "<t:ReminderIsSet>false</t:ReminderIsSet>")]).await;
    assert_eq!(triggers(&scene.get("one.ics").await), [";RELATED=END:-PT10M"]);
    let at = "<t:ReminderDueBy>2027-06-08T08:00:00Z</t:ReminderDueBy>";
    let set = "<t:ReminderIsSet>true</t:ReminderIsSet>";
    scene.outlook_sets(&[("item:ReminderDueBy", at), ("item:ReminderIsSet", set)]).await;
    let seen = scene.get("one.ics").await;
    assert_eq!(triggers(&seen), [";VALUE=DATE-TIME:20270608T080000Z", ";RELATED=END:-PT10M"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_stay_with_their_occurrences_when_outlook_changes_something_else_of_the_series() {
    let scene = Scene::events().await;
    let text = event(&format!("RRULE:FREQ=DAILY;COUNT=5\nSUMMARY:x\n{TWO_ALARMS}"));
    let own = format!(
        "BEGIN:VEVENT\nUID:one\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID:20270611T100000Z\nDTSTART:20270611T120000Z\n\
         DTEND:20270611T130000Z\nSUMMARY:x\n{TWO_ALARMS}\nEND:VEVENT\nEND:VCALENDAR\n"
    );
    scene.put("one.ics", text.replace("END:VCALENDAR\r\n", &own.replace('\n', "\r\n"))).await;
    let times = [
        ("calendar:Start", "<t:Start>2027-06-10T09:30:00Z</t:Start>"),
        ("calendar:End", "<t:End>2027-06-10T10:30:00Z</t:End>"),
    ];
    scene.outlook_sets(&times).await;
    let seen = scene.get("one.ics").await;
    assert!(seen.contains("DTSTART:20270610T093000Z") || seen.contains("T093000"), "{seen}");
    assert!(seen.matches("TRIGGER:-P1D").count() >= 1 && seen.contains("TRIGGER:-PT10M"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_keeps_its_coordinates_until_a_client_moves_it() {
    let scene = Scene::events().await;
    let place = "<t:EnhancedLocation><t:DisplayName>Hall</t:DisplayName><t:PostalAddress><t:Latitude>52.5</t:Latitude>\
                 <t:Longitude>13.4</t:Longitude></t:PostalAddress></t:EnhancedLocation>";
    let fields = format!("<t:Subject>x</t:Subject>{AT_TEN}<t:Location>Hall</t:Location>{place}");
    let name = scene.made_in_outlook(&fields).await;
    let text = scene.get(&name).await;
    assert!(text.contains("GEO:52.5"), "{text}");
    let less: String =
        text.split_inclusive("\r\n").filter(|l| !l.starts_with("X-") && !l.starts_with("GEO")).collect();
    scene.put(&name, with_line(&less, "VEVENT", ALARM)).await;
    assert!(scene.exchange().await.contains("<t:Latitude>52.5<"));
    // Elsewhere: the coordinates are those of the hall.
    scene.put(&name, less.replace("LOCATION:Hall", "LOCATION:Cellar")).await;
    let exchange = scene.exchange().await;
    assert!(exchange.contains("Cellar") && !exchange.contains("52.5"), "{exchange}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_place_that_alone_was_changed_beside_its_coordinates_is_seen() {
    let scene = Scene::events().await;
    let apple = "X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-TITLE=Hall:geo:52.5,13.4";
    scene.put("one.ics", event(&format!("LOCATION:Hall\nGEO:52.5;13.4\n{apple}"))).await;
    let before = scene.get("one.ics").await;
    assert!(before.contains("X-TITLE=Hall"), "{before}");
    let place = "<t:EnhancedLocation><t:DisplayName>Great Hall</t:DisplayName><t:PostalAddress>\
                 <t:Latitude>52.5</t:Latitude><t:Longitude>13.4</t:Longitude><t:LocationSource>Device</t:LocationSource>\
                 </t:PostalAddress></t:EnhancedLocation>";
    scene.outlook_sets(&[("calendar:EnhancedLocation", place)]).await;
    let after = scene.get("one.ics").await;
    assert!(!after.contains("X-TITLE=Hall"), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_one_occurrence_that_outlook_makes_bold_are_bold_for_clients_that_wrote_them() {
    let scene = Scene::events().await;
    let of = |body: &str| {
        format!(
            "BEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20270617T100000Z\r\n\
             DTSTART:20270617T120000Z\r\nDTEND:20270617T130000Z\r\n{body}\r\nEND:VEVENT\r\nEND:VCALENDAR"
        )
    };
    let words = "DESCRIPTION:some words\r\nX-ALT-DESC;FMTTYPE=text/html:<b>some</b> words";
    let text = event("RRULE:FREQ=WEEKLY;COUNT=4\nX-OWN:kept").replace("END:VCALENDAR", &of(words));
    scene.put("one.ics", text).await;
    assert!(scene.get("one.ics").await.contains("<b>some</b> words"));
    let series = scene.found().await;
    let id = series.split("Id=\"").nth(1).unwrap().split('"').next().unwrap();
    let request = format!(
        "<m:UpdateItem MessageDisposition='SaveOnly' ConflictResolution='AlwaysOverwrite' \
         SendMeetingInvitationsOrCancellations='SendToNone'><m:ItemChanges><t:ItemChange>\
         <t:OccurrenceItemId RecurringMasterId='{id}' InstanceIndex='2'/><t:Updates><t:SetItemField>\
         <t:FieldURI FieldURI='item:Body'/><t:CalendarItem><t:Body BodyType='HTML'>some &lt;b&gt;words&lt;/b&gt;</t:Body>\
         </t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
    );
    let answer = scene.stage.colleague(USER, &request).await;
    assert!(answer.contains("NoError"), "{answer}");
    let after = scene.get("one.ics").await;
    assert!(after.contains("some <b>words</b>") && !after.contains("<b>some</b>"), "{after}");
    assert!(after.contains("X-OWN:kept"), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_outlook_asks_for_are_asked_for_in_the_text_that_a_client_wrote() {
    let scene = Scene::events().await;
    let guests = "ORGANIZER:mailto:demo@example.com\nATTENDEE;RSVP=FALSE:mailto:guest@example.com\n\
                  ATTENDEE;RSVP=FALSE;X-OWN=a:mailto:other@example.com";
    scene.put("one.ics", event(guests)).await;
    assert!(scene.get("one.ics").await.contains("ATTENDEE;RSVP=FALSE;X-OWN=a"));
    let ask = |asks: &str| format!("<t:IsResponseRequested>{asks}</t:IsResponseRequested>");
    scene.outlook_sets(&[("calendar:IsResponseRequested", &ask("true"))]).await;
    let seen = scene.get("one.ics").await;
    assert!(seen.contains("ATTENDEE;X-OWN=a;") && seen.matches("RSVP=TRUE").count() == 2, "{seen}");
    scene.outlook_sets(&[("calendar:IsResponseRequested", &ask("false"))]).await;
    let seen = scene.get("one.ics").await;
    assert!(!seen.contains("RSVP=TRUE"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_without_a_name_shows_the_one_that_outlook_gives_it() {
    let scene = Scene::events().await;
    scene.put("one.ics", event("SUMMARY:x\nGEO:52.5;13.4")).await;
    let seen = scene.get("one.ics").await;
    assert!(!seen.contains("LOCATION:52.5"), "{seen}");
    scene.outlook_sets(&[("calendar:Location", "<t:Location>Cellar</t:Location>")]).await;
    let seen = scene.get("one.ics").await;
    assert!(seen.contains("LOCATION:Cellar") && !seen.contains("LOCATION:52.5"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_its_organiser_called_off_is_cancelled_in_the_text_that_a_client_wrote_of_it() {
    let stage = Stage::empty(2).await;
    let request = format!(
        "<m:CreateItem SendMeetingInvitations='SendToAllAndSaveCopy'><m:Items><t:CalendarItem>\
         <t:Subject>Meet</t:Subject>{AT_TEN}<t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>{USER}\
         </t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees></t:CalendarItem></m:Items></m:CreateItem>"
    );
    let host = "demo2@example.com";
    let answer = stage.colleague(host, &request).await;
    assert!(answer.contains("NoError"), "{answer}");
    let mailbox = stage.mailbox(Duration::ZERO).await;
    let scene = Scene { stage, mailbox, kind: "calendar" };
    let name = scene.mailbox.list(&scene.collection()).await.unwrap()[0].name.to_string();
    scene.put(&name, with_line(&scene.get(&name).await, "VEVENT", "X-OWN:kept")).await;
    let id = answer.split("<t:ItemId ").nth(1).unwrap().split("/>").next().unwrap();
    let cancel = format!(
        "<m:CreateItem MessageDisposition='SendAndSaveCopy'><m:Items><t:CancelCalendarItem><t:ReferenceItemId {id}/>\
         </t:CancelCalendarItem></m:Items></m:CreateItem>"
    );
    let cancelled = scene.stage.colleague(host, &cancel).await;
    assert!(cancelled.contains("NoError"), "{cancelled}");
    let seen = scene.get(&name).await;
    assert!(seen.contains("STATUS:CANCELLED") && seen.contains("X-OWN:kept"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_a_client_ends_in_one_word_is_ended_in_all() {
    let scene = Scene::of("tasks").await;
    let open = "SUMMARY:x\nSTATUS:IN-PROCESS\nPERCENT-COMPLETE:50";
    scene.put("one.ics", object("VTODO", open)).await;
    scene.put("one.ics", object("VTODO", &open.replace(":50", ":100"))).await;
    assert!(scene.exchange().await.contains("<t:Status>Completed<"));
    assert!(scene.get("one.ics").await.contains("STATUS:COMPLETED"));
    let scene = Scene::of("tasks").await;
    scene.put("one.ics", object("VTODO", open)).await;
    scene.put("one.ics", object("VTODO", &open.replace("IN-PROCESS", "COMPLETED"))).await;
    let seen = scene.get("one.ics").await;
    assert!(seen.contains("STATUS:COMPLETED") && !seen.contains("COMPLETE:50"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_no_length_has_no_end() {
    let scene = Scene::events().await;
    let at = "<t:Start>2027-06-10T10:00:00Z</t:Start><t:End>2027-06-10T10:00:00Z</t:End>";
    let name = scene.made_in_outlook(&format!("<t:Subject>x</t:Subject>{at}")).await;
    let seen = scene.get(&name).await;
    assert!(seen.contains("DTSTART") && !seen.contains("DTEND"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_never_due_before_it_starts() {
    let scene = Scene::of("tasks").await;
    let days = "<t:DueDate>2027-06-10T00:00:00Z</t:DueDate>";
    let name = scene.made_in_outlook(&format!("<t:Subject>x</t:Subject>{days}")).await;
    assert!(scene.get(&name).await.contains("DUE;VALUE=DATE:20270610"));
    // What Exchange itself has the wrong way round.
    let scene = Scene::of("tasks").await;
    let days = format!("{days}<t:StartDate>2027-06-15T00:00:00Z</t:StartDate>");
    let name = scene.made_in_outlook(&format!("<t:Subject>x</t:Subject>{days}")).await;
    let seen = scene.get(&name).await;
    assert!(
        seen.contains("DUE;VALUE=DATE:20270610") && !seen.contains("DTSTART;VALUE=DATE:20270615"),
        "{seen}"
    );
    // A start that Exchange never had, and a day that Outlook moves before it.
    let scene = Scene::of("tasks").await;
    scene
        .put(
            "one.ics",
            object("VTODO", "SUMMARY:x\nDTSTART:20270609T100000Z\nDUE:20270610T201500Z\nRELATED-TO:other"),
        )
        .await;
    scene
        .outlook_sets(&[
            ("task:StartDate", "<t:StartDate>2027-06-05T00:00:00Z</t:StartDate>"),
            ("task:DueDate", "<t:DueDate>2027-06-05T00:00:00Z</t:DueDate>"),
        ])
        .await;
    let seen = scene.get("one.ics").await;
    let value = |name: &str| {
        seen.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
    };
    assert!(value("DTSTART:") <= value("DUE:") && seen.contains("RELATED-TO:other"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_a_client_writes_at_or_before_the_start_is_served_as_the_standard_has_it() {
    for (days, is_day) in [
        ("DTSTART:20270610T100000Z\nDTEND:20270610T100000Z", false),
        ("DTSTART;TZID=Europe/Berlin:20270610T100000\nDTEND;TZID=Europe/Berlin:20270610T100000", false),
        ("DTSTART;VALUE=DATE:20270610\nDTEND;VALUE=DATE:20270610", true),
    ] {
        let scene = Scene::events().await;
        let sent = object("VEVENT", &format!("{days}\nSUMMARY:x\nX-OWN:stays"));
        let written = scene.put("one.ics", sent.clone()).await;
        let seen = scene.get("one.ics").await;
        assert!(
            !seen.contains("DTEND") && seen.contains("DTSTART") && seen.contains("X-OWN:stays"),
            "{seen}"
        );
        assert!(written.etag.is_none(), "what is served is not what was sent");
        assert_eq!(scene.exchange().await.contains("<t:IsAllDayEvent>true<"), is_day);
        // What was served comes back as it is, and what was sent is nothing new.
        let again = scene.put("one.ics", seen.clone()).await;
        assert!(again.etag.is_some() && scene.get("one.ics").await == seen);
        scene.put("one.ics", sent).await;
        assert_eq!(scene.get("one.ics").await, seen);
    }
    for (lines, due) in [
        ("DTSTART;VALUE=DATE:20270612\nDUE;VALUE=DATE:20270610", "DUE;VALUE=DATE:20270610"),
        ("DTSTART:20270610T100000Z\nDUE:20270610T090000Z", "DUE:20270610T100000Z"),
    ] {
        let scene = Scene::of("tasks").await;
        scene.put("one.ics", object("VTODO", &format!("{lines}\nSUMMARY:x\nRELATED-TO:other"))).await;
        let seen = scene.get("one.ics").await;
        assert!(seen.contains(due) && seen.contains("RELATED-TO:other"), "{seen}");
        assert!(!seen.contains("20270612"), "{seen}");
        let again = scene.put("one.ics", seen.clone()).await;
        assert!(again.etag.is_some() && scene.get("one.ics").await == seen);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_changes_the_html_of_one_occurrence_alone_does_not_leave_its_old_words() {
    let scene = Scene::events().await;
    let own = |word: &str| {
        format!(
            "BEGIN:VEVENT\nUID:one\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID:20270611T100000Z\n\
             DTSTART:20270611T100000Z\nDTEND:20270611T110000Z\nSUMMARY:x\nDESCRIPTION:old words\n\
             X-ALT-DESC;FMTTYPE=text/html:<p>{word} <b>words</b></p>\nEND:VEVENT\nEND:VCALENDAR\n"
        )
        .replace('\n', "\r\n")
    };
    let series = event("RRULE:FREQ=DAILY;COUNT=5\nSUMMARY:x\nDESCRIPTION:all days");
    let text = |word: &str| series.replace("END:VCALENDAR\r\n", &own(word));
    scene.put("one.ics", text("old")).await;
    scene.put("one.ics", text("new")).await;
    let seen = scene.get("one.ics").await;
    assert!(seen.contains("<p>new <b>words</b></p>") && seen.contains("DESCRIPTION:new words"), "{seen}");
    assert!(!seen.contains("old") && seen.contains("DESCRIPTION:all days"), "{seen}");
    // In a mirror of its own: what Exchange holds.
    let store = tempfile::tempdir().unwrap();
    let other = scene.stage.gateway_with(Duration::ZERO, store.path(), Settings::default());
    let other = other.sign_in(USER, PASSWORD).await.unwrap();
    let object = other.get(&scene.collection(), &"one.ics".parse().unwrap()).await.unwrap().unwrap();
    let text = String::from_utf8(object.body.to_vec()).unwrap().replace("\r\n ", "");
    assert!(text.contains("DESCRIPTION:new words") && !text.contains("old"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_birthday_that_another_program_changed_is_seen() {
    let scene = Scene::of("contacts").await;
    let card = |bday: &str| {
        format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:bd\r\nFN:B T\r\nN:T;B;;;\r\n{bday}\r\nEND:VCARD\r\n")
    };
    scene.put("bd.vcf", card("BDAY:1980-01-02\r\nX-ANNIVERSARY:2001-05-06")).await;
    let days = [
        ("contacts:Birthday", "<t:Birthday>1990-03-04T11:59:00Z</t:Birthday>"),
        ("contacts:WeddingAnniversary", "<t:WeddingAnniversary>2002-07-08T00:00:00Z</t:WeddingAnniversary>"),
    ];
    scene.outlook_sets(&days).await;
    let seen = scene.get("bd.vcf").await;
    assert!(seen.contains("BDAY:1990-03-04") && seen.contains("ANNIVERSARY:2002-07-08"), "{seen}");
    // Days before Exchange's calendar are the client's alone.
    for bday in ["BDAY:1500-01-01", "BDAY:0000-06-20", "BDAY:9999-12-31"] {
        scene.put("bd.vcf", card(bday)).await;
        let exchange = scene.exchange().await;
        assert!(!exchange.contains("<t:Birthday>"), "{bday}: {exchange}");
        assert!(scene.get("bd.vcf").await.contains(bday));
    }
    assert_eq!(contacts(), scene.collection());
    assert!(!PASSWORD.is_empty());
}

async fn refusal(scene: &Scene, name: &str, text: String) -> Option<exdav::model::refusal::Refusal> {
    match scene
        .mailbox
        .put(&scene.collection(), &name.parse().unwrap(), &Conditions::default(), text.into())
        .await
    {
        Err(exdav::gateway::Error::Refused(refusal)) => Some(refusal),
        Ok(_) => None,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_short_months_lack_is_refused_where_exchange_would_take_their_last_day() {
    let scene = Scene::events().await;
    let series = |start: &str, rule: &str| {
        object("VEVENT", &format!("DTSTART:{start}T090000Z\nDURATION:PT30M\nRRULE:{rule}\nSUMMARY:u"))
    };
    let bent = [
        ("20270130", "FREQ=MONTHLY;BYMONTHDAY=30"),
        ("20270129", "FREQ=MONTHLY"),
        ("20270131", "FREQ=MONTHLY;INTERVAL=2"),
        ("20270131", "FREQ=MONTHLY;BYMONTHDAY=31"),
        ("20280229", "FREQ=YEARLY;INTERVAL=2"),
    ];
    for (start, rule) in bent {
        let refused = refusal(&scene, "one.ics", series(start, rule)).await;
        let reason = refused.map(|refused| refused.reason);
        assert_eq!(reason, Some(exdav::model::refusal::Reason::UnsupportedRecurrence), "{rule}");
    }
    let kept = [
        ("20270131", "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ("20270130", "FREQ=MONTHLY;INTERVAL=2"),
        ("20270131", "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=5"),
        ("20270131", "FREQ=YEARLY"),
        ("20280229", "FREQ=YEARLY"),
    ];
    for (start, rule) in kept {
        assert_eq!(refusal(&scene, "one.ics", series(start, rule)).await, None, "{rule}");
    }
    let scene = Scene::of("tasks").await;
    let task = object(
        "VTODO",
        "DTSTART;VALUE=DATE:20270131\nDUE;VALUE=DATE:20270131\nRRULE:FREQ=MONTHLY\nSUMMARY:u",
    );
    assert!(refusal(&scene, "one.ics", task).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_of_outlook_on_the_thirtieth_can_be_renamed() {
    let scene = Scene::events().await;
    let fields = "<t:Subject>x</t:Subject><t:Start>2027-01-30T09:00:00Z</t:Start><t:End>2027-01-30T10:00:00Z</t:End>\
                  <t:Recurrence><t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval><t:DayOfMonth>30</t:DayOfMonth>\
                  </t:AbsoluteMonthlyRecurrence><t:NoEndRecurrence><t:StartDate>2027-01-30</t:StartDate>\
                  </t:NoEndRecurrence></t:Recurrence>";
    let name = scene.made_in_outlook(fields).await;
    let text = scene.get(&name).await;
    scene.put(&name, text.replace("SUMMARY:x", "SUMMARY:y")).await;
    assert!(scene.exchange().await.contains("<t:DayOfMonth>30<"));
    assert_eq!(scene.get(&name).await.matches("BYMONTHDAY=28").count(), 1);
}

fn zoned(start: &str, daylight: &str, standard: &str, rule: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nBEGIN:VTIMEZONE\nTZID:Own\nBEGIN:DAYLIGHT\n\
         DTSTART:20070325T020000\nRRULE:FREQ=YEARLY;{daylight}\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:DAYLIGHT\n\
         BEGIN:STANDARD\nDTSTART:20071028T030000\nRRULE:FREQ=YEARLY;{standard}\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n\
         END:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:one\nDTSTAMP:20260101T000000Z\nDTSTART;TZID=Own:{start}\n\
         DURATION:PT1H\nRRULE:{rule}\nSUMMARY:x\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    .replace('\n', "\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_change_like_no_windows_zone_are_told_by_their_rules_and_others_by_a_name() {
    // One week after all others: no zone of Windows does so.
    let scene = Scene::events().await;
    let text =
        zoned("20270610T090000", "BYMONTH=3;BYDAY=3SU", "BYMONTH=10;BYDAY=-1SU", "FREQ=WEEKLY;COUNT=50");
    scene.put("one.ics", text).await;
    let exchange = scene.exchange().await;
    assert!(exchange.contains("tzone://Microsoft/Custom"), "{exchange}");
    // As in most of Europe: the zone that is known best, not the first of the alphabet.
    let scene = Scene::events().await;
    let text =
        zoned("20270610T090000", "BYMONTH=3;BYDAY=-1SU", "BYMONTH=10;BYDAY=-1SU", "FREQ=WEEKLY;COUNT=50");
    scene.put("one.ics", text).await;
    let exchange = scene.exchange().await;
    assert!(exchange.contains("Id=\"W. Europe Standard Time\""), "{exchange}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_exchange_tells_by_rules_has_the_name_of_the_place_that_they_are_of() {
    let scene = Scene::events().await;
    let group = |month: u8, to: &str, time: &str| {
        format!(
            "<t:RecurringDayTransition><t:To Kind='Period'>{to}</t:To><t:TimeOffset>{time}</t:TimeOffset>\
             <t:Month>{month}</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek><t:Occurrence>-1</t:Occurrence>\
             </t:RecurringDayTransition>"
        )
    };
    let zone = format!(
        "<t:Periods><t:Period Bias='-PT60M' Name='Standard' Id='S'/><t:Period Bias='-PT120M' Name='Daylight' Id='D'/>\
         </t:Periods><t:TransitionsGroups><t:TransitionsGroup Id='0'>{}{}</t:TransitionsGroup></t:TransitionsGroups>\
         <t:Transitions><t:Transition><t:To Kind='Group'>0</t:To></t:Transition></t:Transitions>",
        group(3, "D", "PT2H"),
        group(10, "S", "PT3H")
    );
    let fields = format!(
        "<t:Subject>x</t:Subject>{AT_TEN}<t:StartTimeZone Id='tzone://Microsoft/Custom' Name='Own'>{zone}</t:StartTimeZone>\
         <t:EndTimeZone Id='tzone://Microsoft/Custom' Name='Own'>{zone}</t:EndTimeZone>"
    );
    let name = scene.made_in_outlook(&fields).await;
    let text = scene.get(&name).await;
    assert!(text.contains("DTSTART;TZID=Europe/Berlin:20270610T120000"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_exchange_says_that_an_attachment_is_the_photo_after_it_was_set() {
    for value in ["true", "1", " true "] {
        let scene = Scene::of("contacts").await;
        let photo = |name: &str| {
            format!(
                "<t:FileAttachment><t:Name>{name}</t:Name><t:IsContactPhoto>{value}</t:IsContactPhoto>\
             <t:Content>/9j/4AAQ</t:Content></t:FileAttachment>"
            )
        };
        scene.made_in_outlook("<t:DisplayName>x</t:DisplayName>").await;
        let id = scene.found().await;
        let request = format!(
            "<m:CreateAttachment><m:ParentItemId {id}/><m:Attachments>{}</m:Attachments></m:CreateAttachment>",
            photo("me.jpg")
        );
        let made = scene.stage.colleague(USER, &request).await;
        assert!(made.contains("NoError"), "{made}");
        let exchange = scene.exchange().await;
        assert!(
            exchange.contains("<t:IsContactPhoto>true<") && exchange.contains("<t:HasPicture>true<"),
            "{value}: {exchange}"
        );
        let id =
            exchange.split("<t:AttachmentId Id=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let get = format!(
            "<m:GetAttachment><m:AttachmentIds><t:AttachmentId Id='{id}'/></m:AttachmentIds></m:GetAttachment>"
        );
        let got = scene.stage.colleague(USER, &get).await;
        assert!(got.contains("<t:IsContactPhoto>true<"), "{value}: {got}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_drops_x_lines_of_a_card_takes_nothing_from_outlook() {
    let scene = Scene::of("contacts").await;
    let fields = "<t:DisplayName>Ann</t:DisplayName><t:GivenName>Ann</t:GivenName><t:PhoneNumbers>\
                  <t:Entry Key='AssistantPhone'>111</t:Entry><t:Entry Key='MobilePhone'>222</t:Entry></t:PhoneNumbers>\
                  <t:AssistantName>Bo</t:AssistantName><t:Children><t:String>Cy</t:String></t:Children>\
                  <t:Manager>Di</t:Manager><t:SpouseName>Ed</t:SpouseName>\
                  <t:WeddingAnniversary>2001-05-06T11:59:00Z</t:WeddingAnniversary>";
    let name = scene.made_in_outlook(fields).await;
    let text = scene.get(&name).await;
    let less: String = text
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("X-") && !line.contains(".X-"))
        .collect();
    assert!(less.len() < text.len(), "{text}");
    for more in ["TEL;TYPE=HOME:333", "NOTE:new"] {
        scene.put(&name, with_line(&less, "VCARD", more)).await;
        let exchange = scene.exchange().await;
        let held = [
            "Key=\"AssistantPhone\">111<",
            "<t:AssistantName>Bo<",
            "<t:String>Cy<",
            "<t:Manager>Di<",
            "<t:SpouseName>Ed<",
            "<t:WeddingAnniversary>2001-05-06",
        ];
        for value in held {
            assert!(exchange.contains(value), "{more}: {value} in {exchange}");
        }
        let seen = scene.get(&name).await;
        assert!(seen.contains("Di") && seen.contains("Assistant") && seen.contains(more), "{seen}");
    }
    // Who knows some of these lines means what it leaves out.
    let fewer: String = text.split_inclusive("\r\n").filter(|line| !line.contains("Di\r\n")).collect();
    scene.put(&name, fewer).await;
    assert!(!scene.exchange().await.contains("<t:Manager>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anniversary_changed_in_one_dialect_is_changed_in_all() {
    let scene = Scene::of("contacts").await;
    let card = |one: &str, other: &str| {
        format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:bd\r\nFN:B T\r\nN:T;B;;;\r\nANNIVERSARY:{one}\r\n\
             X-ANNIVERSARY:{other}\r\nEND:VCARD\r\n"
        )
    };
    scene.put("bd.vcf", card("2001-05-06", "2001-05-06")).await;
    scene.put("bd.vcf", card("2001-05-06", "2002-07-08")).await;
    assert!(scene.exchange().await.contains("<t:WeddingAnniversary>2002-07-08"));
    assert!(!scene.get("bd.vcf").await.contains("2001-05-06"));
    scene.put("bd.vcf", card("2001-05-06", "2001-05-06")).await;
    let day = "<t:WeddingAnniversary>2003-09-10T11:59:00Z</t:WeddingAnniversary>";
    scene.outlook_sets(&[("contacts:WeddingAnniversary", day)]).await;
    let seen = scene.get("bd.vcf").await;
    assert!(seen.contains("2003-09-10") && !seen.contains("2001-05-06"), "{seen}");
}
