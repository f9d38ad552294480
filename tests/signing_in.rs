//! Signing in to Exchange: schemes, connections, wrong passwords, impersonation; what each costs in requests.

use crate::support::{PASSWORD, Stage, USER};
use exdav::accounts::{self, Accounts, Upstream};
use exdav::gateway::Settings;
use exdav::simulator::{self, SERVICE, Scheme};
use exdav::upstream::ews::auth::oauth::Settings as Application;
use exdav::upstream::ews::auth::{Choice, Scheme as Way};
use exdav::upstream::ews::{self, Credentials, Error, Exchange, ServiceAccount};
use exdav::upstream::{FolderSelector, ItemChange, WellKnownFolder};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls").join(name)
}

/// An Exchange that offers these schemes.
async fn stage(schemes: &[Scheme]) -> Stage {
    Stage::of(simulator::Settings {
        sign_in: schemes.to_vec(),
        events: Some(3),
        ..simulator::Settings::default()
    })
    .await
}

async fn tls_stage(schemes: &[Scheme]) -> Stage {
    let tls = simulator::Tls { certificate: fixture("localhost.crt"), key: fixture("localhost.key") };
    let settings = simulator::Settings {
        sign_in: schemes.to_vec(),
        tls: Some(tls),
        events: Some(3),
        ..simulator::Settings::default()
    };
    Stage::of(settings).await
}

fn exchange(stage: &Stage, choice: Choice) -> Exchange {
    let url = format!("http://{}/EWS/Exchange.asmx", stage.exchange.exchange);
    Exchange::new(ews::Settings { url, sign_in: choice, ..ews::Settings::default() }).unwrap()
}

fn secure(stage: &Stage, choice: Choice, authority: Option<&str>) -> Exchange {
    let url = format!("https://localhost:{}/EWS/Exchange.asmx", stage.exchange.exchange.port());
    let authorities = authority.map(fixture).into_iter().collect();
    let network = ews::network::Settings { authorities, ..Default::default() };
    let patience = std::time::Duration::ZERO;
    Exchange::new(ews::Settings { url, sign_in: choice, network, patience, ..ews::Settings::default() })
        .unwrap()
}

async fn ask(session: &ews::Session) -> Result<(), Error> {
    session.get_folders(&[FolderSelector::WellKnown(WellKnownFolder::Calendar)]).await?.remove(0).map(drop)
}

/// Requests, 401s and connections since the last reset.
async fn cost(stage: &Stage) -> [u64; 3] {
    let stats = stage.door().await;
    ["requests", "unauthorized", "connections"].map(|name| stats[name].as_u64().unwrap())
}

