//! Which server answers, and what that kind can.

use super::field::Schema;
use super::soap::ServerVersion;
use crate::model::capabilities::Capabilities;

/// Kinds of servers that speak EWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// Too old: no time zones by name.
    Exchange2007,
    /// 2010, of any service pack.
    Exchange2010,
    /// 2013.
    Exchange2013,
    /// 2016.
    Exchange2016,
    /// 2019.
    Exchange2019,
    /// Subscription Edition.
    ExchangeSe,
    /// Exchange Online.
    Online,
    /// An Exchange that is newer than this table.
    Newer,
    /// grommunio (gromox).
    Grommunio,
    /// Kerio Connect.
    Kerio,
    /// It does not tell, or nobody knows it here.
    Unknown,
}

/// What a kind of server can and, unless its administrators have changed it, allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// How people call it.
    pub name: &'static str,
    /// What it can of what exdav would use.
    pub can: &'static [&'static str],
    /// What it cannot of that.
    pub cannot: &'static [&'static str],
    /// `EWSMaxConcurrency`: requests at once.
    pub requests: Option<u32>,
    /// `HangingConnectionLimit`: streams at once.
    pub streams: Option<u32>,
}

const EXCHANGE: Capabilities = Capabilities::ALL;

/// What each thing that a server does otherwise than Exchange means for those who write.
pub fn consequences(capabilities: &Capabilities) -> Vec<String> {
    let all = [
        (
            capabilities.judges_versions,
            "ChangeKeys are not judged: exdav reads an object before it changes it (one call more) and answers 412 to \
             a stale If-Match; a change in the moment between can be overwritten",
        ),
        (
            capabilities.stores_what_it_takes,
            "what is written may be stored otherwise: exdav reads it back (one call more) and shows it as it is stored",
        ),
        (
            capabilities.gives_dictionaries,
            "mail, postal and messenger addresses and phones of contacts are asked for entry by entry",
        ),
        (
            capabilities.counts_deleted_occurrences,
            "single occurrences of a series are looked at before they are changed (two or three calls more)",
        ),
        (
            capabilities.removes_declined,
            "an invitation that was declined may stay in the calendar: on DELETE it is removed after the answer",
        ),
        (capabilities.takes_groups, "contact groups are refused (501, CreateItem)"),
        (capabilities.takes_recurring_tasks, "tasks that repeat are refused (403, RRULE)"),
    ];
    let told = all.into_iter().filter(|(is_kept, _)| !is_kept).map(|(_, text)| text.to_owned());
    let months = capabilities.longest_months.map(|longest| {
        format!("series that repeat less often than every {longest} months are refused (403, INTERVAL)")
    });
    let first = capabilities.first_year;
    let years = (first > EXCHANGE.first_year).then(|| {
        format!("birthdays without a year or before {first} stay in the card: others do not see them")
    });
    told.chain(months).chain(years).collect()
}

/// Of a server that nobody knows nothing is relied upon.
const UNKNOWN: Capabilities = Capabilities {
    judges_versions: false,
    stores_what_it_takes: false,
    gives_dictionaries: false,
    counts_deleted_occurrences: false,
    removes_declined: false,
    answers_once: false,
    ..EXCHANGE
};

/// Seen: gromox 3.10. Its monthly rules of 24 months and more make every later FindItem on the calendar fail; its clock
/// counts nanoseconds in 64 bits, so that 1604 becomes 2188.
const GROMOX: Capabilities = Capabilities {
    clears_by_usual_means: false,
    takes_groups: false,
    takes_recurring_tasks: false,
    derives_task_state: false,
    first_year: 1678,
    longest_months: Some(12),
    ..UNKNOWN
};

const STREAMS: &str = "streaming notifications";
const CONFLICTS: &str = "conflicts told by ChangeKey";
const ZONES: &str = "its own list of time zones";
const PEOPLE: &str = "FindPeople";
const TURNS: &str = "recurring tasks";
const GROUPS: &str = "contact groups";
const MODERN: &[&str] = &[STREAMS, CONFLICTS, ZONES, PEOPLE, TURNS, GROUPS];

