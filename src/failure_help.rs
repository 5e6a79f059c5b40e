//! Explains each failure reason to people: its meaning, and what to check first. Code is in backquotes.

use crate::outcome::FailureReason;

/// Returns the meaning of the reason, in one sentence.
#[must_use]
pub fn meaning(reason: FailureReason) -> &'static str {
    match reason {
        FailureReason::Config => "A secret or TLS file of this broker could not be read.",
        FailureReason::Dns => "The host name of the broker could not be resolved.",
        FailureReason::Connect => "The connection to the broker's REST API failed.",
        FailureReason::Tls => "The TLS handshake with the broker failed.",
        FailureReason::Timeout => "The broker did not respond in time.",
        FailureReason::Unauthorized => "The broker rejected the API key (401).",
        FailureReason::Forbidden => "The API key is not allowed to read what was requested (403).",
        FailureReason::HttpStatus => "The broker answered with an unexpected HTTP status.",
        FailureReason::Protocol => "The connection was lost, the response was truncated, or it was not HTTP.",
        FailureReason::Decode => "The response was complete, but not what EMQX returns.",
        FailureReason::TooLarge => {
            "A response was larger than any EMQX returns, or a list longer than is read."
        }
    }
}

/// Returns what to check first.
#[must_use]
pub fn remedy(reason: FailureReason) -> &'static str {
    match reason {
        FailureReason::Config => {
            "The error names the file or variable. The user that runs the exporter must be able to read it; the next \
             probe tries again, without a restart."
        }
        FailureReason::Dns => {
            "Check the host in `api_url`, and that it can be resolved where the exporter runs. In Kubernetes, the name \
             of a Service in another namespace must include that namespace."
        }
        FailureReason::Connect => {
            "Check that EMQX is running, that its dashboard listens on this port (18083 by default), and that no \
             firewall or NetworkPolicy blocks the connection. With `proxy_url`, the error says whether the proxy is \
             unreachable or what it answered."
        }
        FailureReason::Tls => {
            "The error names the step: a certificate for another name (`server_name`), from an unknown authority \
             (`ca_file`) or expired, a missing client certificate (`cert_file`), or a port without TLS."
        }
        FailureReason::Timeout => {
            "A node of the cluster may hang: the debug view shows the requests without a response. If the error says \
             that `concurrency` limits the probe, increase it. If EMQX is only slow, as with thousands of offline \
             durable sessions, increase `timeout_seconds` and Prometheus' `scrape_timeout`."
        }
        FailureReason::Unauthorized => {
            "The key or secret is wrong, or the key is disabled or expired: check System > API Key in the EMQX \
             dashboard."
        }
        FailureReason::Forbidden => {
            "Give the key the role `viewer` and, where keys have scopes, `connections`: System > API Key in the EMQX \
             dashboard."
        }
        FailureReason::HttpStatus => {
            "404: EMQX is still starting, or the path in `api_url` is wrong (it ends in /api). 3xx: `api_url` must be \
             the address it redirects to. 5xx: an error of EMQX or of a proxy in front of it."
        }
        FailureReason::Protocol => {
            "EMQX or a proxy may be restarting. If it persists, check that the port speaks HTTP, not MQTT, and not TLS \
             while `api_url` says http."
        }
        FailureReason::Decode => {
            "Check that `api_url` points to EMQX, not to a login page or another program. If only some clients are \
             affected, EMQX returned an invalid value: the debug view shows it."
        }
        FailureReason::TooLarge => {
            "Check that `api_url` points to EMQX, not to another program. A list of retained messages needs a narrower \
             filter in `seen_topics`."
        }
    }
}
