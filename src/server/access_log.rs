//! Logs each request to the exporter at debug level.

use std::time::Instant;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use tracing::{Level, debug, enabled};

/// Logs a request when its response begins.
pub(super) async fn log<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if !enabled!(Level::DEBUG) {
        return next.call(request).await;
    }
    let (method, path) = (request.method().to_string(), request.path().to_owned());
    let began = Instant::now();
    let answer = next.call(request).await?;
    let milliseconds = began.elapsed().as_millis();
    debug!(method, path, status = answer.status().as_u16(), milliseconds, "answered");
    Ok(answer)
}
