//! What held when: values over half-open stretches of civil dates, each with the events that justify it.
//!
//! One timeline serves the rule, the as-of fold and the view, so that they can't disagree.

use serde::{Deserialize, Serialize};

use crate::Position;
use crate::time::{Date, Period};

/// A value over a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span<V> {
    /// The days on which it holds.
    pub period: Period,
    /// What holds.
    pub value: V,
    /// The positions of the events that set the value or moved an edge of the period, ascending.
    pub because: Vec<Position>,
}

/// Spans in order of their days; no two share a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline<V> {
    spans: Vec<Span<V>>,
}

impl<V> Default for Timeline<V> {
    fn default() -> Self {
        Self { spans: Vec::new() }
    }
}

impl<V> Timeline<V> {
    /// The timeline of these spans, in any order; no two may share a day.
    pub fn from_spans(mut spans: Vec<Span<V>>) -> Self {
        spans.sort_by_key(|span| span.period.from);
        Self { spans }
    }

    /// Every span, in order of days.
    pub fn spans(&self) -> &[Span<V>] {
        &self.spans
    }

    /// The span that holds on `day`.
    pub fn on(&self, day: Date) -> Option<&Span<V>> {
        self.spans.iter().find(|span| span.period.contains(day))
    }

    /// The value that holds on `day`.
    pub fn value_on(&self, day: Date) -> Option<&V> {
        self.on(day).map(|span| &span.value)
    }

    /// The span with the latest days.
    pub fn last(&self) -> Option<&Span<V>> {
        self.spans.last()
    }

    /// From the first day of the first span to the end of the last.
    pub fn extent(&self) -> Option<Period> {
        let (first, last) = (self.spans.first()?, self.spans.last()?);
        Some(Period::new(first.period.from, last.period.until))
    }

    /// The spans that share a day with `period`.
    pub fn within(&self, period: Period) -> impl Iterator<Item = &Span<V>> {
        self.spans.iter().filter(move |span| span.period.intersect(&period).is_some())
    }
}

impl<V: Clone + PartialEq> Timeline<V> {
    /// Lets `value` hold over `period`, whatever held there before; what is cut keeps its other days.
    /// Where it meets a span of the same value, the two become one.
    pub fn set(&mut self, period: Period, value: V, because: Position) {
        self.put(Span { period, value, because: vec![because] }, because);
    }

    /// Lets `value` hold from `day` until the next change that is known already.
    pub fn set_from(&mut self, day: Date, value: V, because: Position) {
        let next = self.spans.iter().map(|span| span.period.from).find(|&from| from > day);
        self.set(Period::new(day, next), value, because);
    }

    fn put(&mut self, span: Span<V>, because: Position) {
        if span.period.is_empty() {
            return;
        }
        self.clear(span.period, because);
        let at = self.spans.partition_point(|other| other.period.from < span.period.from);
        self.spans.insert(at, span);
        self.join(at);
        if at > 0 {
            self.join(at - 1);
        }
    }

    /// Makes one of the spans at `at` and after it, if they meet and say the same.
    fn join(&mut self, at: usize) {
        let Some([one, next]) = self.spans.get(at..at + 2) else { return };
        if one.period.until != Some(next.period.from) || one.value != next.value {
            return;
        }
        let next = self.spans.remove(at + 1);
        let one = &mut self.spans[at];
        one.period.until = next.period.until;
        one.because.extend(next.because);
        one.because.sort_unstable();
        one.because.dedup();
    }

    /// Lets nothing hold over `period`.
    pub fn clear(&mut self, period: Period, because: Position) {
        if period.is_empty() {
            return;
        }
        self.spans = std::mem::take(&mut self.spans)
            .into_iter()
            .flat_map(|span| match span.period.intersect(&period) {
                None => vec![span],
                Some(_) => remains(&span, period, because),
            })
            .collect();
    }

    /// Changes the value over the days of `period` on which something holds, and leaves the others empty.
    pub fn change(&mut self, period: Period, because: Position, change: impl Fn(&mut V)) {
        let touched: Vec<Span<V>> = self.within(period).cloned().collect();
        for span in touched {
            let Some(days) = span.period.intersect(&period) else { continue };
            let mut value = span.value;
            change(&mut value);
            self.put(Span { period: days, value, because: with(&span.because, because) }, because);
        }
    }
}

