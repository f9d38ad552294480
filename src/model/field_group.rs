//! Groups of fields: what stands or falls together in the meaning of iCalendar or vCard.
//!
//! A group is what an upstream changes at once. Fingerprints of groups lie beside the texts that are kept on items, under letters
//! that never change: texts of versions before stay readable.

use std::cmp::Ordering;

/// The formats of texts. A letter means another group in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// iCalendar: events and tasks.
    Calendar,
    /// vCard: contacts and groups of contacts.
    Card,
}

/// A group of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldGroup {
    /// Begin and end of an event; begin and due day of a task.
    Times,
    /// The rule, with what it leaves out.
    Rule,
    /// SUMMARY
    Subject,
    /// LOCATION and what is known of it.
    Place,
    /// DESCRIPTION, in all its forms; NOTE of a card.
    Body,
    /// The mark-up of a body: Outlook may change that and leave the words.
    MarkUp,
    /// The name beside a place's coordinates, where it is another than the place's own.
    PlaceName,
    /// What the two above are for single occurrences.
    Occurrences,
    /// ORGANIZER and ATTENDEE
    People,
    /// CLASS
    Class,
    /// PRIORITY
    Importance,
    /// CATEGORIES
    Categories,
    /// Whether the time is taken.
    Busy,
    /// What meetings have beside: where they are held online, whether others may propose times.
    Meeting,
    /// ATTACH
    Files,
    /// VALARM
    Alarms,
    /// STATUS, PERCENT-COMPLETE and COMPLETED of a task.
    State,
    /// FN, N and NICKNAME
    Names,
    /// Phonetic names.
    Phonetic,
    /// Custom fields.
    Custom,
    /// ORG, TITLE and ROLE
    Company,
    /// EMAIL
    Emails,
    /// TEL
    Phones,
    /// ADR
    Addresses,
    /// URL
    Pages,
    /// GENDER
    Gender,
    /// RELATED
    Relations,
    /// IMPP
    Messengers,
    /// BDAY and ANNIVERSARY
    Dates,
    /// HOBBY
    Hobbies,
    /// FBURL
    FreeBusyUrl,
    /// PHOTO
    Picture,
    /// MEMBER
    Members,
}

use FieldGroup as G;

/// The groups of iCalendar.
const CALENDAR: [FieldGroup; 17] = [
    G::Times,
    G::Rule,
    G::Subject,
    G::Place,
    G::Body,
    G::MarkUp,
    G::PlaceName,
    G::Occurrences,
    G::People,
    G::Class,
    G::Importance,
    G::Categories,
    G::Busy,
    G::Meeting,
    G::Files,
    G::Alarms,
    G::State,
];

/// The groups of vCard.
const CARD: [FieldGroup; 19] = [
    G::Names,
    G::Phonetic,
    G::Custom,
    G::Company,
    G::Emails,
    G::Phones,
    G::Addresses,
    G::Pages,
    G::Gender,
    G::Relations,
    G::Messengers,
    G::Dates,
    G::Hobbies,
    G::FreeBusyUrl,
    G::Body,
    G::Categories,
    G::Class,
    G::Picture,
    G::Members,
];

impl FieldGroup {
    /// Its letter on disk.
    pub const fn letter(self) -> char {
        match self {
            Self::Times | Self::Phones => 'T',
            Self::Rule | Self::Relations => 'R',
            Self::Subject => 'S',
            Self::Place => 'L',
            Self::Body => 'B',
            Self::MarkUp => 'W',
            Self::PlaceName => 'Q',
            Self::Occurrences => 'Z',
            Self::People | Self::Picture => 'P',
            Self::Class => 'C',
            Self::Importance | Self::Messengers => 'I',
            Self::Categories => 'K',
            Self::Busy | Self::FreeBusyUrl => 'F',
            Self::Meeting => 'J',
            Self::Files | Self::Hobbies => 'H',
            Self::Alarms | Self::Addresses => 'A',
            Self::State => 'V',
            Self::Names => 'N',
            Self::Phonetic => 'Y',
            Self::Custom => 'X',
            Self::Company => 'O',
            Self::Emails => 'E',
            Self::Pages => 'U',
            Self::Gender => 'G',
            Self::Dates => 'D',
            Self::Members => 'M',
        }
    }

    /// The group of a letter; `None` for letters of other versions.
    pub fn of_letter(format: Format, letter: char) -> Option<Self> {
        let all: &[Self] = match format {
            Format::Calendar => &CALENDAR,
            Format::Card => &CARD,
        };
        all.iter().copied().find(|group| group.letter() == letter)
    }
}

/// By letters: the order in which fingerprints are compared and written.
impl Ord for FieldGroup {
    fn cmp(&self, other: &Self) -> Ordering {
        self.letter().cmp(&other.letter())
    }
}

impl PartialOrd for FieldGroup {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_letter_means_one_group_of_a_format() {
        for (format, all) in [(Format::Calendar, &CALENDAR[..]), (Format::Card, &CARD[..])] {
            let letters: BTreeSet<char> = all.iter().map(|group| group.letter()).collect();
            assert_eq!(letters.len(), all.len());
            assert!(all.iter().all(|group| FieldGroup::of_letter(format, group.letter()) == Some(*group)));
            assert_eq!(FieldGroup::of_letter(format, '#'), None);
        }
    }

    #[test]
    fn letters_on_disk_never_change() {
        let letters = |all: &[FieldGroup]| all.iter().map(|group| group.letter()).collect::<String>();
        assert_eq!(letters(&CALENDAR), "TRSLBWQZPCIKFJHAV");
        assert_eq!(letters(&CARD), "NYXOETAUGRIDHFBKCPM");
    }
}
