//! vCards of many shapes, made here and taken from other programs' tests: stored, read, and read again by a gateway
//! that knows nothing. Each is kept whole or refused with a reason; the outcomes are counted.
//!
//! Packages' cards are read from `$EXDAV_CARDS`, by default `target/test-tools/cards`, where `tests/run` puts them.

use crate::support::{PASSWORD, Stage, USER, contacts};
use bytes::Bytes;
use exdav::gateway::write::Conditions;
use exdav::gateway::{Error, Mailbox};
use exdav::model::id::ResourceName;
use exdav::model::refusal::Reason;
use exdav::simulator;
use exdav::text::{Component, Line};
use futures_util::{StreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

const FRESH: Duration = Duration::from_secs(3600);

/// One property each, in the ways of many programs.
const LINES: &[&str] = &[
    "N:Public;John;Quinlan,Paul;Mr.;Esq.",
    "N:;;;;",
    "N:Doe",
    "N;LANGUAGE=jp;SORT-AS=\"Yamada,Taro\":山田;太郎;;;",
    "NICKNAME:Jim,Jimmie,\\,comma",
    "EMAIL;TYPE=INTERNET:a@example.net",
    "EMAIL;TYPE=\"work,pref\":b@example.net",
    "EMAIL;TYPE=work;PREF=1:mailto:c@example.net",
    "item1.EMAIL;TYPE=INTERNET:d@example.net\r\nitem1.X-ABLabel:_$!<Other>!$_",
    "EMAIL:no address at all",
    "TEL;TYPE=WORK,VOICE:+1-213-555-1234",
    "TEL;TYPE=HOME;TYPE=FAX:1",
    "TEL;VALUE=uri;TYPE=\"voice,home\":tel:+33-01-23-45-67;ext=12",
    "TEL;TYPE=CELL:1\r\nTEL;TYPE=CELL:2\r\nTEL;TYPE=CELL:3\r\nTEL;TYPE=CELL:4",
    "TEL;TYPE=x-unheard-of:5",
    "TEL;VALUE=uri:sip:someone@example.net",
    "item2.TEL:6\r\nitem2.X-ABLabel:Ferienhaus\\, Süd",
    "ADR;TYPE=dom,home,postal:PO 1;Apt 2;Street\\nSecond line;Town,Part;State;123;Land",
    "ADR;GEO=\"geo:12.3457,78.910\";LABEL=\"Mr. X^nStreet\":;;Street;Town;;1;Land",
    "ADR;TYPE=work:;;;;;;\r\nADR;TYPE=work:;;a;;;;\r\nADR;TYPE=work:;;b;;;;\r\nADR;TYPE=work:;;c;;;;",
    "LABEL;TYPE=HOME:Street 1\\nTown",
    "ORG:ABC\\, Inc.;North American Division;Marketing",
    "ORG;SORT-AS=\"ABC\":;Only a department",
    "TITLE:Research; Scientist\\nand more",
    "ROLE:Project Leader",
    "URL:http://www.example.org/restaurant.french/~chezchic.html",
    "URL;TYPE=WORK:not a uri at all",
    "item3.URL:https://a.example\r\nitem3.X-ABLabel:_$!<HomePage>!$_",
    "BDAY:1996-04-15",
    "BDAY:--0203",
    "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-12",
    "BDAY;VALUE=text:circa 1800",
    "BDAY:1953-10-15T23:10:00Z",
    "BDAY:1985",
    "BDAY:---12",
    "ANNIVERSARY:20090808T1430-0500",
    "X-ANNIVERSARY:2001-02-29",
    "item4.X-ABDATE;TYPE=pref:2010-01-02\r\nitem4.X-ABLabel:_$!<Anniversary>!$_",
    "GENDER:F",
    "GENDER:O;intersex",
    "NOTE:Line one\\nLine two\\, comma\\; semicolon \\\\ backslash",
    "NOTE:first\r\nNOTE;LANGUAGE=fr:second",
    "CATEGORIES:INTERNET,IETF,INDUSTRY,a\\,b",
    "CATEGORIES:one\r\nCATEGORIES:two",
    "IMPP;PREF=1:xmpp:alice@example.com",
    "IMPP;X-SERVICE-TYPE=Skype:skype:a%20b\r\nX-AIM:old\r\nX-JABBER:j@example.net\r\nX-ICQ:1",
    "X-SOCIALPROFILE;type=twitter;x-user=joe:https://twitter.example/joe",
    "RELATED;TYPE=friend:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "RELATED;TYPE=spouse;VALUE=text:Pat\\, dear",
    "item5.X-ABRELATEDNAMES:Kim\r\nitem5.X-ABLabel:_$!<Child>!$_\r\nitem6.X-ABRELATEDNAMES:Lou\r\nitem6.X-ABLabel:Trainer",
    "X-MANAGER:Boss\r\nX-ASSISTANT:Helper\r\nX-SPOUSE:Dear",
    "PHOTO;VALUE=uri:http://www.example.com/pub/photos/jqpublic.gif",
    "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////",
    "PHOTO:data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "PHOTO;ENCODING=b:this is no base64!",
    "LOGO;VALUE=uri:https://example.org/logo.png",
    "SOUND:data:audio/basic;base64,MIICajCCAdOgAwIBAgICBEUwDQYJKoZIhv",
    "KEY:data:application/pgp-keys;base64,MICAJD",
    "KEY;ENCODING=b;TYPE=X509:MIICajCCAdOgAwIBAgICBEUwDQYJKoZIhvcNAQEEBQAw",
    "GEO:geo:37.386013,-122.082932",
    "TZ;VALUE=utc-offset:-0500",
    "LANG;TYPE=work;PREF=1:en",
    "CLASS:CONFIDENTIAL",
    "SORT-STRING:Harten",
    "MAILER:PigeonMail 2.1",
    "REV:19951031T222710Z",
    "PRODID:-//ONLINE DIRECTORY//NONSGML Version 1//EN",
    "SOURCE:ldap://ldap.example.com/cn=Babs%20Jensen",
    "CLIENTPIDMAP:1;urn:uuid:53e374d9-337e-4727-8803-a1e9c14e0556\r\nEMAIL;PID=1.1:p@example.net",
    "FBURL;PREF=1:http://www.example.com/busy/janedoe\r\nCALURI:https://cal.example/",
    "HOBBY;INDEX=1;LEVEL=high:reading\r\nEXPERTISE:chemistry\r\nINTEREST:r&b music",
    "BIRTHPLACE:Babies'R'Us Hospital\r\nDEATHDATE:19960415",
    "X-PHONETIC-FIRST-NAME:たろう\r\nX-PHONETIC-LAST-NAME:やまだ\r\nX-PHONETIC-ORG:さんぷる",
    "XML:<config xmlns=\"http://config.example\"><item>1</item></config>",
    "X-UNHEARD;X-PARAM=\"a;b:c\";OTHER=1,2:any;thing,goes\\n",
    "ALTID-less.X-GROUPED:value",
    "FN;ALTID=1;LANGUAGE=fr:Jean\r\nFN;ALTID=1;LANGUAGE=en:John",
    "AGENT:BEGIN:VCARD\\nFN:Susan\\nEND:VCARD\\n",
    "KIND:org\r\nORG:Beispiel GmbH",
    "KIND:group\r\nMEMBER:urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af\r\nMEMBER:mailto:someone@example.net",
    "X-ADDRESSBOOKSERVER-KIND:group\r\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:unknown",
    "X-ABShowAs:COMPANY\r\nORG:Firma",
    "X-EVOLUTION-FILE-AS:Doe\\, John\r\nX-MOZILLA-HTML:FALSE\r\nX-MS-IMADDRESS:joe",
    "NOTE:😀 𝄞 é (decomposed) \u{200f}rtl\u{200e}",
    "X-EMPTY:",
    "NOTE:",
    "TEL;TYPE=:7",
    "TEL;HOME;VOICE:8",
    "EMAIL;TYPE=HOME,WORK:both@example.net",
];

/// A small generator of numbers: SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) >> 33).unwrap() % below
    }
}

