//! Reads the topics of a broker or of a client: `seen_topics` and `subscriptions`.

use super::mapping::Mapping;
use super::node_ref::NodeRef;
use crate::client::{TopicError, TopicTemplate, Topics};

const SEEN: &str = "a list of topics of retained messages that are a sign of life";
const SUBSCRIPTIONS: &str = "a list of topic filters that must be subscribed to";

/// Reads the topics that concern all clients of a broker.
pub(super) fn read_of_broker(mapping: &mut Mapping<'_>) -> Topics {
    read(mapping, TopicTemplate::seen)
}

/// Reads the topics of one client.
pub(super) fn read_of_client(mapping: &mut Mapping<'_>) -> Topics {
    read(mapping, TopicTemplate::seen_of_client)
}

fn read(mapping: &mut Mapping<'_>, seen: fn(&str) -> Result<TopicTemplate, TopicError>) -> Topics {
    let seen = mapping.optional("seen_topics").map(|value| read_list(&value, SEEN, seen));
    let subscriptions = mapping
        .optional("subscriptions")
        .map(|value| read_list(&value, SUBSCRIPTIONS, TopicTemplate::subscription));
    Topics { seen: seen.unwrap_or_default(), subscriptions: subscriptions.unwrap_or_default() }
}

fn read_list(
    value: &NodeRef<'_>,
    expected: &str,
    parse: fn(&str) -> Result<TopicTemplate, TopicError>,
) -> Vec<TopicTemplate> {
    let mut templates: Vec<TopicTemplate> = Vec::new();
    let elements = match value.as_text() {
        Some(_) => vec![value.clone()],
        None => value.elements(expected).unwrap_or_default(),
    };
    for element in elements {
        // Not `text`, which warns of variables: here they are placeholders, or errors.
        let Some(text) = element.as_text() else {
            element.error("must be a topic");
            continue;
        };
        match parse(text) {
            Err(error) => element.error(error),
            Ok(template) if templates.contains(&template) => element.error("duplicate entry"),
            Ok(template) => {
                if template.has_empty_level() {
                    element.warn(
                        "has an empty level: if a tool (docker compose, Flux, envsubst) replaced ${clientid} or ${alias} by \
                         nothing, escape it there, for most as $${clientid}",
                    );
                }
                templates.push(template);
            }
        }
    }
    templates
}
