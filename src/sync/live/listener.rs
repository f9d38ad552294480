//! One connection: subscribing, listening, and beginning again.

use super::{Remedy, Settings, Shared, SharedConnection, SubscriptionState, lock, remedy};
use crate::sync::follower::Follower;
use crate::sync::listener_handle::WeakFollower;
use crate::upstream::{self, Ended, ErrorKind, EventStream, Session, SubscriptionGroup, with_jitter};
use futures_util::StreamExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// When a server that does not take subscriptions is asked once more.
const REST: Duration = Duration::from_mins(30);
/// When a mailbox that cannot be subscribed to now is tried again.
const SOON: Duration = Duration::from_mins(1);
/// Doublings of the pause: after connections that began well, and after those that did not.
const MAX_DOUBLINGS: (u32, u32) = (3, 10);
/// A connection that lived so long was a good one.
const GOOD: Duration = Duration::from_mins(1);
/// Subscriptions that are made at once.
const AT_ONCE: usize = 4;

/// Listens for a group as long as it has members.
pub(super) struct Listener {
    settings: Settings,
    group: Arc<SharedConnection>,
    shared: Shared,
    closing: watch::Receiver<bool>,
    complained: Arc<AtomicBool>,
    members: Vec<Member>,
    /// Subscriptions of those who fell asleep.
    leaving: Vec<(Session, String)>,
    subscription_group: Option<Arc<SubscriptionGroup>>,
    failures: u32,
}

struct Member {
    follower: WeakFollower,
    session: Session,
    subscription: Option<String>,
}

/// Why a connection ended.
enum End {
    /// The time is up, or others want to join.
    Renew,
    /// Something is wrong, after so long.
    Broken(Ended, Duration),
    /// The program ends.
    Closing,
}

impl Listener {
    pub(super) fn new(
        settings: Settings,
        group: Arc<SharedConnection>,
        shared: Shared,
        closing: watch::Receiver<bool>,
        complained: Arc<AtomicBool>,
    ) -> Self {
        let (members, leaving) = (Vec::new(), Vec::new());
        Self {
            settings,
            group,
            shared,
            closing,
            complained,
            members,
            leaving,
            subscription_group: None,
            failures: 0,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let joining = std::mem::take(&mut *lock(&self.group.joining));
            self.members.extend(joining.into_iter().filter_map(|follower| {
                let session = follower.hold()?.session();
                Some(Member { follower, session, subscription: None })
            }));
            self.dismiss();
            // What is needed only now must not take room while the connection lives.
            Box::pin(self.take_leave()).await;
            if self.members.is_empty() {
                if self.dissolve() {
                    return;
                }
                continue;
            }
            let end = match Box::pin(self.connect()).await {
                Ok(stream) => self.listen(stream).await,
                Err(error) => End::Broken(error.into(), Duration::ZERO),
            };
            self.each(Follower::stream_lost);
            match end {
                End::Renew => {}
                End::Closing => return Box::pin(self.farewell()).await,
                End::Broken(ended, lived) => {
                    if !self.mend(ended, lived).await {
                        return Box::pin(self.farewell()).await;
                    }
                }
            }
        }
    }

    fn each(&self, mut what: impl FnMut(&Follower)) {
        self.members.iter().filter_map(|member| member.follower.hold()).for_each(|follower| what(&follower));
    }

    /// Parts with a member; who still holds it goes to another place.
    fn release(&self, member: &Member, place: SubscriptionState) {
        self.group.size.fetch_sub(1, Ordering::Relaxed);
        if let Some(follower) = member.follower.hold() {
            follower.stream_lost();
            if follower.is_in(&self.group) {
                follower.set_place(place);
            }
        }
    }