fn card(version: &str, uid: usize, lines: &[&str]) -> String {
    let mut text = format!("BEGIN:VCARD\r\nVERSION:{version}\r\nUID:corpus-{uid}\r\n");
    if !lines.iter().any(|line| line.starts_with("FN")) {
        text.push_str("FN:Somebody\r\n");
    }
    for line in lines {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text + "END:VCARD\r\n"
}

/// The same card as other programs write it.
fn dressed(text: String, way: usize) -> Vec<u8> {
    match way {
        // Bare line feeds, a byte order mark, lower case, folds in the middle of characters.
        1 => text.replace("\r\n", "\n").into_bytes(),
        2 => format!("\u{feff}{text}").into_bytes(),
        3 => text.replace("BEGIN:VCARD", "begin:vcard").replace("END:VCARD", "end:vcard").into_bytes(),
        4 => {
            let mut octets = Vec::new();
            for line in text.split_inclusive("\r\n") {
                for (at, chunk) in line.trim_end().as_bytes().chunks(31).enumerate() {
                    octets.extend_from_slice(if at > 0 { b"\r\n " } else { b"" });
                    octets.extend_from_slice(chunk);
                }
                octets.extend_from_slice(b"\r\n");
            }
            octets
        }
        _ => text.into_bytes(),
    }
}

/// Cards made here: each property alone in both versions and as 2.1, and many together in all dresses.
fn made() -> Vec<(String, Vec<u8>)> {
    let mut cards = Vec::new();
    for (at, line) in LINES.iter().enumerate() {
        for version in ["3.0", "4.0"] {
            cards.push((
                format!("{version} with {line:.30}"),
                card(version, cards.len(), &[line]).into_bytes(),
            ));
        }
        if at % 8 == 0 {
            cards.push((format!("2.1 with {line:.30}"), card("2.1", cards.len(), &[line]).into_bytes()));
        }
    }
    let mut dice = Dice(7);
    for number in 0..150 {
        let lines: Vec<&str> = (0..3 + dice.roll(12)).map(|_| LINES[dice.roll(LINES.len())]).collect();
        let version = if dice.roll(2) == 0 { "3.0" } else { "4.0" };
        let text = card(version, cards.len(), &lines);
        cards.push((format!("{version} mixed {number}"), dressed(text, dice.roll(5))));
    }
    for broken in [
        "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:No end\r\n",
        "BEGIN:VCARD\r\nFN:No version\r\nEND:VCARD\r\n",
        "BEGIN:VCARD\r\nVERSION:3.0\r\nEND:VCARD\r\n",
        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Nested\r\nBEGIN:VCARD\r\nEND:VCARD\r\nEND:VCARD\r\n",
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n",
        "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:One\r\nEND:VCARD\r\nBEGIN:VCARD\r\nVERSION:3.0\r\nFN:Two\r\nEND:VCARD\r\n",
        "no vcard",
        "",
    ] {
        cards.push((format!("broken {broken:.40}"), broken.into()));
    }
    cards
}

/// Cards of other programs' tests.
fn taken() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder =
        std::env::var_os("EXDAV_CARDS").map_or_else(|| root.join("target/test-tools/cards"), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("cards of other programs: {} is absent, own cards only", folder.display());
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .into_iter()
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

/// Lines of a card in one spelling; what is told of its own changes is left out.
fn lines(octets: &[u8]) -> Vec<String> {
    let card = Component::parse(octets).unwrap();
    let spell = |line: &Line| {
        let mut params: Vec<String> =
            line.params.iter().map(|p| format!("{}={}", p.name, p.values.join(","))).collect();
        params.sort();
        format!(
            "{:?}.{};{}:{}",
            line.group,
            line.name,
            params.join(";"),
            line.value.split_whitespace().collect::<String>()
        )
    };
    let mut lines: Vec<String> = card.lines.iter().map(spell).collect();
    lines.sort();
    lines
}

/// Texts of a card that its other version does not have, in any property.
fn lost_in_the_other(sent: &[u8], other: &[u8]) -> Vec<String> {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
    };
    let others: String = {
        let card = Component::parse(other).unwrap();
        let params = |line: &Line| line.params.iter().flat_map(|p| p.values.clone()).collect::<String>();
        card.lines.iter().map(|line| plain(&line.unescaped()) + &plain(&params(line)) + "|").collect()
    };
    // Days and numbers are spelled in other ways; what speaks of the version itself is not told.
    let own = [
        "VERSION",
        "BDAY",
        "ANNIVERSARY",
        "X-ANNIVERSARY",
        "X-ABLABEL",
        "KIND",
        "X-ABSHOWAS",
        "TEL",
        "EMAIL",
    ];
    let card = Component::parse(sent).unwrap();
    let lines = card
        .lines
        .iter()
        .filter(|line| !own.contains(&line.name.as_str()) && !line.name.starts_with("X-ADDRESSBOOK"));
    lines
        .filter(|line| {
            let value = line.unescaped();
            let value = value.rsplit("base64,").next().unwrap();
            !["MEMBER"].contains(&line.name.as_str()) && !others.contains(&plain(value))
        })
        .map(|line| format!("{}:{}", line.name, line.value))
        .collect()
}

enum Outcome {
    Octets,
    Meaning,
    Refused(Reason),
}

async fn put(mailbox: &Mailbox, name: &ResourceName, sent: &Bytes) -> Outcome {
    match mailbox.put(&contacts(), name, &Conditions::default(), sent.clone()).await {
        Ok(_) => {
            let got = read(mailbox, name).await;
            if got.contains(sent) { Outcome::Octets } else { Outcome::Meaning }
        }
        Err(Error::Refused(refusal)) => Outcome::Refused(refusal.reason),
        Err(error) => panic!("{name}: {error}: {}", String::from_utf8_lossy(sent)),
    }
}

/// In both versions.
async fn read(mailbox: &Mailbox, name: &ResourceName) -> [Bytes; 2] {
    let object = mailbox.get(&contacts(), name).await.unwrap().unwrap_or_else(|| panic!("{name} is gone"));
    [object.body, object.vcard4.unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_card_is_kept_whole_or_refused_with_a_reason() {
    let settings = simulator::Settings {
        contacts: Some(0),
        events: Some(0),
        tasks: Some(0),
        ..simulator::Settings::default()
    };
    let stage = Stage::of(settings).await;
    let mailbox = stage.mailbox(FRESH).await;
    let mut cards: Vec<(String, Vec<u8>)> = made();
    cards.extend(taken());
    assert!(cards.len() >= 300, "{}", cards.len());
    let mut stored: Vec<(String, ResourceName, Bytes, [Bytes; 2])> = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let outcomes: Vec<_> = stream::iter(cards.into_iter().enumerate())
        .map(|(number, (title, octets))| {
            let mailbox = &mailbox;
            async move {
                let name: ResourceName = format!("card-{number}.vcf").parse().unwrap();
                let sent = Bytes::from(octets);
                let outcome = put(mailbox, &name, &sent).await;
                (title, name, sent, outcome)
            }
        })
        .buffered(8)
        .collect()
        .await;
    for (title, name, sent, outcome) in outcomes {
        let kind = match outcome {
            Outcome::Refused(Reason::UidConflict(_)) => "refused: UidConflict".to_owned(),
            Outcome::Refused(reason) => format!("refused: {reason:?}"),
            Outcome::Octets | Outcome::Meaning => {
                let got = read(&mailbox, &name).await;
                let lost = got.iter().map(|got| {
                    let got = lines(got);
                    lines(&sent).into_iter().filter(|line| !got.contains(line)).collect::<Vec<_>>()
                });
                let lost = lost.min_by_key(Vec::len).unwrap();
                assert!(lost.is_empty(), "{title}: {lost:#?} of {}", String::from_utf8_lossy(&sent));
                stored.push((title, name, sent, got));
                if matches!(outcome, Outcome::Octets) { "kept to the octet" } else { "kept in its meaning" }
                    .to_owned()
            }
        };
        *counts.entry(kind).or_default() += 1;
    }
    println!("{counts:#?}");
    let reasons: BTreeSet<&str> =
        counts.keys().filter(|kind| kind.starts_with("refused")).map(String::as_str).collect();
    let known = ["refused: InvalidData", "refused: UidConflict", "refused: UnsupportedData"];
    assert!(reasons.iter().all(|reason| known.contains(reason)), "{reasons:?}");
    assert!(counts["kept to the octet"] >= 300, "{counts:?}");
    // The cache is lost: another gateway tells the same, to the octet.
    let store = tempfile::tempdir().unwrap();
    let other = stage.gateway_with(FRESH, store.path(), exdav::gateway::Settings::default());
    let other = other.sign_in(USER, PASSWORD).await.unwrap();
    assert_eq!(other.list(&contacts()).await.unwrap().len(), stored.len());
    for (title, name, sent, got) in stored {
        let again = read(&other, &name).await;
        let own =
            usize::from(Component::parse(&sent).unwrap().value("VERSION").map(str::trim) == Some("4.0"));
        assert_eq!(again, got, "{title}");
        // What groups say of names and members Exchange tells in its own way.
        let is_group = String::from_utf8_lossy(&sent).contains("KIND:group");
        let lost = if is_group { Vec::new() } else { lost_in_the_other(&sent, &got[1 - own]) };
        assert!(lost.is_empty(), "{title}: {lost:#?}");
    }
}
