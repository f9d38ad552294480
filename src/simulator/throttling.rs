//! Throttling: how much of the server a caller may have, and what one hears who wants more.
//!
//! Budgets are the caller's for each mailbox, so that somebody who impersonates has one for each target. What a request
//! costs is a round figure, not the time that it took: a fast machine must not make a generous Exchange.
//! Source: Microsoft, "EWS throttling in Exchange"; Set-ThrottlingPolicy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::soap::Fault;

/// The limits of every caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// `EWSMaxConcurrency`: requests that may be under way at once; streams are counted elsewhere.
    pub max_concurrency: Option<u32>,
    /// What may be used in an hour.
    pub budget: Option<Budget>,
    /// What an overloaded server refuses although the budget would allow it.
    pub load: Option<Load>,
}

/// A budget, in milliseconds of the server's time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_field_names, reason = "the unit is part of what the control interface takes")]
pub struct Budget {
    /// `EwsMaxBurst`: what a rested caller has. Who has used it up is served slowly.
    pub burst_ms: u32,
    /// `EwsRechargeRate`: what is added in an hour.
    pub recharge_ms: u32,
    /// `EwsCutoffBalance`: who owes more is refused.
    pub cutoff_ms: u32,
    /// What a request costs.
    pub call_ms: u32,
    /// What each item of a batch costs.
    pub item_ms: u32,
}

/// Every so manieth request of a caller is refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// 3: a third.
    pub every: u64,
    /// How long those who are refused are told to wait.
    pub back_off_ms: u64,
    /// What they hear, in turn.
    #[serde(default = "faults")]
    pub shapes: Vec<Shape>,
}

/// How a busy server says so. docs/EXCHANGE.md, Errors: three forms
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// HTTP 500, SOAP fault ErrorServerBusy with BackOffMilliseconds.
    Fault,
    /// HTTP 200, ErrorInternalServerError whose inner code is ErrorServerBusy.
    Inner,
    /// The same for the second half of a batch; the first is carried out.
    Halfway,
    /// HTTP 503 with Retry-After.
    Unavailable,
    /// HTTP 429 with Retry-After.
    TooManyRequests,
}

/// Policies as they come with a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// No limits.
    #[default]
    None,
    /// Ten requests at once.
    Exchange2010,
    /// 27 at once, and a budget.
    Exchange2013,
    /// The same; its front end refuses by HTTP status too.
    Online,
}

/// A request that is turned away.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// HTTP 500.
    Fault(Fault),
    /// Within an answer, to a part of the request.
    Within(Extent, Duration),
    /// HTTP status and Retry-After.
    Status(StatusCode, Duration),
}

/// How much of a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Nothing is done.
    Whole,
    /// What comes second is not done.
    SecondHalf,
}

/// All callers.
#[derive(Debug, Default)]
pub struct Throttling(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    policy: Policy,
    callers: HashMap<String, Caller>,
    served: u64,
    refused: u64,
    most_at_once: u32,
}

#[derive(Debug)]
struct Caller {
    under_way: u32,
    requests: u64,
    refused: u64,
    balance_ms: f64,
    at: Instant,
}

/// A request that is let in; it counts as under way until this is dropped.
#[derive(Debug)]
pub struct Admission {
    throttling: Arc<Throttling>,
    caller: String,
    /// How long it is held back first.
    pub delay: Duration,
}

/// What one who is over the budget waits at most for each request.
const MAX_DELAY: Duration = Duration::from_millis(500);

fn faults() -> Vec<Shape> {
    vec![Shape::Fault]
}

impl Default for Budget {
    fn default() -> Self {
        Self { burst_ms: 300_000, recharge_ms: 900_000, cutoff_ms: 3_000_000, call_ms: 20, item_ms: 2 }
    }
}

impl Preset {
    /// Its limits.
    pub fn policy(self) -> Policy {
        match self {
            Self::None => Policy::default(),
            Self::Exchange2010 => Policy { max_concurrency: Some(10), ..Policy::default() },
            Self::Exchange2013 => {
                Policy { max_concurrency: Some(27), budget: Some(Budget::default()), load: None }
            }
            Self::Online => Policy {
                load: Some(Load {
                    every: 200,
                    back_off_ms: 2_000,
                    shapes: vec![Shape::TooManyRequests, Shape::Unavailable, Shape::Fault],
                }),
                ..Self::Exchange2013.policy()
            },
        }
    }
}