/// What `span` keeps before and after `period`.
fn remains<V: Clone>(span: &Span<V>, period: Period, because: Position) -> Vec<Span<V>> {
    let before = Period::new(span.period.from, Some(period.from));
    let after = period.until.map(|until| Period::new(until, span.period.until));
    let kept = [Some(before), after].into_iter().flatten().filter(|days| !days.is_empty());
    kept.map(|days| Span { period: days, value: span.value.clone(), because: with(&span.because, because) })
        .collect()
}

fn with(because: &[Position], position: Position) -> Vec<Position> {
    let mut all = because.to_vec();
    if all.last() != Some(&position) {
        all.push(position);
    }
    all
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn days(from: i8, until: Option<i8>) -> Period {
        Period::new(date(2026, 1, from), until.map(|d| date(2026, 1, d)))
    }

    #[test]
    fn what_is_set_cuts_what_held_and_keeps_its_other_days() {
        let mut timeline = Timeline::default();
        timeline.set(days(1, None), 'a', 1);
        timeline.set(days(10, Some(20)), 'b', 2);
        let seen: Vec<_> = timeline.spans().iter().map(|s| (s.period, s.value, s.because.clone())).collect();
        assert_eq!(
            seen,
            [
                (days(1, Some(10)), 'a', vec![1, 2]),
                (days(10, Some(20)), 'b', vec![2]),
                (days(20, None), 'a', vec![1, 2])
            ]
        );
    }

    #[test]
    fn what_meets_and_says_the_same_is_one_span() {
        let mut timeline = Timeline::default();
        timeline.set(days(1, Some(10)), 'a', 1);
        timeline.set(days(10, Some(20)), 'a', 2);
        assert_eq!(timeline.spans().len(), 1);
        assert_eq!(
            (timeline.spans()[0].period, &timeline.spans()[0].because[..]),
            (days(1, Some(20)), &[1, 2][..])
        );
    }

    #[test]
    fn what_is_set_from_a_day_holds_until_the_next_known_change() {
        let mut timeline = Timeline::default();
        timeline.set_from(date(2026, 1, 1), 'a', 1);
        timeline.set_from(date(2026, 1, 20), 'c', 2);
        timeline.set_from(date(2026, 1, 10), 'b', 3);
        let seen: Vec<_> = timeline.spans().iter().map(|s| (s.period, s.value)).collect();
        assert_eq!(seen, [(days(1, Some(10)), 'a'), (days(10, Some(20)), 'b'), (days(20, None), 'c')]);
    }

    #[test]
    fn a_change_touches_only_days_that_hold() {
        let mut timeline = Timeline::default();
        timeline.set(days(5, Some(10)), 1, 1);
        timeline.change(days(1, Some(7)), 2, |v| *v += 1);
        assert_eq!(timeline.value_on(date(2026, 1, 4)), None);
        assert_eq!(timeline.value_on(date(2026, 1, 6)), Some(&2));
        assert_eq!(timeline.value_on(date(2026, 1, 7)), Some(&1));
        assert_eq!(timeline.spans()[0].because, [1, 2]);
    }

    proptest! {
        /// Against an array of days: what is set last on a day holds on it, and no two spans share a day.
        #[test]
        fn it_is_what_an_array_of_days_would_be(edits in prop::collection::vec((1i8..28, 0i8..28, 0u8..4), 0..30)) {
            let mut timeline = Timeline::default();
            let mut naive = [None; 40];
            for (at, (from, length, value)) in edits.into_iter().enumerate() {
                let until = (from + length).min(31);
                let period = days(from, Some(until));
                let held = (value > 0).then_some(value);
                match held {
                    Some(value) => timeline.set(period, value, at as u64 + 1),
                    None => timeline.clear(period, at as u64 + 1),
                }
                for day in from..until {
                    naive[day.unsigned_abs() as usize] = held;
                }
            }
            for day in 1i8..31 {
                prop_assert_eq!(timeline.value_on(date(2026, 1, day)).copied(), naive[day.unsigned_abs() as usize]);
            }
            for pair in timeline.spans().windows(2) {
                prop_assert!(pair[0].period.until.unwrap() <= pair[1].period.from);
            }
        }
    }
}
