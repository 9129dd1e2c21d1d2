use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::view::View;

/// Which backend is asked about what, names of proxies resolved. Config sections `client.proxy`, `channel.proxy`,
/// `rpc.proxy` and `proxies`.
///
/// The maps have an entry for each namespace that is switched on; the empty name stands for what has no namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proxies {
    /// Who connects without a token.
    pub connect: Option<Arc<Proxy>>,
    /// Whether a connection goes on.
    pub refresh: Option<Arc<Proxy>>,
    /// Who may subscribe.
    pub subscribe: BTreeMap<String, Arc<Proxy>>,
    /// Who may publish.
    pub publish: BTreeMap<String, Arc<Proxy>>,
    /// Whether a subscription goes on.
    pub sub_refresh: BTreeMap<String, Arc<Proxy>>,
    /// What procedures return.
    pub rpc: BTreeMap<String, Arc<Proxy>>,
}

/// How to ask one backend.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// What it is called among `proxies`; `default` for the others.
    pub name: String,
    /// The key that this was read from.
    pub key: String,
    /// Where it is. Only `http://` and `https://` work in this version.
    pub endpoint: String,
    /// Longest time of a call; never zero for a proxy that is checked at the start.
    pub timeout: Duration,
    /// Headers of the client's request that are passed on.
    pub http_headers: Vec<String>,
    /// Headers of the connect command that are passed on.
    pub emulated_headers: Vec<String>,
    /// Payloads travel as Base64.
    pub binary_encoding: bool,
    /// The connection's meta is told.
    pub include_connection_meta: bool,
    /// Headers of every request.
    pub static_headers: BTreeMap<String, String>,
    /// What a status means.
    pub status_to_code_transforms: Vec<StatusTransform>,
}

/// What an HTTP status means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusTransform {
    /// The status.
    pub status_code: i64,
    /// What becomes of it.
    pub to: StatusMeaning,
}

/// See [`StatusTransform`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusMeaning {
    /// The client's command fails.
    Error {
        /// Never 0.
        code: u32,
        /// ASCII.
        message: String,
        /// Whether the client may try again.
        temporary: bool,
    },
    /// The connection ends.
    Disconnect {
        /// Never 0.
        code: u32,
        /// ASCII.
        reason: String,
    },
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Static headers are where secrets between server and backend stand.
        let headers: Vec<&String> = self.static_headers.keys().collect();
        f.debug_struct("Proxy")
            .field("name", &self.name)
            .field("endpoint", &self.endpoint)
            .field("timeout", &self.timeout)
            .field("http_headers", &self.http_headers)
            .field("emulated_headers", &self.emulated_headers)
            .field("binary_encoding", &self.binary_encoding)
            .field("include_connection_meta", &self.include_connection_meta)
            .field("static_headers", &headers)
            .field("status_to_code_transforms", &self.status_to_code_transforms)
            .finish_non_exhaustive()
    }
}

impl Proxy {
    /// Whether the endpoint is one that this version can call.
    pub fn is_http(&self) -> bool {
        is_http(&self.endpoint)
    }

    fn read(view: &View<'_>, name: &str) -> Arc<Self> {
        let texts = |key: &str| view.texts(key).into_iter().map(str::to_lowercase).collect();
        let http = view.section("http");
        Arc::new(Self {
            name: name.to_owned(),
            key: view.shown().to_owned(),
            endpoint: view.text("endpoint").to_owned(),
            timeout: view.time("timeout"),
            http_headers: texts("http_headers"),
            emulated_headers: texts("emulated_headers"),
            binary_encoding: view.is("binary_encoding"),
            include_connection_meta: view.is("include_connection_meta"),
            static_headers: http.text_map("static_headers"),
            status_to_code_transforms: http
                .items("status_to_code_transforms")
                .iter()
                .map(transform)
                .collect(),
        })
    }
}

/// Whether an endpoint is one that this version can call.
pub(crate) fn is_http(endpoint: &str) -> bool {
    endpoint.starts_with("http://") || endpoint.starts_with("https://")
}

fn transform(view: &View<'_>) -> StatusTransform {
    let (error, disconnect) = (view.section("to_error"), view.section("to_disconnect"));
    let code = |view: &View<'_>| u32::try_from(view.int("code")).unwrap_or(0);
    let to = if code(&error) == 0 {
        StatusMeaning::Disconnect { code: code(&disconnect), reason: disconnect.text("reason").to_owned() }
    } else {
        let temporary = error.is("temporary");
        StatusMeaning::Error { code: code(&error), message: error.text("message").to_owned(), temporary }
    };
    StatusTransform { status_code: view.int("status_code"), to }
}

impl Proxies {
    /// Reads them out of the whole tree.
    pub(super) fn read(tree: &View<'_>) -> Self {
        let own = |key: &str| {
            let view = tree.section(key);
            view.is("enabled").then(|| Proxy::read(&view, "default"))
        };
        let channels = |event: &str| {
            let options = with_names(tree, "channel");
            named(tree, &options, &format!("{event}_proxy"), &format!("channel.proxy.{event}"))
        };
        Self {
            connect: own("client.proxy.connect"),
            refresh: own("client.proxy.refresh"),
            subscribe: channels("subscribe"),
            publish: channels("publish"),
            sub_refresh: channels("sub_refresh"),
            rpc: named(tree, &with_names(tree, "rpc"), "proxy", "rpc.proxy"),
        }
    }

    /// Headers of clients' requests that some backend is told: names in lower case, each once.
    pub fn http_headers(&self) -> Vec<String> {
        self.union(|proxy| &proxy.http_headers)
    }

    /// The same for headers in connect commands.
    pub fn emulated_headers(&self) -> Vec<String> {
        self.union(|proxy| &proxy.emulated_headers)
    }

    fn union(&self, headers: impl Fn(&Proxy) -> &Vec<String>) -> Vec<String> {
        let own = self.connect.iter().chain(&self.refresh);
        let maps = [&self.subscribe, &self.publish, &self.sub_refresh, &self.rpc];
        let all = own.chain(maps.into_iter().flat_map(BTreeMap::values));
        let names: BTreeSet<&String> = all.flat_map(|proxy| headers(proxy)).collect();
        names.into_iter().cloned().collect()
    }
}

/// The namespaces of a section by name, with the empty one for what has none.
fn with_names<'a>(tree: &View<'a>, section: &str) -> Vec<(String, View<'a>)> {
    let section = tree.section(section);
    let named = section.items("namespaces").into_iter().map(|item| (item.text("name").to_owned(), item));
    std::iter::once((String::new(), section.section("without_namespace"))).chain(named).collect()
}

/// For each namespace where `<prefix>_enabled` is on, the proxy that `<prefix>_name` names.
fn named(
    tree: &View<'_>,
    namespaces: &[(String, View<'_>)],
    prefix: &str,
    default: &str,
) -> BTreeMap<String, Arc<Proxy>> {
    let proxies = tree.items("proxies");
    let on = namespaces.iter().filter(|(_, options)| options.is(&format!("{prefix}_enabled")));
    on.map(|(namespace, options)| {
        let name = options.text(&format!("{prefix}_name"));
        // A name that is not found would have been refused.
        let proxy = match proxies.iter().find(|proxy| proxy.text("name") == name) {
            Some(proxy) => Proxy::read(proxy, name),
            None => Proxy::read(&tree.section(default), "default"),
        };
        (namespace.clone(), proxy)
    })
    .collect()
}