impl Budget {
    fn recharged(&self, balance_ms: f64, over: Duration) -> f64 {
        let gained = f64::from(self.recharge_ms) * over.as_secs_f64() / 3600.0;
        (balance_ms + gained).min(f64::from(self.burst_ms))
    }

    /// How long it takes to gain so much.
    fn time_for(&self, missing_ms: f64) -> Duration {
        let hours = missing_ms / f64::from(self.recharge_ms.max(1));
        Duration::from_secs_f64((hours * 3600.0).clamp(0.001, 3600.0))
    }
}

impl Throttling {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other limits from now on; everybody is rested.
    pub fn set(&self, policy: Policy) {
        let mut state = self.state();
        state.policy = policy;
        // Who is under way is still known by it when it ends.
        state.callers.values_mut().for_each(|caller| caller.balance_ms = f64::INFINITY);
        (state.served, state.refused, state.most_at_once) = (0, 0, 0);
    }

    /// What happened since the limits were set.
    pub fn stats(&self) -> Value {
        let state = self.state();
        json!({"served": state.served, "refused": state.refused, "most_at_once": state.most_at_once})
    }

    /// Lets a request for so many items in, or turns it away.
    pub fn admit(
        self: &Arc<Self>,
        caller: String,
        operation: &str,
        items: usize,
    ) -> Result<Admission, Refusal> {
        let now = Instant::now();
        let mut state = self.state();
        let State { policy, callers, served, refused, most_at_once } = &mut *state;
        let rest = f64::INFINITY;
        let entry = callers.entry(caller.clone()).or_insert(Caller {
            under_way: 0,
            requests: 0,
            refused: 0,
            balance_ms: rest,
            at: now,
        });
        match entry.judge(policy, operation, items, now) {
            Ok(delay) => {
                entry.under_way += 1;
                *served += 1;
                *most_at_once = (*most_at_once).max(entry.under_way);
                Ok(Admission { throttling: Arc::clone(self), caller, delay })
            }
            Err(refusal) => {
                entry.refused += 1;
                *refused += 1;
                Err(refusal)
            }
        }
    }
}

impl Caller {
    fn judge(
        &mut self,
        policy: &Policy,
        operation: &str,
        items: usize,
        now: Instant,
    ) -> Result<Duration, Refusal> {
        self.requests += 1;
        if let Some(most) = policy.max_concurrency
            && self.under_way >= most
            && operation != "GetStreamingEvents"
        {
            return Err(Refusal::Fault(crowded(most)));
        }
        if let Some(load) = &policy.load
            && load.every > 0
            && self.requests.is_multiple_of(load.every)
        {
            let wait = Duration::from_millis(load.back_off_ms);
            let turn = usize::try_from(self.refused).unwrap_or_default() % load.shapes.len().max(1);
            return Err(match load.shapes.get(turn).copied().unwrap_or(Shape::Fault) {
                Shape::Fault => Refusal::Fault(busy(wait)),
                Shape::Inner => Refusal::Within(Extent::Whole, wait),
                Shape::Halfway => Refusal::Within(Extent::SecondHalf, wait),
                Shape::Unavailable => Refusal::Status(StatusCode::SERVICE_UNAVAILABLE, wait),
                Shape::TooManyRequests => Refusal::Status(StatusCode::TOO_MANY_REQUESTS, wait),
            });
        }
        let Some(budget) = &policy.budget else { return Ok(Duration::ZERO) };
        self.balance_ms = budget.recharged(self.balance_ms, now.saturating_duration_since(self.at));
        self.at = now;
        let cutoff = f64::from(budget.cutoff_ms);
        if self.balance_ms < -cutoff {
            return Err(Refusal::Fault(busy(budget.time_for(-cutoff - self.balance_ms))));
        }
        let cost = f64::from(budget.call_ms)
            + f64::from(budget.item_ms) * f64::from(u32::try_from(items).unwrap_or(u32::MAX));
        self.balance_ms -= cost;
        Ok(match self.balance_ms {
            balance if balance < 0.0 => budget.time_for(-balance).min(MAX_DELAY),
            _ => Duration::ZERO,
        })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some(caller) = self.throttling.state().callers.get_mut(&self.caller) {
            caller.under_way = caller.under_way.saturating_sub(1);
        }
    }
}

