//! Names, titles and places, and the numbers that choose among them.

pub(super) const TITLES: [&str; 16] = [
    "Stand-up",
    "Budget review",
    "Kundentermin Müller & Söhne",
    "Interview",
    "Lunch with Carla",
    "1:1",
    "Zahnarzt",
    "Release planning",
    "Bring the car to the garage; winter tyres, please",
    "Webinar",
    "写真レビュー",
    "Deep work",
    "Vendor call",
    "Quarterly numbers",
    "Onboarding 🎉",
    "Retrospective",
];

pub(super) const GIVEN: [&str; 20] = [
    "Anna",
    "Bob",
    "Carla",
    "Dmitri",
    "Élodie",
    "Fatima",
    "Günther",
    "花子",
    "Ivan",
    "Julia",
    "Kofi",
    "Lena",
    "Mateo",
    "Noor",
    "Ольга",
    "Priya",
    "Quentin",
    "Rosa",
    "Sven",
    "Tomás",
];
pub(super) const FAMILY: [&str; 16] = [
    "Berg",
    "Müller",
    "O'Neill",
    "Dahl",
    "Dupont",
    "Al-Sayed",
    "Weiß",
    "山田",
    "Petrov",
    "Nowak",
    "Mensah",
    "Fischer",
    "García Márquez",
    "Haddad",
    "Иванова",
    "Svensson",
];

pub(super) const CATEGORIES: [&str; 5] =
    ["Team", "Private matters", "Customer, important", "Travel", "Red Category"];

/// A small generator of numbers: SplitMix64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) >> 33).unwrap_or_default() % below.max(1)
    }

    pub(super) fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices.get(self.roll(choices.len())).copied().unwrap_or_default()
    }

    pub(super) fn days(&mut self, below: usize) -> i32 {
        i32::try_from(self.roll(below)).unwrap_or_default()
    }
}

pub(super) fn person(number: usize) -> (&'static str, &'static str, String) {
    let given = GIVEN.get(number % GIVEN.len()).copied().unwrap_or_default();
    let family = FAMILY.get(number / GIVEN.len() % FAMILY.len()).copied().unwrap_or_default();
    (given, family, format!("person{number}@example.org"))
}