/// The products that are known. Source: docs/EXCHANGE.md, Limits, Microsoft "EWS schema versions in Exchange"; Seen: gromox 3.10
const fn abilities(product: Product) -> Abilities {
    const fn exchange(name: &'static str, requests: u32, streams: u32) -> Abilities {
        Abilities { name, can: MODERN, cannot: &[], requests: Some(requests), streams: Some(streams) }
    }
    match product {
        Product::Exchange2007 => Abilities {
            name: "Exchange 2007",
            can: &[CONFLICTS],
            cannot: &[STREAMS, ZONES, PEOPLE, GROUPS],
            requests: None,
            streams: None,
        },
        Product::Exchange2010 => Abilities {
            can: &[STREAMS, CONFLICTS, ZONES, TURNS, GROUPS],
            cannot: &[PEOPLE],
            ..exchange("Exchange 2010", 10, 10)
        },
        Product::Exchange2013 => exchange("Exchange 2013", 27, 3),
        Product::Exchange2016 => exchange("Exchange 2016", 27, 10),
        Product::Exchange2019 => exchange("Exchange 2019", 27, 10),
        Product::ExchangeSe => exchange("Exchange Server SE", 27, 10),
        Product::Online => exchange("Exchange Online", 27, 10),
        Product::Newer => exchange("a newer Exchange", 27, 10),
        Product::Grommunio => Abilities {
            name: "grommunio",
            can: &[STREAMS, PEOPLE],
            cannot: &[CONFLICTS, ZONES, TURNS, GROUPS],
            requests: None,
            streams: None,
        },
        Product::Kerio => {
            Abilities { name: "Kerio Connect", can: &[], cannot: &[], requests: None, streams: None }
        }
        Product::Unknown => Abilities {
            name: "a server of another kind",
            can: &[],
            cannot: &[],
            requests: None,
            streams: None,
        },
    }
}

impl Product {
    /// What this kind can.
    pub const fn abilities(self) -> Abilities {
        abilities(self)
    }

    /// What exdav can rely on.
    pub const fn capabilities(self) -> Capabilities {
        match self {
            Self::Grommunio => GROMOX,
            Self::Kerio | Self::Unknown => UNKNOWN,
            _ => EXCHANGE,
        }
    }

    /// The newest schema that it knows; `None`: the newest of all. Microsoft: EWS schema versions in Exchange
    pub const fn schema(self) -> Option<Schema> {
        match self {
            Self::Exchange2007 => Some(Schema::V2007),
            Self::Exchange2010 => Some(Schema::V2010),
            Self::Exchange2013 => Some(Schema::V2013),
            _ => None,
        }
    }

    /// By what an answer says of its server. Microsoft: Exchange Server build numbers and release dates
    pub fn of(version: &ServerVersion) -> Self {
        if version.server.to_ascii_lowercase().contains("kerio") {
            return Self::Kerio;
        }
        match version.release {
            (8, _) => Self::Exchange2007,
            (14, _) => Self::Exchange2010,
            // Seen: gromox calls itself 2013 and knows a schema that is younger.
            (15, 0) if version.schema.starts_with("V2017") => Self::Grommunio,
            (15, 0) => Self::Exchange2013,
            (15, 1) => Self::Exchange2016,
            (15, 2) if version.build.0 >= 2562 => Self::ExchangeSe,
            (15, 2) => Self::Exchange2019,
            (15, 20) => Self::Online,
            (15.., _) => Self::Newer,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::upstream::ews::soap::server_version;

    fn of(attributes: &str, server: &str) -> Product {
        let answer = format!(
            "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Header>\
             <h:ServerVersionInfo xmlns:h='http://schemas.microsoft.com/exchange/services/2006/types' {attributes}/>\
             </s:Header><s:Body/></s:Envelope>"
        );
        let version = server_version(answer.as_bytes()).unwrap_or_default();
        Product::of(&ServerVersion { server: server.to_owned(), ..version })
    }

    #[test]
    fn each_server_is_known_by_what_it_says_of_itself() {
        let build = |major: u32, minor: u32, build: u32, schema: &str| {
            format!(
                "MajorVersion='{major}' MinorVersion='{minor}' MajorBuildNumber='{build}' MinorBuildNumber='1' \
                 Version='{schema}'"
            )
        };
        for (version, product) in [
            (build(8, 3, 83, "Exchange2007_SP1"), Product::Exchange2007),
            (build(14, 3, 123, "Exchange2010_SP2"), Product::Exchange2010),
            (build(15, 0, 1497, "Exchange2013_SP1"), Product::Exchange2013),
            (build(15, 0, 1497, "V2_23"), Product::Exchange2013),
            (build(15, 1, 2507, "V2017_07_11"), Product::Exchange2016),
            (build(15, 2, 1544, "V2017_07_11"), Product::Exchange2019),
            (build(15, 2, 2562, "V2017_07_11"), Product::ExchangeSe),
            (build(15, 20, 8769, "V2018_01_08"), Product::Online),
            (build(15, 0, 847, "V2017_07_11"), Product::Grommunio),
            (build(15, 30, 1, "V2030_01_01"), Product::Newer),
            (String::new(), Product::Unknown),
        ] {
            assert_eq!(of(&version, "Microsoft-IIS/10.0"), product, "{version}");
        }
        assert_eq!(of(&build(14, 2, 247, "Exchange2010_SP1"), "Kerio Connect 9.4.2"), Product::Kerio);
    }
}
