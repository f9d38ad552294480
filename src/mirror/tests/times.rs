//! The index of times says what a walk along all members says.

use super::*;
use crate::mirror::tables::{HEADS, META};
use crate::mirror::times::{ALWAYS, TIMES, keys};
use crate::model::id::ScheduleTag;
use jiff::Timestamp;

/// xorshift64*
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        i64::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % limit
    }

    /// Mostly of this century, and always now and then the same.
    fn moment(&mut self) -> Timestamp {
        match self.below(20) {
            0 => Timestamp::MIN,
            1 => Timestamp::MAX,
            2 => Timestamp::from_second(self.below(600_000_000_000) - 300_000_000_000).unwrap(),
            3..6 => Timestamp::from_second(1_800_000_000 + 86_400 * self.below(5)).unwrap(),
            _ => Timestamp::from_second(1_700_000_000 + self.below(200_000_000)).unwrap(),
        }
    }

    fn maybe(&mut self) -> Option<Timestamp> {
        let at = self.moment();
        (self.below(8) > 0).then_some(at)
    }

    fn span(&mut self) -> Span {
        let first = self.maybe();
        // Around the lengths at which classes end
        let around = (86_400_i64 << (2 * self.below(8))) + self.below(3) - 1;
        let length =
            [0, 1800, -60, around, self.below(400) * 86_400][usize::try_from(self.below(5)).unwrap()];
        let ends = |at: Timestamp| at.checked_add(jiff::SignedDuration::from_secs(length)).ok();
        let last = if self.below(8) == 0 { self.maybe() } else { first.and_then(ends) };
        Span { first, last }
    }

    fn entry(&mut self) -> Entry {
        let id = self.below(60);
        let mut drawn = entry(id, &self.below(1_000).to_string());
        drawn.span = self.span();
        drawn.schedule_tag = (self.below(4) == 0).then(|| ScheduleTag("s".to_owned()));
        if self.below(4) == 0 {
            // Names that change, and names that others have
            drawn.name = format!("{}.ics", self.below(60)).parse().unwrap();
        }
        drawn
    }
}

type Rows = Vec<(String, Option<Timestamp>, Option<Timestamp>)>;

/// What the index holds, and what it should hold.
fn indexed(mirror: &Mirror) -> (Rows, Rows) {
    let read = mirror.begin_read().unwrap();
    let table = read.open_table(TIMES).unwrap();
    let rows = table.iter().unwrap().map(|row| {
        let (key, _) = row.unwrap();
        let (id, _, _, name) = key.value();
        format!("{id} {name}")
    });
    let mut rows: Vec<String> = rows.collect();
    rows.sort();
    let mut found = Rows::new();
    let mut wanted = Rows::new();
    for folder in mirror.folders().unwrap() {
        let id = folder.collection.id;
        let spans = std::cell::RefCell::new(Vec::new());
        let note = |span: &Span| {
            spans.borrow_mut().push(*span);
            true
        };
        let names = mirror.taking_place(&id, None, None, note).unwrap();
        assert_eq!(names.len(), spans.borrow().len());
        found.extend(spans.into_inner().into_iter().map(|span| (id.to_string(), span.first, span.last)));
        let all = mirror.list(&id).unwrap();
        assert_eq!(names, all.iter().map(|l| l.head.name.clone()).collect::<Vec<_>>());
        wanted.extend(all.into_iter().map(|l| (id.to_string(), l.span.first, l.span.last)));
    }
    let heads = read.open_table(HEADS).unwrap();
    let heads = heads.iter().unwrap().map(|row| {
        let (id, name) = (row.as_ref().unwrap().0.value().0.to_owned(), row.unwrap().0.value().1.to_owned());
        format!("{id} {name}")
    });
    assert_eq!(rows, heads.collect::<Vec<_>>(), "a row for each member, and no other");
    found.sort();
    wanted.sort();
    (found, wanted)
}

/// Both ways of finding who touches a range.
fn agrees(mirror: &Mirror, draw: &mut Draw) {
    let (from, to) = (draw.maybe(), draw.maybe());
    let found = mirror.taking_place(&cal(), from, to, |_| true).unwrap();
    let all = mirror.list(&cal()).unwrap().into_iter();
    let walked: Vec<_> =
        all.filter(|l| l.span.may_overlap(from, to)).map(|listed| listed.head.name).collect();
    assert_eq!(found, walked, "{from:?} to {to:?}");
}

#[test]
fn members_are_found_by_when_they_take_place() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    let at = |second| Some(Timestamp::from_second(second).unwrap());
    let spans = [("a", at(10), at(20)), ("b", at(30), at(40)), ("c", None, None), ("d", at(0), at(900_000))];
    let entries: Vec<Entry> = spans
        .iter()
        .map(|(id, first, last)| Entry { span: Span { first: *first, last: *last }, ..entry(id, "1") })
        .collect();
    refresh(&mirror, &entries, &[], "s1");
    let found = |from, to| -> Vec<String> {
        let names = mirror.taking_place(&cal(), from, to, |_| true).unwrap();
        names.iter().map(ToString::to_string).collect()
    };
    assert_eq!(found(at(25), at(50)), ["b.ics", "c.ics", "d.ics"]);
    assert_eq!(found(at(800_000), None), ["c.ics", "d.ics"]);
    assert_eq!(found(None, None).len(), 4);
    let short = |span: &Span| span.last.is_some_and(|last| last.as_second() < 50);
    assert_eq!(
        mirror.taking_place(&cal(), None, at(25), short).unwrap().len(),
        1,
        "and their times are wanted"
    );
}

