use std::sync::Arc;

use bytes::Bytes;
use flywheel_engine::{
    Answer, Backend, BackendError, ConnectCall, PublishCall, PublishGrant, RpcCall, SubRefreshCall,
    SubscribeCall,
};
use flywheel_metrics::{Metrics, ProxyCalls, ProxyEvent, ProxyProtocol};
use flywheel_model::{Caller, CallerHeaders, ConnectClaims, Payload, Renewal, SubscribeGrant};
use flywheel_protocol::proxy as wire;
use flywheel_runtime::Clock;
use http::StatusCode;

use crate::gate::{Full, Gate};
use crate::headers::Headers;
use crate::post::Poster;
use crate::questions::Form;
use crate::{BadProxy, ProxySettings, answers};

/// A backend behind an HTTP endpoint, asked about one kind of event.
///
/// Its answers are futures for a tokio runtime with time and IO.
#[derive(Debug, Clone)]
pub struct HttpBackend(Arc<Proxy>);

#[derive(Debug)]
struct Proxy {
    settings: ProxySettings,
    form: Form,
    headers: Headers,
    poster: Poster,
    gate: Gate,
    calls: ProxyCalls,
    clock: Clock,
}

impl HttpBackend {
    /// A backend that is asked about `event`. Nothing is connected before the first call.
    ///
    /// # Errors
    /// [`BadProxy`]: the settings cannot work.
    pub fn new(
        settings: ProxySettings,
        event: ProxyEvent,
        metrics: &Metrics,
        clock: Clock,
    ) -> Result<Self, BadProxy> {
        Ok(Self(Arc::new(Proxy {
            form: Form { binary: settings.binary_encoding, include_meta: settings.include_meta },
            headers: Headers::new(&settings)?,
            poster: Poster::new(&settings)?,
            gate: Gate::new(settings.calls_max, settings.waiting_bytes_max),
            calls: metrics.proxy.calls(ProxyProtocol::Http, event, &settings.name),
            settings,
            clock,
        })))
    }

    /// Sends a question, unless it could not even be written, and makes sense of the answer.
    fn ask<R: wire::Response + 'static, T: Send + 'static>(
        &self,
        headers: Option<Arc<CallerHeaders>>,
        question: Result<Bytes, BackendError>,
        make: fn(Option<R::Result>) -> Result<T, BackendError>,
    ) -> Answer<Result<T, BackendError>> {
        let proxy = Arc::clone(&self.0);
        Answer::later(async move {
            let call = Call::begin(&proxy);
            let answer = match question {
                Ok(body) => proxy.call(headers.as_deref(), body).await,
                Err(error) => Err(error),
            };
            let answer = answer.and_then(|body| answers::read::<R>(&body)).and_then(make);
            if let Err(BackendError::Failed(_)) = answer {
                call.proxy.calls.failed();
            }
            answer
        })
    }
}

impl Proxy {
    /// The body of an answer with status 200, within the deadline.
    async fn call(&self, headers: Option<&CallerHeaders>, body: Bytes) -> Result<Bytes, BackendError> {
        let timeout = self.settings.timeout;
        let exchange = async {
            let permit = self.gate.enter(body.len()).await;
            let _permit = permit.map_err(|Full| BackendError::Failed("too many calls wait for it".into()))?;
            let answered = self.poster.post(self.headers.of(headers), body).await;
            let answered = answered.map_err(BackendError::Failed)?;
            if answered.status == StatusCode::OK {
                Ok(answered.body)
            } else {
                Err(self.transformed(answered.status))
            }
        };
        let late = || BackendError::Failed(format!("no answer within {timeout:?}"));
        tokio::time::timeout(timeout, exchange).await.unwrap_or_else(|_| Err(late()))
    }

    fn transformed(&self, status: StatusCode) -> BackendError {
        let found = self.settings.transforms.iter().find(|transform| transform.status == status.as_u16());
        found.map_or_else(
            || BackendError::Failed(format!("the answer has status {}", status.as_u16())),
            |transform| transform.becomes.clone(),
        )
    }
}

/// A call under way; counted until it is dropped, by whomever.
struct Call<'p> {
    proxy: &'p Proxy,
    begun: std::time::Duration,
}

impl<'p> Call<'p> {
    fn begin(proxy: &'p Proxy) -> Self {
        proxy.calls.begun();
        Self { proxy, begun: proxy.clock.elapsed() }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.proxy.calls.ended(self.proxy.clock.elapsed().saturating_sub(self.begun));
    }
}

impl Backend for HttpBackend {
    fn connect(&self, call: Box<ConnectCall>) -> Answer<Result<Option<Box<ConnectClaims>>, BackendError>> {
        let headers = call.caller.headers.clone();
        self.ask::<wire::ConnectResponse, _>(headers, self.0.form.connect(*call), |result| {
            result.map(answers::connect).transpose()
        })
    }

    fn refresh(&self, caller: Caller) -> Answer<Result<Renewal, BackendError>> {
        let body = self.0.form.refresh(&caller);
        self.ask::<wire::RefreshResponse, _>(caller.headers, Ok(body), |result| {
            result.map_or(Ok(Renewal::Expired), answers::refresh)
        })
    }

    fn subscribe(&self, call: Box<SubscribeCall>) -> Answer<Result<Box<SubscribeGrant>, BackendError>> {
        let body = self.0.form.subscribe(&call);
        self.ask::<wire::SubscribeResponse, _>(call.caller.headers, body, |result| {
            answers::subscribe(result.unwrap_or_default())
        })
    }

    fn publish(&self, call: Box<PublishCall>) -> Answer<Result<Box<PublishGrant>, BackendError>> {
        let body = self.0.form.publish(&call);
        self.ask::<wire::PublishResponse, _>(call.caller.headers, body, |result| {
            answers::publish(result.unwrap_or_default())
        })
    }

    fn rpc(&self, call: Box<RpcCall>) -> Answer<Result<Payload, BackendError>> {
        let headers = call.caller.headers.clone();
        self.ask::<wire::RpcResponse, _>(headers, self.0.form.rpc(*call), |result| {
            answers::rpc(result.unwrap_or_default())
        })
    }

    fn sub_refresh(&self, call: Box<SubRefreshCall>) -> Answer<Result<Renewal, BackendError>> {
        let body = self.0.form.sub_refresh(&call);
        self.ask::<wire::SubRefreshResponse, _>(call.caller.headers, Ok(body), |result| {
            result.map_or(Ok(Renewal::Expired), answers::sub_refresh)
        })
    }
}
