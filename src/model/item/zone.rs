//! Time zones with the rules that a server or a client gives them.

use jiff::civil::DateTime;

/// A time zone property.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeZone {
    /// Windows id, `tzone://Microsoft/…`, or empty.
    pub id: String,
    /// For people.
    pub name: String,
    /// Rules, when the server sends them.
    pub periods: Vec<Period>,
    /// Groups of transitions by their id.
    pub groups: Vec<(String, Vec<Transition>)>,
    /// From when each group holds: `None` from the beginning.
    pub eras: Vec<(Option<DateTime>, String)>,
}

/// An offset with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// Referred to by transitions.
    pub id: String,
    /// `Standard`, `Daylight` or other words.
    pub name: String,
    /// UTC minus local, in seconds.
    pub bias_seconds: i32,
}

/// When a period begins each year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The period's id.
    pub to: String,
    /// When; `None`: at the beginning.
    pub when: Option<YearlyMoment>,
}

/// A day of the year and a time on it, before the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YearlyMoment {
    /// 1 to 12.
    pub month: i8,
    /// Seconds after midnight.
    pub seconds: i32,
    /// Which day.
    pub day: YearlyDay,
}

/// The day of a [`YearlyMoment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YearlyDay {
    /// The n-th such weekday; −1 the last.
    Weekday(jiff::civil::Weekday, i8),
    /// That day of the month.
    Day(i8),
}

impl TimeZone {
    /// Whether it comes with rules.
    pub fn has_rules(&self) -> bool {
        !self.periods.is_empty()
    }
}
