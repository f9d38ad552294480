//! The stage of integration tests: a simulated Exchange and the product before it, on free ports.

pub mod domain;
pub mod http;
pub mod memory;

use exdav::gateway::write::{Conditions, Tags};
use exdav::gateway::{Gateway, Mailbox, Settings};
use exdav::model::id::CollectionId;
use exdav::upstream::ews;
use exdav::{convert, mirror, simulator, sync};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A simulated Exchange.
pub struct Stage {
    pub exchange: simulator::Running,
    pub store: tempfile::TempDir,
    /// Where every message lies, where that was asked for.
    pub record: Option<std::path::PathBuf>,
    /// Who impersonates the mailboxes of accounts; nobody, unless a test says so.
    pub service: ews::ServiceAccount,
}

pub const USER: &str = "demo@example.com";
pub const PASSWORD: &str = "demo";

impl Stage {
    /// Mailboxes in which nothing is.
    pub async fn empty(mailboxes: usize) -> Self {
        let nothing = Some(0);
        let settings = simulator::Settings {
            events: nothing,
            contacts: nothing,
            tasks: nothing,
            mailboxes,
            ..simulator::Settings::default()
        };
        Self::of(settings).await
    }

    /// With EXDAV_RECORD every message is kept there, to be validated against Exchange's schema.
    pub async fn of(mut settings: simulator::Settings) -> Self {
        static STAGES: AtomicU64 = AtomicU64::new(0);
        if let Some(folder) = std::env::var_os("EXDAV_RECORD") {
            let stage = format!("{}-{}", std::process::id(), STAGES.fetch_add(1, Ordering::Relaxed));
            settings.record = Some(Path::new(&folder).join(stage));
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let record = settings.record.clone();
        let exchange = simulator::start(settings).await.unwrap();
        Self {
            exchange,
            store: tempfile::tempdir().unwrap(),
            record,
            service: ews::ServiceAccount::default(),
        }
    }

    pub async fn lively() -> Self {
        Self::of(simulator::Settings::default()).await
    }

    /// One mailbox with so many events.
    pub async fn with_events(events: usize) -> Self {
        let settings =
            simulator::Settings { events: Some(events), mailboxes: 1, ..simulator::Settings::default() };
        Self::of(settings).await
    }

    /// A gateway with the stage's store; another one each time, as after a restart.
    pub fn gateway(&self, freshness: Duration) -> Gateway {
        self.gateway_with(freshness, self.store.path(), Settings::default())
    }

    pub fn gateway_with(&self, freshness: Duration, store: &Path, settings: Settings) -> Gateway {
        self.gateway_rendering(freshness, store, settings, convert::Settings::default())
    }

    pub fn gateway_rendering(
        &self,
        freshness: Duration,
        store: &Path,
        settings: Settings,
        convert: convert::Settings,
    ) -> Gateway {
        // What asking costs is counted where nobody listens.
        let live = sync::live::Settings { enabled: false, ..sync::live::Settings::default() };
        self.gateway_following(
            sync::Settings { freshness, live, ..sync::Settings::default() },
            store,
            settings,
            convert,
        )
    }

    pub fn gateway_following(
        &self,
        sync: sync::Settings,
        store: &Path,
        settings: Settings,
        convert: convert::Settings,
    ) -> Gateway {
        let mirror = mirror::Settings { path: store.to_owned(), ..mirror::Settings::default() };
        self.gateway_keeping(sync, mirror, settings, convert)
    }

    pub fn gateway_keeping(
        &self,
        sync: sync::Settings,
        mirror: mirror::Settings,
        settings: Settings,
        convert: convert::Settings,
    ) -> Gateway {
        let ews = ews::Settings {
            url: format!("http://{}/EWS/Exchange.asmx", self.exchange.exchange),
            patience: Duration::from_secs(2),
            service: self.service.clone(),
            ..ews::Settings::default()
        };
        let upstream = std::sync::Arc::new(ews::Exchange::new(ews).unwrap());
        Gateway::new(settings, upstream, mirror, sync, convert, exdav::dav::path::attachment).unwrap()
    }

    pub async fn mailbox(&self, freshness: Duration) -> Mailbox {
        self.gateway(freshness).sign_in(USER, PASSWORD).await.unwrap()
    }

    async fn control(&self, method: reqwest::Method, path: &str, body: &str) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}{path}", self.exchange.control);
        let request =
            client.request(method, url).header("content-type", "application/json").body(body.to_owned());
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// EWS requests since the last reset.
    pub async fn calls(&self) -> BTreeMap<String, u64> {
        let stats = self.control(reqwest::Method::GET, "/stats", "").await;
        serde_json::from_value(stats["operations"].clone()).unwrap()
    }

    pub async fn total(&self) -> u64 {
        self.calls().await.values().sum()
    }

    pub async fn reset(&self) {
        self.control(reqwest::Method::POST, "/stats/reset", "").await;
    }

    pub async fn faults(&self, faults: &str) {
        self.control(reqwest::Method::POST, "/faults", faults).await;
    }

    pub async fn latency(&self, ms: u64) {
        self.control(reqwest::Method::POST, "/latency", &format!("{{\"ms\":{ms}}}")).await;
    }

    /// Other limits for callers; see `exdav simulate --help`.
    pub async fn throttle(&self, limits: &str) {
        self.control(reqwest::Method::POST, "/throttling", limits).await;
    }

    /// What the limits did since they were set.
    pub async fn throttled(&self) -> Value {
        self.control(reqwest::Method::GET, "/throttling", "").await
    }

