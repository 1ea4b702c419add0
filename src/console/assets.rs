//! The files that pages load. Their names have their hash, so a browser may keep them.

use std::sync::LazyLock;

use axum::{
    body::Body,
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::Response,
};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// How much of its hash is in the name of a file.
const HASH_BYTES: usize = 8;

/// The type of a script.
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The style sheet.
pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("console", "css", "text/css; charset=utf-8", include_str!("assets/console.css"))
});

/// The icon of the browser's tab.
pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")));

/// What every page runs.
pub(super) static PAGE_SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page", "js", SCRIPT, include_str!("assets/page.js")));

/// What the page of the log runs.
pub(super) static LIVE_SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("live", "js", SCRIPT, include_str!("assets/live.js")));

/// What the page of the proof runs.
pub(super) static PROOF_SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("proof", "js", SCRIPT, include_str!("assets/proof.js")));

/// What verifies, in a worker of that page.
pub(super) static VERIFY_SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("verify", "js", SCRIPT, include_str!("assets/verify.js")));

/// A file in the binary.
#[derive(Debug)]
pub(super) struct Asset {
    pub(super) path: String,
    content_type: &'static str,
    content: &'static str,
}

impl Asset {
    fn new(name: &str, end: &str, content_type: &'static str, content: &'static str) -> Self {
        let hash: [u8; 32] = Sha256::digest(content).into();
        let hash = HEXLOWER.encode(hash.get(..HASH_BYTES).unwrap_or(&hash));
        Self { path: format!("/assets/{name}-{hash}.{end}"), content_type, content }
    }
}

/// The file with this path.
pub(super) fn find(path: &str) -> Option<Response> {
    let all = [&STYLE, &ICON, &PAGE_SCRIPT, &LIVE_SCRIPT, &PROOF_SCRIPT, &VERIFY_SCRIPT];
    let asset = all.into_iter().find(|asset| asset.path == path)?;
    let mut response = Response::new(Body::from(asset.content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(CACHE_CONTROL, forever);
    Some(response)
}
