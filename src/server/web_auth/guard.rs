//! What the web configuration says about requests and responses: the rate limit, basic authentication and headers.

use std::time::Instant;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};

use super::super::{AppState, text};
use super::WebAuth;
use super::auth::authenticate;
use crate::config::web::WebConfig;

/// Paths without limit and authentication: the kubelet, which requests them, has no password, and restarts what does not
/// answer.
const PUBLIC_PATHS: [&str; 2] = ["/-/healthy", "/-/ready"];

/// Refuses requests beyond the rate limit and those without the credentials of a user, and adds the headers to every
/// response.
pub(in crate::server) async fn guard<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let state = request.app_data::<Data<AppState>>().cloned();
    let Some((state, web_auth)) = state.as_ref().and_then(|state| Some((state, state.web_auth.as_ref()?)))
    else {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    };
    let config = web_auth.current();
    let mut response = match refuse(&request, state, web_auth, &config).await {
        Some(refusal) => request.into_response(refusal).map_into_right_body(),
        None => next.call(request).await?.map_into_left_body(),
    };
    for (name, value) in &config.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    Ok(response)
}

async fn refuse(
    request: &ServiceRequest,
    state: &AppState,
    web_auth: &WebAuth,
    config: &WebConfig,
) -> Option<HttpResponse> {
    if state.routing.route(request.path()).is_some_and(|route| PUBLIC_PATHS.contains(&route)) {
        return None;
    }
    if let Some(limit) = config.rate_limit
        && let Err(wait) = web_auth.rate_limiter.take(limit, Instant::now())
    {
        let mut answer = HttpResponse::TooManyRequests();
        let seconds = wait.as_secs_f64().ceil();
        answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
        return Some(text(answer, "Too Many Requests\n"));
    }
    if config.users.is_empty() {
        return None;
    }
    authenticate(request, state, web_auth, &config.users).await
}
