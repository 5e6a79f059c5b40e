//! What people are told of each reason for which a probe could not find something out: what it means, and what to look
//! at first. What one types stands in backquotes.

use crate::outcome::Reason;

/// What it means, in one sentence.
#[must_use]
pub fn meaning(reason: Reason) -> &'static str {
    match reason {
        Reason::Config => "A secret or a TLS file of this broker could not be read.",
        Reason::Dns => "The broker's name could not be resolved.",
        Reason::Connect => "No connection could be made to the broker's REST API.",
        Reason::Tls => "The connection was made, but TLS could not be agreed on.",
        Reason::Timeout => "No answer came in time.",
        Reason::Unauthorized => "The broker does not accept the API key (401).",
        Reason::Forbidden => "The broker accepts the API key, but does not let it ask for clients (403).",
        Reason::HttpStatus => "The broker answered with a status that is no answer.",
        Reason::Protocol => "The connection broke, the answer was cut short, or it was not HTTP.",
        Reason::Decode => "A whole answer came, but not one that EMQX gives.",
        Reason::TooLarge => "An answer came that is larger than any EMQX gives.",
    }
}

/// What to look at first.
#[must_use]
pub fn remedy(reason: Reason) -> &'static str {
    match reason {
        Reason::Config => {
            "The cause names the file or the variable. The user the exporter runs as must be able to read it; the \
             next probe tries again, without a restart."
        }
        Reason::Dns => {
            "Is the host in `api_url` spelled right, and known where the exporter runs? In Kubernetes a Service of \
             another namespace needs its namespace in the name."
        }
        Reason::Connect => {
            "Is EMQX up, does its dashboard listen there (port 18083 by default), and does no firewall or \
             NetworkPolicy stand between?"
        }
        Reason::Tls => {
            "The cause says at which step: a certificate of another name (`server_name`), of an unknown authority \
             (`ca_file`), one that has expired, a client certificate that is missing, or a port that speaks plain \
             HTTP."
        }
        Reason::Timeout => {
            "A node of the cluster may hang: the debug view shows which requests stayed silent. Where EMQX is only \
             slow, give it more time with `timeout_seconds` and Prometheus' `scrape_timeout`."
        }
        Reason::Unauthorized => {
            "Key or secret is wrong, or the key is disabled or expired: look at System > API Key in the EMQX dashboard."
        }
        Reason::Forbidden => {
            "Give the key the role `viewer` and, where keys have scopes, `connections`: System > API Key in the EMQX \
             dashboard."
        }
        Reason::HttpStatus => {
            "404 is what a booting broker says to everything, and what a wrong path in `api_url` gets (it ends in \
             /api); 5xx is trouble of the broker or of a proxy before it. The cause says which."
        }
        Reason::Protocol => {
            "Often a broker or a proxy that is restarting; if it stays, a port that speaks something else, such as \
             MQTT, or TLS where `api_url` says http."
        }
        Reason::Decode => {
            "Does `api_url` lead to EMQX, and not to a login page or another program? If it is about a single \
             client, EMQX told something of it that cannot be: the debug view shows what."
        }
        Reason::TooLarge => "Does `api_url` lead to EMQX, and not to another program?",
    }
}
