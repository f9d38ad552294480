//! What tests ask to go wrong.

use serde::Deserialize;
use std::time::Duration;

/// A fault to be injected. `POST /faults`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// Only this operation; default: all.
    pub operation: Option<String>,
    /// How often; default: once.
    #[serde(default = "once")]
    pub times: u64,
    /// Requests that are let through first.
    #[serde(default)]
    pub after: u64,
    /// `Retry-After` in seconds, or BackOffMilliseconds divided by 1,000.
    pub wait: Option<f64>,
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// HTTP 401.
    Unauthorized,
    /// HTTP 403.
    Forbidden,
    /// HTTP 429 with Retry-After.
    TooManyRequests,
    /// HTTP 500 without a SOAP body.
    ServerError,
    /// HTTP 503 with Retry-After.
    Unavailable,
    /// SOAP fault ErrorServerBusy with BackOffMilliseconds.
    Busy,
    /// SOAP fault ErrorAccessDenied: the server lets nobody do this. MS-OXWSCDATA 2.2.5.24
    AccessDenied,
    /// The connection is closed before anything is done.
    DropBefore,
    /// The work is done, then the connection is closed.
    DropAfter,
    /// ErrorInvalidSyncStateData for any SyncState.
    InvalidSyncState,
}

fn once() -> u64 {
    1
}

/// The faults that are waiting.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Replaces all waiting faults.
    pub fn set(&mut self, faults: Vec<Fault>) {
        self.0 = faults;
    }

    /// The fault that strikes this request, if any does.
    pub fn strike(&mut self, operation: &str, has_sync_state: bool) -> Option<(Kind, Duration)> {
        let mut struck = None;
        for fault in &mut self.0 {
            let fits = fault.operation.as_deref().is_none_or(|wanted| wanted == operation)
                && (fault.kind != Kind::InvalidSyncState || has_sync_state);
            if !fits || fault.times == 0 {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            fault.times -= 1;
            struck =
                Some((fault.kind, Duration::from_secs_f64(fault.wait.unwrap_or(1.0).clamp(0.0, 3600.0))));
            break;
        }
        self.0.retain(|fault| fault.times > 0);
        struck
    }
}
