//! The control interface: counting, slowing down, breaking, looking in.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::autodiscover::Plan;
use super::faults::Fault;
use super::item::{Attachment, Content};
use super::server::Server;
use super::sign_in::Scheme;
use super::subscriptions::Rules;
use super::throttling::{Policy, Preset};
use super::view::{Style, View};
use super::world::Target;

/// JSON, whatever the Content-Type says: people type `curl -d`.
struct Body<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = (StatusCode, String);

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let refused = |error: String| (StatusCode::BAD_REQUEST, format!("{error}\n"));
        let octets = Bytes::from_request(request, state).await.map_err(|e| refused(e.to_string()))?;
        serde_json::from_slice(&octets).map(Self).map_err(|e| refused(e.to_string()))
    }
}

/// What the control interface understands.
pub const CONTROL_HELP: &str = r#"Control interface of the simulated Exchange:
  GET  /healthz           ok
  GET  /stats             {"total": N, "operations": {"GetItem": N, …}, "received": octets, "sent": octets}
                          since the last reset; octets of the messages before compression
  POST /stats/reset       counts from zero
  POST /latency           {"ms": 25}: each EWS request takes that much longer
  POST /faults            [{"kind": "busy", "operation": "GetItem", "times": 2, "after": 0, "wait": 1.5}, …]
                          replaces all faults; [] ends them. All but "kind" may be left out. Kinds:
                          unauthorized (401), forbidden (403), too-many-requests (429), server-error (500),
                          unavailable (503), busy (ErrorServerBusy), drop-before and drop-after (the
                          connection is cut before or after the work is done), invalid-sync-state
  POST /autodiscover      {"ews_url": URL, "redirect_address": ADDRESS, "redirect_url": URL, "http_redirect": URL,
                          "without_soap": true, "without_ews": true}: how Autodiscover answers, and whether EWS is
                          here; each may be left out, {} is the beginning
  POST /sign-in           {"schemes": ["basic", "ntlm", "negotiate", "bearer"], "token_seconds": 3600, "revoke": "access"}
                          each may be left out; "revoke": "all" makes people consent again
  GET  /sign-in           {"requests": N, "unauthorized": N, "connections": N, "refused": {ACCOUNT: wrong passwords},
                          "tokens": N} since the last reset of /stats
  POST /throttling        {"preset": "exchange2013"} (also none, exchange2010, online), or limits, all of which may be
                          left out: {"max_concurrency": 27, "budget": {"burst_ms": 300000, "recharge_ms": 900000 (in an
                          hour), "cutoff_ms": 3000000, "call_ms": 20, "item_ms": 2}, "load": {"every": 3,
                          "back_off_ms": 50, "shapes": ["fault", "inner", "halfway", "unavailable",
                          "too-many-requests"]}}
  GET  /throttling        {"served": N, "refused": N, "most_at_once": N} since they were set
  POST /streaming         {"rules": {"offered": true, "servers": 1, "subscriptions": 20, "connections": 10,
                          "heartbeat_ms": 45000}, "cut": true, "close": true, "forget": true}
                          all may be left out: rules from now on; cuts all streams, ends them in good order,
                          forgets all subscriptions
  GET  /streaming         {"subscriptions": N, "connections": N, "opened": N}
  POST /private           {"mailbox": "…", "delegate": "…", "shown": true}: whether a delegate sees private items
  GET  /dump/MAILBOX      everything in a mailbox, as JSON, with the mails that were sent
"#;

/// The routes.
pub fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/stats", get(stats))
        .route("/stats/reset", post(reset))
        .route("/latency", post(latency))
        .route("/faults", post(faults))
        .route("/autodiscover", post(autodiscover))
        .route("/sign-in", get(door).post(change_door))
        .route("/throttling", get(throttling).post(change_throttling))
        .route("/streaming", get(streaming).post(change_streaming))
        .route("/private", post(private))
        .route("/dump/{mailbox}", get(dump))
        .with_state(server)
}

async fn stats(State(server): State<Arc<Server>>) -> Json<Value> {
    let counts = server.counts();
    let total: u64 = counts.values().sum();
    let (received, sent) = server.octets();
    Json(json!({"total": total, "operations": counts, "received": received, "sent": sent}))
}

async fn reset(State(server): State<Arc<Server>>) -> Json<Value> {
    server.reset_counts();
    Json(json!({}))
}

#[derive(Deserialize)]
struct Latency {
    ms: u64,
}

async fn latency(State(server): State<Arc<Server>>, Body(latency): Body<Latency>) -> Json<Value> {
    server.set_latency(Duration::from_millis(latency.ms));
    Json(json!({}))
}

async fn faults(State(server): State<Arc<Server>>, Body(faults): Body<Vec<Fault>>) -> Json<Value> {
    server.set_faults(faults);
    Json(json!({}))
}

async fn autodiscover(State(server): State<Arc<Server>>, Body(plan): Body<Plan>) -> Json<Value> {
    server.plan_autodiscover(plan);
    Json(json!({}))
}

async fn door(State(server): State<Arc<Server>>) -> Json<Value> {
    Json(server.door.stats())
}

/// What tests change at the door. `POST /sign-in`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DoorChange {
    schemes: Option<Vec<Scheme>>,
    token_seconds: Option<u64>,
    revoke: Option<Revoke>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Revoke {
    Access,
    All,
}