async fn refused(stage: &Stage) -> Value {
    stage.door().await["refused"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_safest_offered_scheme_is_taken_and_learned_once() {
    for (offered, learning, first) in [
        // One request to learn, none but the call itself from then on.
        (vec![Scheme::Basic], 1, 0),
        // One to learn, and one challenge for the connection.
        (vec![Scheme::Basic, Scheme::Negotiate, Scheme::Ntlm], 1, 1),
        (vec![Scheme::Negotiate, Scheme::Basic], 1, 1),
    ] {
        let stage = stage(&offered).await;
        let exchange = exchange(&stage, Choice::Auto);
        let session = exchange.session(Credentials::password(USER, PASSWORD));
        ask(&session).await.unwrap();
        assert_eq!(cost(&stage).await[..2], [1 + learning + first, learning + first], "{offered:?}");
        stage.reset().await;
        for _ in 0..20 {
            ask(&session).await.unwrap();
        }
        let [requests, unauthorized, connections] = cost(&stage).await;
        assert_eq!([requests, unauthorized], [20, 0], "one HTTP request a call: {offered:?}");
        // Connections that nobody signed in may be opened as the pool likes.
        assert!(first == 0 || connections == 0, "the connection is kept: {offered:?}");
        stage.reset().await;
        // Another user of the same upstream has nothing to learn, but a connection of its own.
        let other = exchange.session(Credentials::password("EXAMPLE\\demo2", PASSWORD));
        ask(&other).await.unwrap();
        assert_eq!(cost(&stage).await[..2], [1 + first, first], "{offered:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_taken_in_every_spelling() {
    for scheme in [Scheme::Basic, Scheme::Ntlm, Scheme::Negotiate] {
        let stage = stage(&[scheme]).await;
        let exchange = exchange(&stage, Choice::Auto);
        for login in [USER, "demo", "DEMO@EXAMPLE.COM", "EXAMPLE\\demo", "example.com\\Demo"] {
            let session = exchange.session(Credentials::password(login, PASSWORD));
            ask(&session).await.unwrap_or_else(|error| panic!("{login} by {scheme:?}: {error}"));
        }
        let stranger = exchange.session(Credentials::password("OTHER\\demo", PASSWORD));
        assert!(matches!(ask(&stranger).await, Err(Error::SignIn)), "{scheme:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_shown_once_and_by_one_scheme() {
    for offered in
        [vec![Scheme::Basic], vec![Scheme::Ntlm], vec![Scheme::Negotiate, Scheme::Ntlm, Scheme::Basic]]
    {
        let stage = stage(&offered).await;
        let exchange = exchange(&stage, Choice::Auto);
        let session = exchange.session(Credentials::password(USER, "wrong"));
        assert!(matches!(ask(&session).await, Err(Error::SignIn)));
        assert_eq!(refused(&stage).await, serde_json::json!({USER: 1}), "{offered:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_does_not_lock_an_account_by_a_client_that_insists() {
    for scheme in [Scheme::Basic, Scheme::Ntlm, Scheme::Negotiate] {
        let stage = stage(&[scheme]).await;
        let gateway = stage.gateway(std::time::Duration::ZERO);
        gateway.sign_in(USER, PASSWORD).await.unwrap();
        stage.reset().await;
        for _ in 0..50 {
            assert!(gateway.sign_in(USER, "old password").await.is_err());
        }
        assert_eq!(refused(&stage).await, serde_json::json!({USER: 1}), "{scheme:?}");
        gateway.sign_in(USER, PASSWORD).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_connections_of_one_user_sign_in_for_themselves_and_are_kept() {
    let stage = stage(&[Scheme::Ntlm]).await;
    let exchange = exchange(&stage, Choice::Only(Way::Ntlm));
    let session = exchange.session(Credentials::password(USER, PASSWORD));
    stage.latency(20).await;
    for _ in 0..5 {
        let calls = (0..40).map(|_| ask(&session));
        for outcome in futures_util::future::join_all(calls).await {
            outcome.unwrap();
        }
    }
    let [requests, unauthorized, connections] = cost(&stage).await;
    assert_eq!((requests - unauthorized, unauthorized), (200, connections), "one challenge a connection");
    assert!(connections <= 4, "{connections} connections for 4 at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_broke_or_was_forgotten_is_signed_in_again() {
    for scheme in [Scheme::Ntlm, Scheme::Negotiate] {
        let stage = stage(&[scheme]).await;
        let session = exchange(&stage, Choice::Auto).session(Credentials::password(USER, PASSWORD));
        ask(&session).await.unwrap();
        for fault in ["drop-before", "drop-after", "unauthorized"] {
            stage.faults(&format!("[{{\"kind\":\"{fault}\"}}]")).await;
            ask(&session).await.unwrap_or_else(|error| panic!("{fault}: {error}"));
            ask(&session).await.unwrap();
        }
        assert_eq!(refused(&stage).await, serde_json::json!({}), "no password was refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_never_shared_between_users() {
    let stage = stage(&[Scheme::Ntlm]).await;
    let exchange = exchange(&stage, Choice::Auto);
    let people =
        [USER, "demo2@example.com"].map(|login| exchange.session(Credentials::password(login, PASSWORD)));
    let other = &people[1];
    let calendar = people[0]
        .get_folders(&[FolderSelector::WellKnown(WellKnownFolder::Calendar)])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    let page = people[0].sync_items(&calendar.id, None).await.unwrap();
    let id = page.changes.iter().find_map(|change| match change {
        ItemChange::Written(id, Some(exdav::model::item::ItemClass::CalendarItem)) => Some(id.id.clone()),
        _ => None,
    });
    let id = id.unwrap();
    for _ in 0..10 {
        let [mine, theirs] = [&people[0], other].map(|session| async {
            session.get_items(exdav::model::item::ItemClass::CalendarItem, &[&id]).await.unwrap().remove(0)
        });
        let (mine, theirs) = tokio::join!(mine, theirs);
        assert!(mine.is_ok());
        assert!(theirs.unwrap_err().is("ErrorItemNotFound"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_ntlm_is_bound_to_the_channel_and_a_companys_authority_is_trusted() {
    for (offered, way) in
        [(Scheme::Basic, Way::Basic), (Scheme::Ntlm, Way::Ntlm), (Scheme::Negotiate, Way::Negotiate)]
    {
        let stage = tls_stage(&[offered]).await;
        for choice in [Choice::Auto, Choice::Only(way)] {
            let session =
                secure(&stage, choice, Some("ca.crt")).session(Credentials::password(USER, PASSWORD));
            ask(&session).await.unwrap_or_else(|error| panic!("{way}: {error}"));
        }
        let settings = Choice::Only(way);
        let session = secure(&stage, settings, None).session(Credentials::password(USER, PASSWORD));
        let error = ask(&session).await.unwrap_err();
        assert!(matches!(&error, Error::Certificate(_)), "{way}: {error:?}");
        assert!(error.to_string().contains("certificate"), "{way}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheme_that_the_server_does_not_take_is_no_wrong_password() {
    let stage = stage(&[Scheme::Ntlm]).await;
    let pinned = exchange(&stage, Choice::Only(Way::Basic)).session(Credentials::password(USER, PASSWORD));
    assert!(matches!(ask(&pinned).await, Err(Error::Scheme(Way::Basic))));
    // An administrator turns NTLM off and Basic on: learned anew.
    let session = exchange(&stage, Choice::Auto).session(Credentials::password(USER, PASSWORD));
    ask(&session).await.unwrap();
    stage.change_door("{\"schemes\": [\"basic\"]}").await;
    stage.faults("[{\"kind\":\"drop-before\"}]").await;
    let _ = ask(&session).await;
    ask(&session).await.unwrap();
    assert_eq!(refused(&stage).await, serde_json::json!({}));
    stage.change_door("{\"schemes\": [\"bearer\"]}").await;
    let fresh = exchange(&stage, Choice::Auto).session(Credentials::password(USER, PASSWORD));
    assert!(matches!(ask(&fresh).await, Err(Error::NoScheme)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_acts_in_the_mailboxes_of_others_and_nobody_else_may() {
    for scheme in [Scheme::Basic, Scheme::Ntlm] {
        let stage = stage(&[scheme]).await;
        let exchange = exchange(&stage, Choice::Auto);
        let service = Credentials::password(SERVICE, PASSWORD);
        for mailbox in [USER, "demo2@example.com"] {
            ask(&exchange.session(service.for_mailbox(mailbox))).await.unwrap();
        }
        if scheme == Scheme::Ntlm {
            assert_eq!(cost(&stage).await, [4, 2, 2], "the account's one connection serves both mailboxes");
        }
        let own = ask(&exchange.session(service.clone())).await.unwrap_err();
        assert!(own.is("ErrorMissingEmailAddress"), "{own}");
        let nobody = ask(&exchange.session(service.for_mailbox("nobody@example.com"))).await.unwrap_err();
        assert!(nobody.is("ErrorNonExistentMailbox"), "{nobody}");
        let person = Credentials::password(USER, PASSWORD).for_mailbox("demo2@example.com");
        let denied = ask(&exchange.session(person)).await.unwrap_err();
        assert!(denied.is("ErrorImpersonateUserDenied"), "{denied}");
    }
}

fn oauth(stage: &Stage, authority: &str, secret: &str) -> Exchange {
    let host = format!("http://{}", stage.exchange.exchange);
    let oauth = Application {
        authority: format!("{host}{authority}"),
        client_id: simulator::OAUTH_CLIENT.to_owned(),
        client_secret: secret.to_owned(),
        resource: String::new(),
    };
    let url = format!("{host}/EWS/Exchange.asmx");
    let patience = std::time::Duration::ZERO;
    Exchange::new(ews::Settings { url, oauth, patience, ..ews::Settings::default() }).unwrap()
}

/// A person's browser: posts a form and gives the place that it is sent to, or what it reads.
async fn post(url: &str, form: &str) -> String {
    let none = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().no_proxy().redirect(none).build().unwrap();
    let answer = client.post(url).body(form.to_owned()).send().await.unwrap();
    match answer.headers().get("location") {
        Some(location) => location.to_str().unwrap().to_owned(),
        None => String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap(),
    }
}

const ENTRA: &str = "/contoso.example";
const AD_FS: &str = "/adfs";

#[tokio::test(flavor = "multi_thread")]
async fn an_application_acts_in_mailboxes_with_one_token_for_all() {
    for authority in [ENTRA, AD_FS] {
        let stage = stage(&[Scheme::Bearer]).await;
        let exchange = oauth(&stage, authority, simulator::OAUTH_SECRET);
        let application = Credentials::application(Arc::clone(exchange.provider().unwrap()));
        let sessions = [USER, "demo2@example.com"].map(|m| exchange.session(application.for_mailbox(m)));
        let calls = (0..20).map(|n| ask(&sessions[n % 2]));
        for outcome in futures_util::future::join_all(calls).await {
            outcome.unwrap();
        }
        let door = stage.door().await;
        assert_eq!(door["tokens"], 1, "{authority}");
        assert_eq!(cost(&stage).await[..2], [20, 0], "one HTTP request a call: {authority}");
        let own = ask(&exchange.session(application)).await.unwrap_err();
        assert!(own.is("ErrorImpersonationFailed"), "{own}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_of_the_application_is_named_and_not_sent_again_and_again() {
    let stage = stage(&[Scheme::Bearer]).await;
    let exchange = oauth(&stage, ENTRA, "wrong");
    let application = Credentials::application(Arc::clone(exchange.provider().unwrap()));
    let session = exchange.session(application.for_mailbox(USER));
    for _ in 0..3 {
        let error = ask(&session).await.unwrap_err();
        assert!(
            matches!(error, Error::Settings(_)) && error.to_string().contains("AADSTS7000215"),
            "{error}"
        );
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
    assert_eq!(cost(&stage).await, [0, 0, 1], "one connection to the provider, nothing to Exchange");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_with_a_device_code_and_stays_signed_in() {
    for authority in [ENTRA, AD_FS] {
        let stage = stage(&[Scheme::Bearer]).await;
        let exchange = oauth(&stage, authority, "");
        let provider = exchange.provider().unwrap();
        let code = provider.device_code().await.unwrap();
        let form = format!("code={}&login={USER}&password={PASSWORD}", code.user_code());
        let (granted, page) = tokio::join!(provider.wait(&code), async {
            tokio::task::yield_now().await;
            post(code.verification_uri(), &form).await
        });
        assert!(page.contains("close this window"), "{page}");
        let first = granted.unwrap().refresh_token().unwrap().to_owned();
        let kept = Arc::new(Mutex::new(vec![first.clone()]));
        let keep = {
            let kept = Arc::clone(&kept);
            move |token: &str| kept.lock().unwrap().push(token.to_owned())
        };
        let person = Credentials::person(USER, Arc::clone(provider), first, Box::new(keep));
        let session = exchange.session(person);
        ask(&session).await.unwrap();
        assert_eq!(kept.lock().unwrap().len(), 2, "the new refresh token is kept");
        // The access token ends before its time: renewed once, unseen.
        stage.change_door("{\"revoke\": \"access\"}").await;
        stage.reset().await;
        ask(&session).await.unwrap();
        assert_eq!(cost(&stage).await[..2], [2, 1]);
        // A restart goes on with what was kept.
        let last = kept.lock().unwrap().last().unwrap().clone();
        let person = Credentials::person(USER, Arc::clone(provider), last, Box::new(|_| ()));
        let again = exchange.session(person);
        ask(&again).await.unwrap();
        // Everything is revoked: a person must come again, and the provider is not asked again and again.
        stage.change_door("{\"revoke\": \"all\"}").await;
        stage.reset().await;
        for _ in 0..3 {
            let error = ask(&again).await.unwrap_err();
            assert!(
                matches!(error, Error::Consent(_)) && error.to_string().contains("exdav login"),
                "{error}"
            );
        }
        assert_eq!(cost(&stage).await[0], 1, "{authority}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_end_are_renewed_before_exchange_sees_them() {
    let stage = stage(&[Scheme::Bearer]).await;
    stage.change_door("{\"token_seconds\": 2}").await;
    let exchange = oauth(&stage, ENTRA, simulator::OAUTH_SECRET);
    let application = Credentials::application(Arc::clone(exchange.provider().unwrap()));
    let session = exchange.session(application.for_mailbox(USER));
    while stage.door().await["tokens"].as_u64().unwrap() < 3 {
        ask(&session).await.unwrap();
    }
    assert_eq!(cost(&stage).await[1], 0, "no token was refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_with_the_browser_and_a_stranger_cannot_put_a_code_in_between() {
    let stage = stage(&[Scheme::Bearer]).await;
    let exchange = oauth(&stage, ENTRA, "");
    let provider = exchange.provider().unwrap();
    let browser = provider.browser("http://127.0.0.1:5000/", USER).unwrap();
    let back = post(browser.url.as_str(), &format!("login={USER}&password={PASSWORD}")).await;
    let query = back.split_once('?').unwrap().1;
    let new = || provider.browser("http://127.0.0.1:5000/", USER).unwrap();
    let redeemed = provider.redeem(new(), query).await;
    assert!(matches!(redeemed, Err(Error::Consent(_))), "the state is another's");
    let granted = provider.redeem(browser, query).await.unwrap();
    assert!(granted.refresh_token().is_some());
    let given = |url: &str, name: &str| {
        let url = reqwest::Url::parse(url).unwrap();
        url.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned()
    };
    let denied = new();
    let query = format!("error=access_denied&state={}", given(denied.url.as_str(), "state"));
    assert!(matches!(provider.redeem(denied, &query).await, Err(Error::Consent(_))));
    let (again, code) = (new(), given(&back, "code"));
    let query = format!("code={code}&state={}", given(again.url.as_str(), "state"));
    assert!(matches!(provider.redeem(again, &query).await, Err(Error::Consent(_))), "a code is good once");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_sign_in_with_app_passwords_and_others_with_what_exchange_accepts() {
    let mut stage = stage(&[Scheme::Ntlm]).await;
    let file = accounts::Settings { path: stage.store.path().join("accounts.json"), key: PathBuf::new() };
    let book = Accounts::open(&file).unwrap().unwrap();
    let own = Upstream::Password { login: "demo2".to_owned(), password: PASSWORD.to_owned() };
    book.add("reader@example.com", USER, &Upstream::Service).unwrap();
    book.add("demo2@example.com", "demo2@example.com", &own).unwrap();
    let [phone, laptop, other] =
        [("reader@example.com", "phone"), ("reader@example.com", "laptop"), ("demo2@example.com", "x")]
            .map(|(name, label)| book.add_password(name, label).unwrap());
    stage.service = ServiceAccount { login: SERVICE.to_owned(), password: PASSWORD.to_owned() };
    let settings = Settings { accounts: file, ..Settings::default() };
    let gateway = stage.gateway_with(std::time::Duration::ZERO, stage.store.path(), settings);

    let mailbox = gateway.sign_in("Reader@example.com", &phone).await.unwrap();
    assert_eq!(
        (mailbox.principal().address.as_str(), mailbox.principal().segment.as_str()),
        (USER, "reader~40example.com")
    );
    assert!(!mailbox.collections().await.unwrap().is_empty());
    gateway.sign_in("demo2@example.com", &other).await.unwrap();
    // A name that is no account is Exchange's to judge; one that is, never.
    gateway.sign_in(USER, PASSWORD).await.unwrap();
    assert!(
        gateway.sign_in("demo2@example.com", PASSWORD).await.is_err(),
        "the mailbox's own password is no app password"
    );
    assert!(gateway.sign_in("reader@example.com", &other).await.is_err());
    assert_eq!(refused(&stage).await, serde_json::json!({}), "Exchange saw none of the wrong ones");

    // Two devices with passwords of their own do not throw one another out.
    gateway.sign_in("reader@example.com", &laptop).await.unwrap();
    stage.reset().await;
    for _ in 0..10 {
        gateway.sign_in("reader@example.com", &phone).await.unwrap();
        gateway.sign_in("reader@example.com", &laptop).await.unwrap();
    }
    assert_eq!(stage.total().await, 0, "both are remembered");
    // Taken back on the command line, it opens nothing any more, at once.
    book.remove_password("reader@example.com", "phone").unwrap();
    assert!(matches!(
        gateway.sign_in("reader@example.com", &phone).await,
        Err(exdav::gateway::Error::SignIn)
    ));
    gateway.sign_in("reader@example.com", &laptop).await.unwrap();
    book.remove("reader@example.com").unwrap();
    assert!(gateway.sign_in("reader@example.com", &laptop).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_of_the_service_account_is_nobody_elses_fault_and_locks_nothing() {
    let mut stage = stage(&[Scheme::Ntlm]).await;
    let file = accounts::Settings { path: stage.store.path().join("accounts.json"), key: PathBuf::new() };
    let book = Accounts::open(&file).unwrap().unwrap();
    let names = ["a", "b", "c"].map(|name| format!("{name}@example.com"));
    stage.service = ServiceAccount { login: SERVICE.to_owned(), password: "old".to_owned() };
    let settings = Settings { accounts: file, pass_through: false, ..Settings::default() };
    let gateway = stage.gateway_with(std::time::Duration::ZERO, stage.store.path(), settings);
    let began = std::time::Instant::now();
    for name in &names {
        book.add(name, USER, &Upstream::Service).unwrap();
        let password = book.add_password(name, "one").unwrap();
        for _ in 0..3 {
            let error = gateway.sign_in(name, &password).await.err().unwrap();
            assert!(matches!(error, exdav::gateway::Error::Barred(_)), "{error}");
        }
    }
    // Each hold is twice the one before, 10 s first: however slow the machine is, so many are over.
    let holds = (1_u32..20).take_while(|n| began.elapsed().as_secs() >= 10 * (2_u64.pow(*n) - 1)).count();
    let before = refused(&stage).await;
    let tries = before[SERVICE].as_u64().unwrap();
    assert!((1..=1 + holds as u64).contains(&tries), "{before} for nine sign-ins, {holds} holds are over");
    assert!(
        matches!(gateway.sign_in(USER, PASSWORD).await, Err(exdav::gateway::Error::SignIn)),
        "no pass-through"
    );
    assert_eq!(refused(&stage).await, before);
}

#[test]
fn secrets_are_not_shown() {
    let text = format!("{:?}", Credentials::password("demo", "s3cret").for_mailbox("a@b"));
    assert_eq!(text, "Credentials(demo for a@b)");
}