/// `ErrorServerBusy`.
pub fn busy(wait: Duration) -> Fault {
    Fault {
        code: "ErrorServerBusy",
        text: "The server cannot service this request right now. Try again later.".to_owned(),
        values: vec![("BackOffMilliseconds", wait.as_millis().to_string())],
    }
}

/// Seen: Exchange Online names the policy and its value.
fn crowded(most: u32) -> Fault {
    Fault {
        code: "ErrorExceededConnectionCount",
        text: "You have exceeded the available concurrent connections for your account.  Try again once your other \
               requests have completed."
            .to_owned(),
        values: vec![
            ("Policy", "MaxConcurrency".to_owned()),
            ("MaxConcurrencyLimit", most.to_string()),
            (
                "ErrorMessage",
                format!(
                    "This operation exceeds the throttling budget for policy part 'MaxConcurrency', policy value \
                     '{most}', Budget type: 'Ews'. Suggested backoff time 0 ms."
                ),
            ),
        ],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn of(policy: Policy) -> Arc<Throttling> {
        let throttling = Arc::new(Throttling::default());
        throttling.set(policy);
        throttling
    }

    fn ask(throttling: &Arc<Throttling>, caller: &str) -> Result<Admission, Refusal> {
        throttling.admit(caller.to_owned(), "GetItem", 10)
    }

    #[test]
    fn one_request_too_many_at_once_is_refused_and_those_under_way_stay() {
        let throttling = of(Policy { max_concurrency: Some(2), ..Policy::default() });
        let first = ask(&throttling, "alice").unwrap();
        let _second = ask(&throttling, "alice").unwrap();
        let Err(Refusal::Fault(fault)) = ask(&throttling, "alice") else { panic!("it is let in") };
        assert_eq!(fault.code, "ErrorExceededConnectionCount");
        ask(&throttling, "bob").unwrap();
        throttling.admit("alice".to_owned(), "GetStreamingEvents", 0).unwrap();
        drop(first);
        ask(&throttling, "alice").unwrap();
    }

    #[test]
    fn who_has_used_the_budget_up_is_slowed_down_and_then_refused_until_it_has_grown() {
        let budget =
            Budget { burst_ms: 100, recharge_ms: 3_600_000, cutoff_ms: 60_000, call_ms: 30_000, item_ms: 0 };
        let throttling = of(Policy { budget: Some(budget), ..Policy::default() });
        let delays: Vec<Duration> = (0..3).map(|_| ask(&throttling, "alice").unwrap().delay).collect();
        assert!(delays.iter().all(|delay| *delay == MAX_DELAY), "{delays:?}");
        let Err(Refusal::Fault(fault)) = ask(&throttling, "alice") else { panic!("it is let in") };
        assert_eq!(fault.code, "ErrorServerBusy");
        // A second of the server's time a second: what is owed above the cut-off.
        let wait: u64 = fault.values[0].1.parse().unwrap();
        assert!((20_000..=30_000).contains(&wait), "{wait}");
        ask(&throttling, "bob").unwrap();
    }

    #[test]
    fn a_server_under_load_refuses_its_share_in_all_its_ways() {
        let shapes = vec![Shape::Fault, Shape::Inner, Shape::Unavailable, Shape::TooManyRequests];
        let load = Load { every: 3, back_off_ms: 5, shapes };
        let throttling = of(Policy { load: Some(load), ..Policy::default() });
        // One after the other: each has ended before the next begins.
        let refused: Vec<_> = (0..12).filter_map(|_| ask(&throttling, "alice").err()).collect();
        let [Refusal::Fault(_), Refusal::Within(..), Refusal::Status(first, _), Refusal::Status(second, _)] =
            refused.as_slice()
        else {
            panic!("{refused:?}")
        };
        assert_eq!([first.as_u16(), second.as_u16()], [503, 429]);
        assert_eq!(throttling.stats(), json!({"served": 8, "refused": 4, "most_at_once": 1}));
    }
}