    /// What happened at the door of the simulated Exchange.
    pub async fn door(&self) -> Value {
        self.control(reqwest::Method::GET, "/sign-in", "").await
    }

    pub async fn plan_autodiscover(&self, plan: &str) {
        self.control(reqwest::Method::POST, "/autodiscover", plan).await;
    }

    pub async fn change_door(&self, change: &str) {
        self.control(reqwest::Method::POST, "/sign-in", change).await;
    }

    pub async fn change_streaming(&self, change: &str) {
        self.control(reqwest::Method::POST, "/streaming", change).await;
    }

    /// What the simulated Exchange says of streams.
    pub async fn streaming(&self, what: &str) -> u64 {
        self.control(reqwest::Method::GET, "/streaming", "").await[what].as_u64().unwrap()
    }

    pub async fn dump(&self, mailbox: &str) -> Value {
        self.control(reqwest::Method::GET, &format!("/dump/{mailbox}"), "").await
    }

    /// One EWS request of a colleague, as the given user; the whole answer.
    pub async fn colleague(&self, user: &str, body: &str) -> String {
        let envelope = format!(
            "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' \
             xmlns:t='http://schemas.microsoft.com/exchange/services/2006/types' \
             xmlns:m='http://schemas.microsoft.com/exchange/services/2006/messages'>\
             <s:Header><t:RequestServerVersion Version='Exchange2013_SP1'/></s:Header><s:Body>{body}</s:Body></s:Envelope>"
        );
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}/EWS/Exchange.asmx", self.exchange.exchange);
        let answer = client
            .post(url)
            .basic_auth(user, Some(PASSWORD))
            .header("content-type", "text/xml; charset=utf-8");
        let answer = answer.body(envelope).send().await.unwrap();
        String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap()
    }

    /// The owner gives somebody a permission level in a distinguished folder, and nobody else any.
    pub async fn share(&self, owner: &str, folder: &str, with: &str, level: &str) {
        let (element, list, one, name) = match folder {
            "calendar" => {
                ("CalendarFolder", "CalendarPermissions", "CalendarPermission", "CalendarPermissionLevel")
            }
            "contacts" => ("ContactsFolder", "Permissions", "Permission", "PermissionLevel"),
            _ => ("TasksFolder", "Permissions", "Permission", "PermissionLevel"),
        };
        let answer = self
            .colleague(
                owner,
                &format!(
                    "<m:UpdateFolder><m:FolderChanges><t:FolderChange><t:DistinguishedFolderId Id='{folder}'/>\
                     <t:Updates><t:SetFolderField><t:FieldURI FieldURI='folder:PermissionSet'/><t:{element}>\
                     <t:PermissionSet><t:{list}><t:{one}><t:UserId><t:PrimarySmtpAddress>{with}\
                     </t:PrimarySmtpAddress></t:UserId><t:{name}>{level}</t:{name}></t:{one}><t:{one}><t:UserId>\
                     <t:DistinguishedUser>Default</t:DistinguishedUser></t:UserId><t:{name}>None</t:{name}></t:{one}></t:{list}>\
                     </t:PermissionSet></t:{element}></t:SetFolderField></t:Updates></t:FolderChange>\
                     </m:FolderChanges></m:UpdateFolder>"
                ),
            )
            .await;
        assert!(answer.contains("NoError"), "{answer}");
    }

    /// Whether a delegate sees the owner's private items.
    pub async fn show_private(&self, owner: &str, delegate: &str, shown: bool) {
        let change = serde_json::json!({"mailbox": owner, "delegate": delegate, "shown": shown}).to_string();
        self.control(reqwest::Method::POST, "/private", &change).await;
    }

    /// A colleague makes an event in the user's calendar.
    pub async fn make_event(&self, user: &str, subject: &str) -> String {
        let answer = self
            .colleague(
                user,
                &format!(
                    "<m:CreateItem SendMeetingInvitations='SendToNone'><m:Items><t:CalendarItem>\
                     <t:Subject>{subject}</t:Subject><t:Start>2026-12-01T09:00:00Z</t:Start>\
                     <t:End>2026-12-01T10:00:00Z</t:End></t:CalendarItem></m:Items></m:CreateItem>"
                ),
            )
            .await;
        assert!(answer.contains("NoError"), "{answer}");
        answer.split("ItemId Id=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    pub async fn delete_event(&self, user: &str, id: &str) {
        let answer = self
            .colleague(
                user,
                &format!(
                    "<m:DeleteItem DeleteType='HardDelete' SendMeetingCancellations='SendToNone'><m:ItemIds>\
                     <t:ItemId Id='{id}'/></m:ItemIds></m:DeleteItem>"
                ),
            )
            .await;
        assert!(answer.contains("NoError"), "{answer}");
    }
}

pub fn calendar() -> CollectionId {
    "calendar".parse().unwrap()
}

pub fn contacts() -> CollectionId {
    "contacts".parse().unwrap()
}

/// Waits for what happens on its own.
pub async fn until(is_so: impl Fn() -> bool) {
    let waited = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited).await.expect("it does not happen");
}

/// An event with this number.
pub fn numbered(number: usize) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:put-{number}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\n\
         SUMMARY:Number {number}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// Creates the event `put-NUMBER.ics`, which is not there yet.
pub async fn put_number(mailbox: &Mailbox, number: usize) {
    let conditions = Conditions { if_none_match: Some(Tags::Any), ..Conditions::default() };
    let name = format!("put-{number}.ics").parse().unwrap();
    let written = mailbox.put(&calendar(), &name, &conditions, numbered(number).into()).await.unwrap();
    assert!(written.created, "{number}");
}
