//! The node among others: who is there, what concerns all of them, questions to all of them.
//!
//! Nothing here touches the delivery path: what is told of this node comes from counters that shards leave in atomics.

mod inbox;
mod receive;
mod relay;
mod rounds;
mod surveys;
mod talk;
pub(crate) mod translate;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use bytes::Bytes;
use flywheel_engine::{Answer, Controller};
use flywheel_membership::{Said, Soundness, Timing, View};
use flywheel_metrics::Window;
use flywheel_model::Timestamp;
use parking_lot::{Mutex, RwLock};

pub use inbox::ControlInbox;
pub use surveys::SurveyError;
pub use talk::NotSent;

pub(crate) use receive::CHANNELS;

use crate::Info;
use relay::Relays;
use surveys::Surveys;

/// What connects a node with others.
#[derive(Clone)]
pub struct Control {
    /// Carries messages.
    pub controller: Arc<dyn Controller>,
    /// Where those of others arrive.
    pub inbox: Arc<ControlInbox>,
    /// How often nodes say that they are there.
    pub timing: Timing,
}

/// Numbers of a window of time, by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    /// Length of the window in seconds.
    pub interval: f64,
    /// Counts of the window and gauges at its end.
    pub items: BTreeMap<String, f64>,
}

/// Answers a question of another node: bytes, or a code other than 0.
pub type SurveyHandler = Arc<dyn Fn(Bytes) -> Answer<Result<Bytes, u32>> + Send + Sync>;
/// Takes a message of another node, given that node's UID. Must return at once.
pub type NotificationHandler = Arc<dyn Fn(&str, Bytes) + Send + Sync>;

/// The node's place among others.
pub(crate) struct Cluster {
    control: Option<Control>,
    /// Guards the view; nothing is taken or done under it.
    view: Mutex<View<Info>>,
    surveys: Surveys,
    /// Questions of others that are being answered.
    answering: AtomicUsize,
    relays: Relays,
    left: AtomicBool,
    questions: RwLock<BTreeMap<String, SurveyHandler>>,
    notifications: RwLock<BTreeMap<String, NotificationHandler>>,
    /// Numbers of the last window, once there is one.
    window: Mutex<(Window, Option<Numbers>)>,
}

impl Cluster {
    pub(crate) fn new(uid: &str, control: Option<Control>, now: Timestamp) -> Self {
        let timing = control.as_ref().map_or(Timing::REFERENCE, |control| control.timing);
        Self {
            control,
            view: Mutex::new(View::new(uid, timing, now)),
            surveys: Surveys::default(),
            answering: AtomicUsize::new(0),
            relays: Relays::default(),
            left: AtomicBool::new(false),
            questions: RwLock::default(),
            notifications: RwLock::default(),
            window: Mutex::default(),
        }
    }

    /// When another node last said that it is fit to serve; `None` if none that is heard did.
    pub(crate) fn fit_elsewhere_at(&self, now: Timestamp) -> Option<Timestamp> {
        let control = self.control.as_ref()?;
        let fit_at = self.view.lock().ready_elsewhere_at();
        fit_at.filter(|at| now.since(*at) <= control.timing.silence_max)
    }

    /// Whether messages of this node come through; `None` when there is nothing to carry them.
    pub(crate) fn soundness(&self, now: Timestamp) -> Option<Soundness> {
        self.control.as_ref().map(|_| self.view.lock().soundness(now))
    }

    pub(crate) fn distrust(&self, reason: &str) {
        if let Some(control) = &self.control {
            control.controller.distrust(reason);
        }
    }

    /// Whether another node of this UID is heard.
    pub(crate) fn knows(&self, uid: &str) -> bool {
        self.view.lock().peer(uid).is_some()
    }

    pub(crate) fn peers(&self) -> Vec<Info> {
        self.view.lock().peers().map(|(_, info)| info.clone()).collect()
    }

    pub(crate) fn metrics(&self) -> Option<Numbers> {
        self.window.lock().1.clone()
    }
}

/// A message is handed over within this time or counts as not sent.
const SEND_DEADLINE: Duration = Duration::from_secs(1);

/// What the view keeps of what a peer said.
fn said(view: flywheel_protocol::control::View) -> Said {
    let flywheel_protocol::control::View { hears, ready, sound } = view;
    Said { hears, ready, sound }
}
