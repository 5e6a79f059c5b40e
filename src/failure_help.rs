//! What people are told of each reason for which a probe could not find something out: what it means, and what to look
//! at first. What one types stands in backquotes.

use crate::outcome::FailureReason;

/// What it means, in one sentence.
#[must_use]
pub fn meaning(reason: FailureReason) -> &'static str {
    match reason {
        FailureReason::Config => "A secret or a TLS file of this broker could not be read.",
        FailureReason::Dns => "The broker's name could not be resolved.",
        FailureReason::Connect => "No connection could be made to the broker's REST API.",
        FailureReason::Tls => "The connection was made, but TLS could not be agreed on.",
        FailureReason::Timeout => "No answer came in time.",
        FailureReason::Unauthorized => "The broker does not accept the API key (401).",
        FailureReason::Forbidden => {
            "The broker accepts the API key, but does not let it ask for clients (403)."
        }
        FailureReason::HttpStatus => "The broker answered with a status that is no answer.",
        FailureReason::Protocol => "The connection broke, the answer was cut short, or it was not HTTP.",
        FailureReason::Decode => "A whole answer came, but not one that EMQX gives.",
        FailureReason::TooLarge => "An answer came that is larger than any EMQX gives.",
    }
}

/// What to look at first.
#[must_use]
pub fn remedy(reason: FailureReason) -> &'static str {
    match reason {
        FailureReason::Config => {
            "The cause names the file or the variable. The user the exporter runs as must be able to read it; the \
             next probe tries again, without a restart."
        }
        FailureReason::Dns => {
            "Is the host in `api_url` spelled right, and known where the exporter runs? In Kubernetes a Service of \
             another namespace needs its namespace in the name."
        }
        FailureReason::Connect => {
            "Is EMQX up, does its dashboard listen there (port 18083 by default), and does no firewall or \
             NetworkPolicy stand between?"
        }
        FailureReason::Tls => {
            "The cause says at which step: a certificate of another name (`server_name`), of an unknown authority \
             (`ca_file`), one that has expired, a client certificate that is missing, or a port that speaks plain \
             HTTP."
        }
        FailureReason::Timeout => {
            "A node of the cluster may hang: the debug view shows which requests stayed silent. Where EMQX is only \
             slow, give it more time with `timeout_seconds` and Prometheus' `scrape_timeout`."
        }
        FailureReason::Unauthorized => {
            "Key or secret is wrong, or the key is disabled or expired: look at System > API Key in the EMQX dashboard."
        }
        FailureReason::Forbidden => {
            "Give the key the role `viewer` and, where keys have scopes, `connections`: System > API Key in the EMQX \
             dashboard."
        }
        FailureReason::HttpStatus => {
            "404 is what a booting broker says to everything, and what a wrong path in `api_url` gets (it ends in \
             /api); 5xx is trouble of the broker or of a proxy before it. The cause says which."
        }
        FailureReason::Protocol => {
            "Often a broker or a proxy that is restarting; if it stays, a port that speaks something else, such as \
             MQTT, or TLS where `api_url` says http."
        }
        FailureReason::Decode => {
            "Does `api_url` lead to EMQX, and not to a login page or another program? If it is about a single \
             client, EMQX told something of it that cannot be: the debug view shows what."
        }
        FailureReason::TooLarge => "Does `api_url` lead to EMQX, and not to another program?",
    }
}
