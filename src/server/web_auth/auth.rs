//! Basic authentication of requests.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tracing::warn;

use super::super::{AppState, busy, text};
use super::credential_cache::{Credentials, LoginResult};

/// Paths without authentication: the kubelet, which requests them, has no password.
const PUBLIC_PATHS: [&str; 2] = ["/-/healthy", "/-/ready"];

const CHALLENGE: &str = r#"Basic realm="emqx-client-monitor""#;

/// Refuses a request without the credentials of one of the users, if the web configuration has users.
pub(in crate::server) async fn authenticate<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match refusal(&request).await {
        Some(refusal) => Ok(request.into_response(refusal).map_into_right_body()),
        None => next.call(request).await.map(ServiceResponse::map_into_left_body),
    }
}

async fn refusal(request: &ServiceRequest) -> Option<HttpResponse> {
    let state = request.app_data::<Data<AppState>>()?;
    let web_auth = state.web_auth.as_ref()?;
    let config = web_auth.current();
    let is_public = state.routing.route(request.path()).is_some_and(|route| PUBLIC_PATHS.contains(&route));
    if config.users.is_empty() || is_public {
        return None;
    }
    let Some(credentials) = credentials(request.headers()) else {
        return Some(unauthorized("missing user name and password (basic authentication)\n"));
    };
    let user = credentials.user.clone();
    let peer = request.peer_addr().into();
    match web_auth.credential_cache.check(&config.users, credentials, peer).await {
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
