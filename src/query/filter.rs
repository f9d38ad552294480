//! What a report asks for. `dav` reads these from XML, `query` evaluates them.

use jiff::Timestamp;

/// `CALDAV:filter`: one comp-filter, always for VCALENDAR. RFC 4791 9.7
#[derive(Clone, Debug, PartialEq)]
pub struct CalendarFilter {
    /// The outermost comp-filter.
    pub root: CompFilter,
    /// `CALDAV:timezone` or `timezone-id` of the request: for floating and all-day values. RFC 4791 9.8
    pub timezone: Option<String>,
}

/// `CALDAV:comp-filter`. RFC 4791 9.7.1
#[derive(Clone, Debug, PartialEq)]
pub struct CompFilter {
    /// Component name, upper case.
    pub name: String,
    /// What is asked of it.
    pub test: CompTest,
}

impl CalendarFilter {
    /// Whether it looks at nothing but components and when these take place.
    pub(super) fn asks_for_times_alone(&self) -> bool {
        self.root.asks_for_times_alone()
    }
}

impl CompFilter {
    fn asks_for_times_alone(&self) -> bool {
        match &self.test {
            CompTest::Absent => true,
            CompTest::Present { time_range: _, props, comps } => {
                props.is_empty() && comps.iter().all(Self::asks_for_times_alone)
            }
        }
    }
}

/// Body of a comp-filter.
#[derive(Clone, Debug, PartialEq)]
pub enum CompTest {
    /// `is-not-defined`
    Absent,
    /// All of these; all empty means "exists".
    Present {
        /// `time-range`
        time_range: Option<TimeRange>,
        /// `prop-filter`
        props: Vec<PropFilter>,
        /// nested `comp-filter`
        comps: Vec<CompFilter>,
    },
}

/// `CALDAV:prop-filter`. RFC 4791 9.7.2
#[derive(Clone, Debug, PartialEq)]
pub struct PropFilter {
    /// Property name, upper case.
    pub name: String,
    /// What is asked of it.
    pub test: PropTest,
}

/// Body of a prop-filter of a calendar-query.
#[derive(Clone, Debug, PartialEq)]
pub enum PropTest {
    /// `is-not-defined`
    Absent,
    /// All of these.
    Present {
        /// `time-range` on a date or date-time value
        time_range: Option<TimeRange>,
        /// `text-match`
        text: Option<TextMatch>,
        /// `param-filter`
        params: Vec<ParamFilter>,
    },
}

/// `param-filter`. RFC 4791 9.7.3, RFC 6352 10.5.2
#[derive(Clone, Debug, PartialEq)]
pub struct ParamFilter {
    /// Parameter name, upper case.
    pub name: String,
    /// `None`: `is-not-defined`; `Some(None)`: exists; `Some(Some(..))`: a value matches.
    pub test: ParamTest,
}

/// Body of a param-filter.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamTest {
    /// `is-not-defined`
    Absent,
    /// exists
    Present,
    /// one of its values matches
    Matches(TextMatch),
}

/// `text-match`. RFC 4791 9.7.5, RFC 6352 10.5.4
#[derive(Clone, Debug, PartialEq)]
pub struct TextMatch {
    /// What to look for.
    pub text: String,
    /// Where; CalDAV knows only `Contains`.
    pub kind: MatchKind,
    /// How letters compare.
    pub collation: Collation,
    /// `negate-condition="yes"`
    pub negate: bool,
}

/// `match-type` of RFC 6352 10.5.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchKind {
    /// anywhere (the default)
    Contains,
    /// the whole value
    Equals,
    /// at the beginning
    StartsWith,
    /// at the end
    EndsWith,
}

/// Collations of RFC 4790 that both RFCs require.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collation {
    /// `i;ascii-casemap`
    AsciiCasemap,
    /// `i;unicode-casemap`
    UnicodeCasemap,
    /// `i;octet`
    Octet,
}

/// Half-open `[start, end)`; a missing end is open. RFC 4791 9.9
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// inclusive
    pub start: Option<Timestamp>,
    /// exclusive
    pub end: Option<Timestamp>,
}

/// `CARDDAV:filter`. RFC 6352 10.5
#[derive(Clone, Debug, PartialEq)]
pub struct CardFilter {
    /// `test` attribute over the prop-filters.
    pub test: AnyAll,
    /// Empty: everything matches.
    pub props: Vec<CardPropFilter>,
}

/// The `test` attribute. RFC 6352 10.5
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnyAll {
    /// the default
    Any,
    /// `allof`
    All,
}

/// `CARDDAV:prop-filter`. RFC 6352 10.5.1
#[derive(Clone, Debug, PartialEq)]
pub struct CardPropFilter {
    /// Property name, upper case, without group.
    pub name: String,
    /// Over the conditions below.
    pub test: AnyAll,
    /// `is-not-defined`
    pub absent: bool,
    /// `text-match`, any number
    pub texts: Vec<TextMatch>,
    /// `param-filter`, any number
    pub params: Vec<ParamFilter>,
}

/// One filter of either kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// calendar-query
    Calendar(CalendarFilter),
    /// addressbook-query
    Card(CardFilter),
}
