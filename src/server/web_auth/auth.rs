//! Basic authentication of requests.

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, HeaderMap};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tracing::warn;

use super::super::{AppState, busy, text};
use super::WebAuth;
use super::credential_cache::{Credentials, LoginResult};
use crate::config::web::Users;

const CHALLENGE: &str = r#"Basic realm="emqx-client-monitor""#;

/// Returns the refusal of a request without the credentials of one of the users.
pub(super) async fn authenticate(
    request: &ServiceRequest,
    state: &AppState,
    web_auth: &WebAuth,
    users: &Users,
) -> Option<HttpResponse> {
    let Some(credentials) = credentials(request.headers()) else {
        return Some(unauthorized("missing user name and password (basic authentication)\n"));
    };
    let user = credentials.user.clone();
    let peer = request.peer_addr().into();
    match web_auth.credential_cache.check(users, credentials, peer).await {
        LoginResult::Right => None,
        LoginResult::Wrong { checked } => {
            let peer = request.peer_addr().map(|address| address.ip());
            // Without the user name: some people type their password there.
            if checked && let Some(suppressed) = state.wrong_logins.admit((peer, user)) {
                let peer = peer.map(tracing::field::display);
                warn!(peer, suppressed, "refused a request: wrong user name or password");
            }
            Some(unauthorized("wrong user name or password\n"))
        }
        LoginResult::Busy => Some(busy("too many passwords are being checked\n")),
    }
}

fn unauthorized(why: &str) -> HttpResponse {
    let mut answer = HttpResponse::Unauthorized();
    answer.insert_header((header::WWW_AUTHENTICATE, CHALLENGE));
    text(answer, why)
}

/// Returns the credentials of a request, if it has any that can be parsed.
fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let mut decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let password = decoded.split_off(colon + 1).into();
    decoded.truncate(colon);
    Some(Credentials { user: String::from_utf8(decoded).ok()?, password })
}
