//! `axum`: the publish endpoint as a web framework's users would write it, without a server behind it.

use std::net::Ipv4Addr;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::wire::API_KEY;

#[derive(Deserialize)]
struct Publish<'a> {
    channel: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Serves `POST /api/publish` for ever, on two threads.
pub(crate) fn run() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("listening {}", listener.local_addr()?);
        axum::serve(listener, Router::new().route("/api/publish", post(publish))).await?;
        Ok(())
    })
}

async fn publish(headers: HeaderMap, body: Bytes) -> Response {
    if headers.get("x-api-key").is_none_or(|key| key != API_KEY) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match serde_json::from_slice::<Publish<'_>>(&body) {
        Ok(publish) if !publish.channel.is_empty() && !publish.data.get().is_empty() => {
            ([(header::CONTENT_TYPE, "application/json")], r#"{"result":{}}"#).into_response()
        }
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}