    /// Parts with those who are gone, who are listened to otherwise, and for whom nobody asks.
    fn dismiss(&mut self) {
        for member in std::mem::take(&mut self.members) {
            match member.follower.hold().filter(|follower| follower.is_in(&self.group)) {
                // With these credentials nobody may be left: Exchange is not shown them again.
                None => self.release(&member, SubscriptionState::Free),
                Some(follower) if follower.idle() >= self.settings.sleep => {
                    self.release(&member, SubscriptionState::Free);
                    follower.sleep();
                    self.leaving.extend(member.subscription.map(|id| (member.session, id)));
                }
                Some(_) => self.members.push(member),
            }
        }
    }

    /// Exchange may forget those who left.
    async fn take_leave(&mut self) {
        let subscription_group = Arc::clone(self.subscription_group());
        let leaving = std::mem::take(&mut self.leaving);
        let unsubscribe = leaving.into_iter().map(|(session, id)| {
            let subscription_group = Arc::clone(&subscription_group);
            async move {
                if let Err(error) = session.unsubscribe(&subscription_group, &id).await {
                    tracing::debug!(%error, "a subscription is left to expire");
                }
            }
        });
        futures_util::stream::iter(unsubscribe).for_each_concurrent(AT_ONCE, |done| done).await;
    }

    /// The program ends: Exchange may forget all.
    async fn farewell(&mut self) {
        let members = self.members.drain(..);
        self.leaving.extend(members.filter_map(|member| Some((member.session, member.subscription?))));
        self.take_leave().await;
    }

    /// The group ends unless somebody has just joined.
    fn dissolve(&self) -> bool {
        let mut shared = lock(&self.shared);
        let is_over = lock(&self.group.joining).is_empty();
        if is_over {
            shared.retain(|group| !Arc::ptr_eq(group, &self.group));
        }
        is_over
    }

    fn subscription_group(&mut self) -> &Arc<SubscriptionGroup> {
        let anchor = self.members.first().and_then(|member| member.session.mailbox());
        self.subscription_group.get_or_insert_with(|| Arc::new(SubscriptionGroup::new(anchor)))
    }

    /// Subscribes for those who have not yet, and opens the connection.
    async fn connect(&mut self) -> Result<Box<dyn EventStream>, upstream::Error> {
        let subscription_group = Arc::clone(self.subscription_group());
        let (mut ready, mut waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.members).into_iter().partition(|member| member.subscription.is_some());
        // A mailbox that has moved to another endpoint belongs to another group.
        for moved in waiting.extract_if(.., |member| member.session.shared_account() != self.group.account) {
            self.release(&moved, SubscriptionState::Free);
        }
        let mut refused = Vec::new();
        let mut sort = |(member, outcome): (Member, Result<(), upstream::Error>)| match outcome {
            Ok(()) => ready.push(member),
            Err(error) => refused.push((member, error)),
        };
        // The first answer says where all the others go.
        if !waiting.is_empty() {
            sort(waiting.swap_remove(0).subscribe(&subscription_group).await);
        }
        let others = waiting.into_iter().map(|member| member.subscribe(&subscription_group));
        let mut others = futures_util::stream::iter(others).buffer_unordered(AT_ONCE);
        while let Some(done) = others.next().await {
            sort(done);
        }
        drop(others);
        self.members = ready;
        for (member, error) in refused {
            let place = self.judge(&error);
            self.release(&member, place);
        }
        let Some(first) = self.members.first() else {
            return Err(upstream::Error::new(ErrorKind::Lost, "nobody could subscribe"));
        };
        let ids: Vec<String> = self.members.iter().filter_map(|member| member.subscription.clone()).collect();
        first.session.listen(&subscription_group, &ids).await
    }