async fn change_door(State(server): State<Arc<Server>>, Body(change): Body<DoorChange>) -> Json<Value> {
    let DoorChange { schemes, token_seconds, revoke } = change;
    if let Some(schemes) = schemes {
        server.door.offer(schemes);
    }
    server.door.change_tokens(|tokens| {
        if let Some(seconds) = token_seconds {
            tokens.set_lifetime(Duration::from_secs(seconds));
        }
        if let Some(revoke) = revoke {
            tokens.revoke(revoke == Revoke::All);
        }
    });
    Json(json!({}))
}

async fn throttling(State(server): State<Arc<Server>>) -> Json<Value> {
    Json(server.throttling.stats())
}

/// Limits by name or one by one. `POST /throttling`
#[derive(Deserialize)]
#[serde(untagged)]
enum Limits {
    Named(Named),
    These(Policy),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    preset: Preset,
}

async fn change_throttling(State(server): State<Arc<Server>>, Body(limits): Body<Limits>) -> Json<Value> {
    server.throttling.set(match limits {
        Limits::Named(Named { preset }) => preset.policy(),
        Limits::These(policy) => policy,
    });
    Json(json!({}))
}

async fn streaming(State(server): State<Arc<Server>>) -> Json<Value> {
    Json(server.world().subscriptions.stats())
}

/// What tests do to streams. `POST /streaming`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Streaming {
    rules: Option<Rules>,
    cut: bool,
    close: bool,
    forget: bool,
}

async fn change_streaming(State(server): State<Arc<Server>>, Body(change): Body<Streaming>) -> Json<Value> {
    let Streaming { rules, cut, close, forget } = change;
    {
        let subscriptions = &mut server.world().subscriptions;
        if let Some(rules) = rules {
            subscriptions.set_rules(rules);
        }
        if cut {
            subscriptions.cut();
        }
        if close {
            subscriptions.close();
        }
        if forget {
            subscriptions.forget();
        }
    }
    server.wake();
    Json(json!({}))
}

/// Whether a delegate sees private items. `POST /private`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Private {
    mailbox: String,
    delegate: String,
    shown: bool,
}

async fn private(
    State(server): State<Arc<Server>>,
    Body(change): Body<Private>,
) -> Result<Json<Value>, StatusCode> {
    let Private { mailbox, delegate, shown } = change;
    let mut world = server.world();
    let mailbox = world.mailbox_mut(&mailbox).ok_or(StatusCode::NOT_FOUND)?;
    let delegate = delegate.to_ascii_lowercase();
    if shown {
        mailbox.see_private.insert(delegate);
    } else {
        mailbox.see_private.remove(&delegate);
    }
    Ok(Json(json!({})))
}

async fn dump(
    State(server): State<Arc<Server>>,
    Path(address): Path<String>,
) -> Result<Json<Value>, StatusCode> {
    let world = server.world();
    let mailbox = world.mailbox(&address).ok_or(StatusCode::NOT_FOUND)?;
    let style = Style { zone: None, body: "Best" };
    let folders: Vec<Value> = mailbox
        .folders
        .values()
        .map(|folder| {
            let items: Vec<Value> = mailbox
                .items_in(folder.key)
                .filter_map(|item| View::of(mailbox, Target { key: item.key, occurrence: None }))
                .map(|view| {
                    let fields = view.item.properties.iter().map(|(field, _)| field);
                    let shown = fields.filter_map(|f| Some((f.row().uri, view.property(f, &style)?)));
                    let properties: serde_json::Map<String, Value> = shown
                        .map(|(uri, e)| {
                            let value =
                                if e.children.is_empty() { json!(e.text) } else { json!(format!("{e:?}")) };
                            (uri.to_owned(), value)
                        })
                        .collect();
                    let extended: serde_json::Map<String, Value> =
                        view.item.extended.iter().map(|(n, v)| (format!("{n:?}"), json!(v.texts))).collect();
                    json!({
                        "id": view.id().attribute("Id"),
                        "kind": view.item.kind.element(),
                        "properties": properties,
                        "extended": extended,
                        "attachments": view.item.attachments.iter().map(|a| &a.name).collect::<Vec<_>>(),
                        "files": files(&view.item.attachments),
                        "files_of_exceptions": view
                            .item
                            .exceptions
                            .modified
                            .values()
                            .map(|exception| exception.attachments.as_deref().map(files))
                            .collect::<Vec<_>>(),
                        "modified": view.item.exceptions.modified.len(),
                        "deleted": view.item.exceptions.deleted.len(),
                    })
                })
                .collect();
            json!({"name": folder.display_name, "class": folder.class, "items": items})
        })
        .collect();
    Ok(Json(json!({"mailbox": mailbox.address, "folders": folders, "sent": mailbox.sends})))
}

/// Name, type and content of each.
fn files(attachments: &[Attachment]) -> Vec<Value> {
    let content = |attachment: &Attachment| match &attachment.content {
        Content::File(octets) => String::from_utf8_lossy(octets).into_owned(),
        Content::Item(_) | Content::Reference(_) => String::new(),
    };
    attachments
        .iter()
        .map(|a| json!({"name": a.name, "type": a.content_type, "content": content(a)}))
        .collect()
}
