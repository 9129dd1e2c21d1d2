//! What the application's backends are asked on behalf of sessions.
//!
//! Source: server API, sections 6 and 7.

use std::collections::BTreeMap;
use std::sync::Arc;

use flywheel_engine::{
    Answer, Backend, ConnectCall, NoBackend, PublishCall, RpcCall, SubRefreshCall, SubscribeCall,
};
use flywheel_model::{Caller, Channel, ClientInfo, Payload};
use flywheel_session::{ConnectQuestion, Outcome};

use crate::Node;
use crate::asks::within_deadline;
use crate::verdict::{for_client_of_backend, for_renewal};

/// Which backend is asked about what. Names are those of namespaces; the empty one is for what has none.
#[derive(Clone, Default)]
pub struct Backends {
    /// Who connects without a token.
    pub connect: Option<Arc<dyn Backend>>,
    /// Whether a connection goes on.
    pub refresh: Option<Arc<dyn Backend>>,
    /// Who may subscribe, by namespace.
    pub subscribe: BTreeMap<String, Arc<dyn Backend>>,
    /// Who may publish, by namespace.
    pub publish: BTreeMap<String, Arc<dyn Backend>>,
    /// Whether a subscription goes on, by namespace.
    pub sub_refresh: BTreeMap<String, Arc<dyn Backend>>,
    /// What procedures return, by namespace of procedures.
    pub rpc: BTreeMap<String, Arc<dyn Backend>>,
}

impl std::fmt::Debug for Backends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backends")
            .field("connect", &self.connect.is_some())
            .field("refresh", &self.refresh.is_some())
            .field("subscribe", &self.subscribe.keys())
            .field("publish", &self.publish.keys())
            .field("sub_refresh", &self.sub_refresh.keys())
            .field("rpc", &self.rpc.keys())
            .finish()
    }
}

/// A backend that a session counts on and that a reload has taken away refuses.
fn or_none(backend: Option<&Arc<dyn Backend>>) -> Arc<dyn Backend> {
    backend.cloned().unwrap_or_else(|| Arc::new(NoBackend))
}

/// The backends keep deadlines of their own, which may be longer than ours.
impl Node {
    pub(crate) fn backend_connect(&self, question: ConnectQuestion) -> Answer<Outcome> {
        let backend = or_none(self.access().backends.connect.as_ref());
        let ConnectQuestion { caller, data, name, version, channels } = question;
        let call = ConnectCall { caller, data, name, version, channels };
        backend
            .connect(Box::new(call))
            .map(|claims| Outcome::Vouched(claims.map_err(|error| for_client_of_backend("connect", error))))
    }

    pub(crate) fn backend_renew(&self, caller: Caller) -> Answer<Outcome> {
        let backend = or_none(self.access().backends.refresh.as_ref());
        backend.refresh(caller).map(|renewal| Outcome::Renewed(for_renewal("refresh", renewal)))
    }

    pub(crate) fn backend_renew_subscription(&self, caller: Caller, channel: Channel) -> Answer<Outcome> {
        let backend = or_none(self.access().backends.sub_refresh.get(self.namespace(&channel).as_str()));
        let call = SubRefreshCall { caller, channel };
        backend
            .sub_refresh(Box::new(call))
            .map(|renewal| Outcome::Renewed(for_renewal("sub_refresh", renewal)))
    }

    pub(crate) fn backend_authorize(
        &self,
        caller: Caller,
        channel: Channel,
        data: Payload,
    ) -> Answer<Outcome> {
        let backend = or_none(self.access().backends.subscribe.get(self.namespace(&channel).as_str()));
        let call = SubscribeCall { caller, channel, data };
        backend.subscribe(Box::new(call)).map(|grant| {
            Outcome::Authorized(grant.map_err(|error| for_client_of_backend("subscribe", error)))
        })
    }

    pub(crate) fn backend_rpc(&self, caller: Caller, method: String, data: Payload) -> Answer<Outcome> {
        let settings = self.settings();
        let namespace = method
            .split_once(settings.rpc.namespace_boundary.as_str())
            .map_or("", |(namespace, _)| namespace);
        let backend = or_none(self.access().backends.rpc.get(namespace));
        backend
            .rpc(Box::new(RpcCall { caller, method, data }))
            .map(|data| Outcome::Rpc(data.map_err(|error| for_client_of_backend("rpc", error))))
    }

    /// Asks the backend, and publishes what it grants.
    pub(crate) fn backend_publish(
        self: &Arc<Self>,
        caller: Caller,
        channel: Channel,
        data: Payload,
        info: Box<ClientInfo>,
    ) -> Answer<Outcome> {
        let backend = or_none(self.access().backends.publish.get(self.namespace(&channel).as_str()));
        let node = Arc::clone(self);
        let call = PublishCall { caller, channel: channel.clone(), data: data.clone() };
        backend.publish(Box::new(call)).then(move |granted| match granted {
            Ok(grant) => {
                let failed = Outcome::Done(Err(flywheel_protocol::ErrorCode::INTERNAL.into()));
                let published = node.publish_for_client(&channel, data, info, *grant);
                within_deadline(published.map(Outcome::Done), failed)
            }
            Err(error) => Answer::Now(Outcome::Done(Err(for_client_of_backend("publish", error)))),
        })
    }

    fn namespace(&self, channel: &Channel) -> String {
        self.settings().rules.namespace(channel.as_str()).to_owned()
    }
}