    /// What becomes of a mailbox that could not be subscribed to.
    fn judge(&self, error: &upstream::Error) -> SubscriptionState {
        let until = match remedy(error) {
            Remedy::SignIn => return SubscriptionState::Free,
            Remedy::Patience | Remedy::Resubscribe => with_jitter(SOON),
            Remedy::None => {
                if !self.complained.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        %error,
                        "Exchange takes no subscription: changes are looked for once in every sync.freshness"
                    );
                }
                with_jitter(REST)
            }
        };
        tracing::debug!(%error, "a mailbox is not listened to");
        SubscriptionState::Resting(std::time::Instant::now() + until)
    }

    /// Hands out what is heard, until something ends it.
    async fn listen(&mut self, mut stream: Box<dyn EventStream>) -> End {
        let began = Instant::now();
        let (mut heard, mut is_live, mut joined) = (began, false, None::<Instant>);
        loop {
            let gathered = async {
                match joined {
                    Some(at) => tokio::time::sleep_until(at + self.settings.gather).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                told = stream.next(heard + self.settings.silence) => {
                    let told = match told {
                        Ok(told) => told,
                        Err(ended) => {
                            let lived = if is_live { began.elapsed() } else { Duration::ZERO };
                            return End::Broken(ended, lived);
                        }
                    };
                    heard = Instant::now();
                    if !is_live {
                        is_live = true;
                        self.each(Follower::stream_established);
                        tracing::debug!(mailboxes = self.members.len(), "listening to Exchange");
                    }
                    for (id, events) in &told.events {
                        let member = self.members.iter().find(|member| member.subscription.as_ref() == Some(id));
                        if let Some(follower) = member.and_then(|member| member.follower.hold()) {
                            follower.on_notification(events);
                        }
                    }
                    if told.is_last {
                        return End::Renew;
                    }
                }
                () = self.group.wake.notified() => {}
                () = gathered => return End::Renew,
                changed = self.closing.changed() => {
                    // Without anybody who could ask there is nobody to listen for.
                    if changed.is_err() || *self.closing.borrow() {
                        return End::Closing;
                    }
                }
            }
            self.dismiss();
            if self.members.is_empty() {
                return End::Renew;
            }
            if joined.is_none() && !lock(&self.group.joining).is_empty() {
                joined = Some(Instant::now());
            }
        }
    }

    /// Does what can be done after a failure; `false`: the program ends.
    async fn mend(&mut self, ended: Ended, lived: Duration) -> bool {
        let Ended { error, subscriptions } = ended;
        match remedy(&error) {
            Remedy::Patience => {}
            Remedy::Resubscribe => {
                let is_lost = |id: &String| subscriptions.is_empty() || subscriptions.contains(id);
                for member in &mut self.members {
                    member.subscription.take_if(|id| is_lost(id));
                }
                if self.members.iter().all(|member| member.subscription.is_none()) {
                    self.subscription_group = None;
                }
            }
            Remedy::None | Remedy::SignIn => {
                let place = self.judge(&error);
                for member in std::mem::take(&mut self.members) {
                    self.release(&member, place.clone());
                }
                return true;
            }
        }
        let most = if lived.is_zero() { MAX_DOUBLINGS.1 } else { MAX_DOUBLINGS.0 };
        self.failures = if lived >= GOOD { 0 } else { (self.failures + 1).min(most) };
        let asked = match error.kind {
            ErrorKind::Busy { back_off } => back_off.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let pause = (self.settings.retry * 2_u32.pow(self.failures.saturating_sub(1))).max(asked);
        tracing::debug!(%error, pause_ms = pause.as_millis(), "no longer listening to Exchange");
        tokio::select! {
            () = tokio::time::sleep(with_jitter(pause)) => true,
            changed = self.closing.changed() => changed.is_ok() && !*self.closing.borrow(),
        }
    }
}

impl Member {
    async fn subscribe(
        mut self,
        subscription_group: &Arc<SubscriptionGroup>,
    ) -> (Self, Result<(), upstream::Error>) {
        let outcome = async {
            let Some(follower) = self.follower.hold() else { return Ok(()) };
            if let Err(error) = follower.know_folders().await {
                // Then it cannot be told where something happens, and more is asked than needed.
                tracing::debug!(%error, "the folders are not known");
            }
            drop(follower);
            self.subscription = Some(self.session.subscribe(subscription_group).await?);
            Ok(())
        };
        let outcome = outcome.await;
        (self, outcome)
    }
}