#[test]
fn a_month_touches_the_rows_of_a_month_in_a_mailbox_of_any_age() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    // An hour each day for eight years, a week each month, a year each year, and one that goes on.
    let day = |number: i64| Timestamp::from_second(1_600_000_000 + number * 86_400).unwrap();
    let event = |first: i64, days: i64| {
        let last = if days == 0 {
            Some(day(first).checked_add(jiff::SignedDuration::from_hours(1)).unwrap())
        } else {
            (days < 1_000).then(|| day(first + days))
        };
        Entry { span: Span { first: Some(day(first)), last }, ..entry(format!("{first}-{days}"), "1") }
    };
    let short = (0..2_920).map(|number| event(number, 0));
    let weeks = (0..97).map(|number| event(number * 30, 7));
    let years = (0..8).map(|number| event(number * 365, 365));
    let all: Vec<Entry> = short.chain(weeks).chain(years).chain([event(10, 1_000)]).collect();
    refresh(&mirror, &all, &[], "s1");
    let (from, to) = (Some(day(1_000)), Some(day(1_030)));
    let found = mirror.taking_place(&cal(), from, to, |_| true).unwrap().len();
    assert_eq!(found, 31 + 1 + 1 + 1);
    let read = mirror.begin_read().unwrap();
    let table = read.open_table(TIMES).unwrap();
    let touched = (0..=ALWAYS).map(|class| {
        let (first, last) = keys(class, from, to);
        table.range(("cal", class, first, "")..=("cal", class, last, "~")).unwrap().count()
    });
    let touched: usize = touched.sum();
    assert!(touched <= found + 5, "{touched} rows for {found}");
}

#[test]
fn whatever_happens_to_members_the_index_says_what_a_walk_says() {
    let seed: u64 = std::env::var("EXDAV_PROPERTY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for seed in seed..seed + 4 {
        let mut draw = Draw(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let shelf = Shelf::new();
        let mirror = shelf.open("r1");
        for step in 0..60 {
            match draw.below(10) {
                0..5 => {
                    let entries: Vec<Entry> = (0..draw.below(20)).map(|_| draw.entry()).collect();
                    let gone: Vec<UpstreamId> = (0..draw.below(4)).map(|_| item(draw.below(60))).collect();
                    refresh(&mirror, &entries, &gone, "s");
                }
                5 => {
                    let kept: Vec<String> = (0..40).map(|_| draw.below(60).to_string()).collect();
                    let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
                    mirror.stage(&cal(), &[draw.entry()]).unwrap();
                    commit(&mirror, &[], Some(&kept), "s");
                }
                6 if step % 3 == 0 => {
                    // Another collection comes, is filled and goes, and this one stays.
                    let other: CollectionId = "other".parse().unwrap();
                    mirror.set_collections(&[collection("cal"), collection("other")], None).unwrap();
                    mirror
                        .record(&AcknowledgedWrite { written: vec![(other, draw.entry())], gone: vec![] })
                        .unwrap();
                    agrees(&mirror, &mut draw);
                    mirror.set_collections(&[collection("cal")], None).unwrap();
                }
                _ => {
                    let written = (0..draw.below(3)).map(|_| (cal(), draw.entry())).collect();
                    let gone = vec![(cal(), item(draw.below(60)))];
                    mirror.record(&AcknowledgedWrite { written, gone }).unwrap();
                }
            }
            let (found, wanted) = indexed(&mirror);
            assert_eq!(found, wanted, "seed {seed}, step {step}");
            for _ in 0..10 {
                agrees(&mirror, &mut draw);
            }
        }
        drop(mirror);
        let (found, wanted) = indexed(&shelf.open("r2"));
        assert_eq!(found, wanted, "rendered anew");
        assert!(!wanted.is_empty());
    }
}

#[test]
fn a_store_from_before_the_index_gets_it_and_its_tokens_stay_good() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    let mut draw = Draw(7);
    let entries: Vec<Entry> = (0..50).map(|_| draw.entry()).collect();
    refresh(&mirror, &entries, &[], "s1");
    let before = token(&mirror);
    let write = mirror.begin().unwrap();
    write.delete_table(TIMES).unwrap();
    write.open_table(META).unwrap().insert("format", b"2".as_slice()).unwrap();
    write.commit().unwrap();
    drop(mirror);
    for _ in 0..2 {
        let mirror = shelf.open("r1");
        let (found, wanted) = indexed(&mirror);
        assert_eq!(found, wanted);
        assert!(!wanted.is_empty());
        assert_eq!(
            (state(&mirror).as_deref(), token(&mirror)),
            (Some("s1"), before),
            "nothing is fetched anew"
        );
        assert_eq!(told(&mirror, before), [""; 0]);
        agrees(&mirror, &mut draw);
    }
}

#[test]
fn a_store_whose_index_lost_a_row_is_set_aside() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    refresh(&mirror, &[entry("a", "1"), entry("b", "1")], &[], "s1");
    let epoch = mirror.epoch;
    let write = mirror.begin().unwrap();
    write.open_table(TIMES).unwrap().pop_first().unwrap().unwrap();
    write.commit().unwrap();
    // It is noticed when the member that has no row changes, too.
    let changed =
        AcknowledgedWrite { written: vec![(cal(), entry("a", "2")), (cal(), entry("b", "2"))], gone: vec![] };
    assert!(matches!(mirror.record(&changed), Err(Error::Damaged(_))));
    drop(mirror);
    let mirror = shelf.open("r1");
    assert_ne!(mirror.epoch, epoch);
    assert_eq!(members(&mirror), [""; 0], "it is filled anew");
}
