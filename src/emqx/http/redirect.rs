//! Where a redirect leads to, in a form that can be shown.

use awc::ClientResponse;
use awc::http::header;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use url::{Position, Url};

/// Maximum length of an address in characters.
const MAX_LENGTH: usize = 200;

/// Returns the address that `api_url` would have to be for the redirect not to happen, or the address the redirect
/// leads to; `None` for any other response, or for an address that cannot be shown.
pub(super) fn redirect_address<S>(
    response: &ClientResponse<S>,
    api_url: &Url,
    target: &str,
    secrets: &[SecretString],
) -> Option<String> {
    if !response.status().is_redirection() {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    address(location, api_url, target, secrets)
}

fn address(location: &str, api_url: &Url, target: &str, secrets: &[SecretString]) -> Option<String> {
    let requested = Url::parse(&format!("{}{target}", &api_url[..Position::AfterPath])).ok()?;
    let location = requested.join(location).ok().filter(|url| ["http", "https"].contains(&url.scheme()))?;
    let path = location.path();
    let target = target.split('?').next().unwrap_or_default();
    // Without user, query and fragment, which may hold anything.
    let address = format!(
        "{}://{}{}",
        location.scheme(),
        &location[Position::BeforeHost..Position::AfterPort],
        path.strip_suffix(target).unwrap_or(path)
    );
    // A confused server may echo what it was sent.
    let is_shown = address.len() <= MAX_LENGTH && !holds_secret(&address, secrets);
    is_shown.then_some(address)
}

fn holds_secret(text: &str, secrets: &[SecretString]) -> bool {
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    let secrets = secrets.iter().map(SecretString::expose_secret).filter(|secret| !secret.is_empty());
    secrets.into_iter().any(|secret| text.contains(secret) || decoded.contains(secret))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn of(location: &str) -> Option<String> {
        let api_url = Url::parse("http://emqx:18083/api").expect("a URL");
        let header = BASE64_STANDARD.encode("the-key:the/secret");
        let secrets = ["the-key", "the/secret", &header, ""].map(SecretString::from);
        address(location, &api_url, "/v5/clients?limit=1", &secrets)
    }

    #[test]
    fn the_new_address_is_that_for_api_url() {
        for (location, shown) in [
            ("https://emqx:18084/api/v5/clients?limit=1", Some("https://emqx:18084/api")),
            ("https://emqx/other/api/v5/clients", Some("https://emqx/other/api")),
            ("//[::1]:8080/api/v5/clients", Some("http://[::1]:8080/api")),
            ("/login?next=/api#top", Some("http://emqx:18083/login")),
            ("https://user:password@sso.example/\u{1b}[2J<b>", Some("https://sso.example/%1B[2J%3Cb%3E")),
            ("https://b\u{fc}cher.example", Some("https://xn--bcher-kva.example/")),
        ] {
            assert_eq!(of(location).as_deref(), shown, "{location}");
        }
    }

    #[test]
    fn addresses_that_cannot_be_shown_are_not() {
        let header = BASE64_STANDARD.encode("the-key:the/secret");
        for location in [
            "ftp://emqx/api",
            "javascript:alert(1)",
            "https://",
            "https://emqx/the-key/",
            "https://emqx/the%2Fsecret/",
            "https://emqx/the%2fsecr%65t/",
            "https://the-key.example/",
            &format!("https://emqx/{header}"),
            &format!("https://emqx/{}", "x".repeat(MAX_LENGTH)),
        ] {
            assert_eq!(of(location), None, "{location}");
        }
    }
}
