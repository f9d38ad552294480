//! From a mail domain to its Exchange: the documented steps, and secrets that go nowhere else.

use crate::support::domain::{Names, Stranger, certificate, name_server};
use crate::support::{self, PASSWORD, Stage, USER};
use exdav::simulator::{self, Scheme};
use exdav::upstream::ews::autodiscover::Settings;
use exdav::upstream::ews::{self, Credentials, Error, Exchange, network};
use exdav::upstream::{FolderSelector, WellKnownFolder};
use std::time::Duration;

const WEB_SITE: &str = "404 Not Found";
const LURE: &str = "401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nWWW-Authenticate: Basic realm=\"x\"";

async fn stage(scheme: Scheme) -> Stage {
    let tls = simulator::Tls { certificate: certificate("domain.crt"), key: certificate("domain.key") };
    let settings = simulator::Settings {
        sign_in: vec![scheme],
        tls: Some(tls),
        events: Some(1),
        ..simulator::Settings::default()
    };
    Stage::of(settings).await
}

/// An Exchange at `autodiscover` and `mail` of the domain, whose own host is a web site.
async fn company(scheme: Scheme) -> (Stage, Names, Stranger) {
    let (stage, names, site) =
        (stage(scheme).await, Names::new().await, Stranger::new("domain", WEB_SITE).await);
    names.host("example.com", site.address);
    names.host("autodiscover.example.com", stage.exchange.exchange);
    names.host("mail.example.com", stage.exchange.exchange);
    stage.plan_autodiscover(r#"{"ews_url": "https://mail.example.com/EWS/Exchange.asmx"}"#).await;
    (stage, names, site)
}

fn settings(names: &Names) -> ews::Settings {
    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    ews::Settings {
        autodiscover: Settings {
            domains: vec!["example.com".to_owned()],
            nameserver: Some(nobody),
            ..Settings::default()
        },
        network: network::Settings {
            authorities: vec![certificate("domains-ca.crt")],
            proxy: format!("http://{}", names.proxy),
            ..network::Settings::default()
        },
        patience: Duration::ZERO,
        ..ews::Settings::default()
    }
}

fn demo() -> Credentials {
    Credentials::password(USER, PASSWORD)
}

async fn ask(exchange: &Exchange, credentials: Credentials) -> Result<(), Error> {
    let session = exchange.session(credentials);
    session.get_folders(&[FolderSelector::WellKnown(WellKnownFolder::Calendar)]).await?.remove(0).map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_domain_alone_leads_to_the_mailbox_and_is_asked_once() {
    for scheme in [Scheme::Basic, Scheme::Ntlm] {
        let (stage, names, site) = company(scheme).await;
        let mut settings = settings(&names);
        settings.autodiscover.book = Some(stage.store.path().join("book.json"));
        let exchange = Exchange::new(settings.clone()).unwrap();
        ask(&exchange, demo()).await.unwrap();
        assert!(!site.has_secret(), "{:?}", site.heads());
        let mut asked = names.asked();
        asked.dedup();
        assert_eq!(asked[..2], ["https://example.com", "https://autodiscover.example.com"], "{asked:?}");
        assert!(asked.iter().all(|place| place.starts_with("https://")), "{asked:?}");
        ask(&exchange, demo()).await.unwrap();
        let calls = stage.calls().await;
        assert_eq!((calls["Autodiscover"], calls["GetFolder"]), (1, 2), "{calls:?}");
        // After a restart what was found is still known.
        let book = settings.autodiscover.book.clone().unwrap();
        support::until(|| book.exists()).await;
        ask(&Exchange::new(settings).unwrap(), demo()).await.unwrap();
        assert_eq!(stage.calls().await["Autodiscover"], 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_walk_once() {
    let (stage, names, _) = company(Scheme::Basic).await;
    let exchange = Exchange::new(settings(&names)).unwrap();
    let asked = (0..8).map(|_| ask(&exchange, demo()));
    for outcome in futures_util::future::join_all(asked).await {
        outcome.unwrap();
    }
    assert_eq!(stage.calls().await["Autodiscover"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_the_newer_service_is_asked_by_the_older() {
    let (stage, names, _) = company(Scheme::Ntlm).await;
    stage
        .plan_autodiscover(
            r#"{"ews_url": "https://mail.example.com/EWS/Exchange.asmx", "without_soap": true}"#,
        )
        .await;
    let (steps, found) = Exchange::new(settings(&names)).unwrap().discover(&demo()).await;
    assert!(found.is_ok(), "{steps:?}");
    assert_eq!(found.unwrap().as_str(), "https://mail.example.com/EWS/Exchange.asmx");
    let places: Vec<_> = steps.iter().map(|step| (step.place.as_str(), step.has_led_on)).collect();
    assert_eq!(
        places,
        [
            ("https://example.com/autodiscover/autodiscover.svc", false),
            ("https://example.com/autodiscover/autodiscover.xml", false),
            ("https://autodiscover.example.com/autodiscover/autodiscover.svc", false),
            ("https://autodiscover.example.com/autodiscover/autodiscover.xml", true),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_without_tls_leads_into_the_domain() {
    let (_stage, names, _) = company(Scheme::Basic).await;
    names.remove("autodiscover.example.com");
    names.redirect("autodiscover.example.com", "https://mail.example.com/autodiscover/autodiscover.xml");
    let (steps, found) = Exchange::new(settings(&names)).unwrap().discover(&demo()).await;
    assert!(found.is_ok(), "{steps:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_without_tls_leads_a_secret_nowhere_else_unless_the_administrator_says_so() {
    let (stage, names, _) = company(Scheme::Basic).await;
    let thief = Stranger::new("stranger", LURE).await;
    names.remove("autodiscover.example.com");
    names.host("evil.test", thief.address);
    names.redirect("autodiscover.example.com", "https://evil.test/autodiscover/autodiscover.xml");
    let (steps, found) = Exchange::new(settings(&names)).unwrap().discover(&demo()).await;
    assert!(matches!(found, Err(Error::Undiscovered(_))), "{found:?}");
    let refused = steps.iter().find(|step| step.place.starts_with("http:")).unwrap();
    assert!(refused.outcome.contains("exchange.trusted_hosts"), "{refused:?}");
    assert!(thief.heads().is_empty(), "{:?}", thief.heads());
    // A hoster that the administrator named is asked.
    let hoster = Stranger::new("stranger", LURE).await;
    names.host("autodiscover.hoster.test", hoster.address);
    names.redirect(
        "autodiscover.example.com",
        "https://autodiscover.hoster.test/autodiscover/autodiscover.xml",
    );
    let mut trusting = settings(&names);
    trusting.autodiscover.trusted = vec!["hoster.test".to_owned()];
    let _ = Exchange::new(trusting).unwrap().discover(&demo()).await;
    assert!(hoster.has_secret());
    drop(stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_in_dns_leads_into_the_domain_and_a_secret_nowhere_else() {
    let (_stage, names, _) = company(Scheme::Ntlm).await;
    names.remove("autodiscover.example.com");
    let mut settings = settings(&names);
    settings.autodiscover.nameserver = Some(name_server(Some("mail.example.com")).await);
    let (steps, found) = Exchange::new(settings.clone()).unwrap().discover(&demo()).await;
    assert!(found.is_ok(), "{steps:?}");
    let thief = Stranger::new("stranger", LURE).await;
    names.host("evil.test", thief.address);
    settings.autodiscover.nameserver = Some(name_server(Some("evil.test")).await);
    let (steps, found) = Exchange::new(settings).unwrap().discover(&demo()).await;
    assert!(matches!(found, Err(Error::Undiscovered(_))), "{found:?}");
    assert!(steps.last().unwrap().outcome.ends_with("; refused"), "{steps:?}");
    assert!(thief.heads().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leads_a_secret_out_of_tls() {
    let (stage, names, _) = company(Scheme::Basic).await;
    for plan in [
        r#"{"http_redirect": "http://evil.test/autodiscover/autodiscover.xml"}"#,
        r#"{"redirect_url": "http://evil.test/autodiscover/autodiscover.xml"}"#,
        r#"{"ews_url": "http://evil.test/EWS/Exchange.asmx"}"#,
        r#"{"redirect_url": "https://a:b@evil.test/"}"#,
    ] {
        stage.plan_autodiscover(plan).await;
        let (steps, found) = Exchange::new(settings(&names)).unwrap().discover(&demo()).await;
        assert!(found.is_err(), "{plan}: {found:?}");
        assert!(steps.iter().any(|step| step.outcome.ends_with("; refused")), "{plan}: {steps:?}");
        let asked = names.asked();
        assert!(!asked.iter().any(|place| place.contains("evil")), "{plan}: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_another_names_certificate_learns_nothing() {
    let (_stage, names, _) = company(Scheme::Basic).await;
    let thief = Stranger::new("stranger", LURE).await;
    for host in ["example.com", "autodiscover.example.com"] {
        names.host(host, thief.address);
    }
    let (steps, found) = Exchange::new(settings(&names)).unwrap().discover(&demo()).await;
    assert!(found.is_err());
    assert!(steps[0].outcome.contains("certificate is not trusted"), "{steps:?}");
    assert!(thief.heads().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_in_a_circle_and_without_an_end_are_ended() {
    let (stage, names, _) = company(Scheme::Basic).await;
    let circle = "https://autodiscover.example.com/autodiscover/autodiscover.xml";
    stage.plan_autodiscover(&format!("{{\"redirect_url\": \"{circle}\"}}")).await;
    let (steps, found) = Exchange::new(settings(&names)).unwrap().discover(&demo()).await;
    assert!(matches!(found, Err(Error::Undiscovered(_))), "{found:?}");
    assert!(steps.iter().any(|step| step.outcome.contains("loop")), "{steps:?}");
    assert!(stage.calls().await["Autodiscover"] < 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_with_another_address_is_found_under_that() {
    let (stage, names, _) = company(Scheme::Basic).await;
    let plan = r#"{"ews_url": "https://mail.example.com/EWS/Exchange.asmx", "redirect_address": "demo2@example.com"}"#;
    stage.plan_autodiscover(plan).await;
    let (steps, found) = Exchange::new(settings(&names)).unwrap().discover(&demo()).await;
    assert!(found.is_ok(), "{steps:?}");
    assert!(steps.iter().any(|step| step.outcome == "the mailbox is demo2@example.com"), "{steps:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_shown_once_at_the_server_and_ends_the_walk() {
    let (stage, names, _) = company(Scheme::Ntlm).await;
    let exchange = Exchange::new(settings(&names)).unwrap();
    let wrong = Credentials::password(USER, "wr0ng");
    for _ in 0..3 {
        let error = ask(&exchange, wrong.clone()).await.unwrap_err();
        assert!(matches!(error, Error::SignIn), "{error:?}");
    }
    assert_eq!(stage.door().await["refused"], serde_json::json!({USER: 1}));
    // Somebody else's wrong password holds up nobody.
    ask(&exchange, demo()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_to_the_server_and_a_strangers_domain_are_refused() {
    let (_stage, names, _) = company(Scheme::Basic).await;
    let exchange = Exchange::new(settings(&names)).unwrap();
    let thief = Stranger::new("stranger", LURE).await;
    names.host("evil.test", thief.address);
    let error = ask(&exchange, Credentials::password("a@evil.test", PASSWORD)).await.unwrap_err();
    assert!(matches!(error, Error::SignIn), "{error:?}");
    assert_eq!(names.asked(), Vec::<String>::new());
    // The service account asks about a mailbox that is not there.
    let service = Credentials::kept_password(simulator::SERVICE, PASSWORD);
    let error = ask(&exchange, service.for_mailbox("nobody@example.com")).await.unwrap_err();
    assert!(matches!(error, Error::Undiscovered(_)), "{error:?}");
    ask(&exchange, service.for_mailbox(USER)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_the_old_domain_is_looked_for_in_the_first_mail_domain() {
    let (_stage, names, _) = company(Scheme::Ntlm).await;
    let exchange = Exchange::new(settings(&names)).unwrap();
    ask(&exchange, Credentials::password("EXAMPLE\\demo", PASSWORD)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_has_moved_is_looked_for_again_and_the_request_repeated() {
    let (stage, names, _) = company(Scheme::Basic).await;
    let exchange = Exchange::new(settings(&names)).unwrap();
    ask(&exchange, demo()).await.unwrap();
    // The old host still stands, but has no EWS any more.
    let new = self::stage(Scheme::Basic).await;
    names.host("new.example.com", new.exchange.exchange);
    let plan = r#"{"ews_url": "https://new.example.com/EWS/Exchange.asmx", "without_ews": true}"#;
    stage.plan_autodiscover(plan).await;
    ask(&exchange, demo()).await.unwrap();
    assert_eq!((stage.calls().await["Autodiscover"], new.calls().await["GetFolder"]), (2, 1));
    // Where Autodiscover still tells what is no longer true, it is not asked with every request.
    new.plan_autodiscover(r#"{"without_ews": true}"#).await;
    for _ in 0..3 {
        let error = ask(&exchange, demo()).await.unwrap_err();
        assert!(matches!(error, Error::Http { status: 404, .. }), "{error:?}");
    }
    // One walk more, which asked both services.
    assert_eq!(stage.calls().await["Autodiscover"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_no_longer_has_the_mailbox_leads_to_another_look() {
    let (stage, names, _) = company(Scheme::Ntlm).await;
    let tls = simulator::Tls { certificate: certificate("domain.crt"), key: certificate("domain.key") };
    let old = Stage::of(simulator::Settings {
        mailboxes: 1,
        events: Some(1),
        sign_in: vec![Scheme::Ntlm],
        tls: Some(tls),
        ..simulator::Settings::default()
    })
    .await;
    names.host("old.example.com", old.exchange.exchange);
    let mut settings = settings(&names);
    let book = stage.store.path().join("book.json");
    let found = jiff::Timestamp::now().as_second() - 3600;
    let url = "https://old.example.com/EWS/Exchange.asmx";
    let line = serde_json::json!({"demo2@example.com": {"url": url, "found": found}});
    std::fs::write(&book, line.to_string()).unwrap();
    settings.autodiscover.book = Some(book);
    let exchange = Exchange::new(settings).unwrap();
    let service = Credentials::kept_password(simulator::SERVICE, PASSWORD);
    ask(&exchange, service.for_mailbox("demo2@example.com")).await.unwrap();
    // ErrorNonExistentMailbox there, and the calendar here.
    assert_eq!((old.calls().await["GetFolder"], stage.calls().await["GetFolder"]), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_are_silent_do_not_hold_up_the_walk() {
    let (_stage, names, _) = company(Scheme::Basic).await;
    let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    names.host("example.com", silent.local_addr().unwrap());
    let settings = ews::Settings { timeout: Duration::from_secs(2), ..settings(&names) };
    let (steps, found) = Exchange::new(settings).unwrap().discover(&demo()).await;
    assert!(found.is_ok(), "{steps:?}");
    assert_eq!(steps[0].outcome, "no answer in time");
    assert!(
        steps[1].place.contains("autodiscover.example.com"),
        "the second service of a silent host: {steps:?}"
    );
}
