//! Bans on client IDs, of clients that the broker does not know.

use fake_emqx::{Ban, FakeEmqx, Fault, Request, Version, When};
use jiff::{SignedDuration, Timestamp};

use super::{PROBE, debug_view, group, like, of, watching_with};

const BANNED: &str = "broker=LocalEMQX&collect[]=banned";

fn banned<'a>(families: &'a crate::support::Families, client_id: &str) -> Option<&'a str> {
    of(families, "id_banned", client_id)
}

/// Path and query of each request for bans.
fn asked(fake: &FakeEmqx) -> Vec<String> {
    let lists = fake.requests().into_iter().filter(Request::is_ban_list);
    lists.map(|request| request.target.trim_start_matches("/api/v5").to_owned()).collect()
}

#[test]
fn bans_on_exactly_the_client_id_of_absent_clients_are_reported() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.add(like("here"));
    fake.ban(Ban::client_id("for-ever"));
    fake.ban(Ban::client_id("until").until("2100-01-01T00:00:00Z".parse().expect("a time")));
    fake.ban(Ban::by_flapping_detection("flapping"));
    for (kind, who) in [("clientid_re", "^free$"), ("username", "free"), ("peerhost", "192.0.2.7")] {
        fake.ban(Ban::of(kind, who));
    }
    let exporter = watching_with(&fake, "", &["here", "for-ever", "until", "flapping", "free"]);
    let families = exporter.probe(BANNED);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(group(&families, "banned"), Some("1"));
    assert_eq!(
        ["here", "for-ever", "until", "flapping", "free"].map(|id| banned(&families, id)),
        [None, Some("1"), Some("1"), Some("1"), Some("0")]
    );
    let end = |id| of(&families, "id_ban_end_timestamp_seconds", id);
    assert_eq!(["here", "for-ever", "until", "free"].map(end), [None, Some("+Inf"), Some("4102444800"), None]);
    assert!(end("flapping").expect("it ends").parse::<i64>().expect("seconds") > Timestamp::now().as_second());
    assert_eq!(asked(&fake), ["/banned?page=1&limit=100"]);

    fake.reset_counters();
    let families = exporter.probe(PROBE);
    assert_eq!(group(&families, "banned"), None, "it must be named");
    assert!(asked(&fake).is_empty());
}

#[test]
fn a_ban_that_has_ended_by_the_clock_of_the_broker_is_none() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    let now = Timestamp::now();
    fake.ban(Ban::client_id("ended").until(now - SignedDuration::from_secs(5)));
    fake.ban(Ban::client_id("lasts").until(now + SignedDuration::from_secs(120)));
    let exporter = watching_with(&fake, "", &["ended", "lasts"]);
    let families = exporter.probe(BANNED);
    assert_eq!(["ended", "lasts"].map(|id| banned(&families, id)), [Some("0"), Some("1")]);
    assert_eq!(of(&families, "id_ban_end_timestamp_seconds", "ended"), None);

    // The clock of the broker counts, not that of the exporter.
    let body =
        r#"{"data":[{"as":"clientid","who":"ended","until":"2020-01-01T00:10:00+00:00"}],"meta":{"count":1}}"#;
    let dated = [("content-type", "application/json"), ("date", "Wed, 01 Jan 2020 00:09:59 GMT")];
    fake.inject(When::Bans, Fault::response(200, &dated, body));
    assert_eq!(banned(&exporter.probe(BANNED), "ended"), Some("1"));
}

#[test]
fn a_long_list_is_read_where_many_clients_are_away() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    for number in 0..1_050 {
        fake.ban(Ban::client_id(&format!("banned-{number}")));
    }
    let mut ids: Vec<_> = (0..30).map(|number| format!("banned-{}", number * 36)).collect();
    ids.push("free".to_owned());
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let exporter = watching_with(&fake, "", &ids);
    let families = exporter.probe(BANNED);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(families.all("emqx_mqtt_client_id_banned", &[]).len(), 31);
    assert_eq!([ids[29], "free"].map(|id| banned(&families, id)), [Some("1"), Some("0")]);
    let pages = ["/banned?page=1&limit=100", "/banned?page=1&limit=1000", "/banned?page=2&limit=1000"];
    assert_eq!(asked(&fake), pages);
    let view = debug_view(&exporter, BANNED);
    assert!(view.contains("- bans: 1050; clients that may be away: 31; listing the bans"), "{view}");
}

#[test]
fn few_absent_clients_are_asked_for_by_themselves() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    for number in 0..151 {
        fake.ban(Ban::client_id(&format!("banned-{number}")));
    }
    fake.add(like("here"));
    let families = watching_with(&fake, "", &["here", "banned-0", "banned-150", "a b/+"]).probe(BANNED);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(
        ["here", "banned-0", "banned-150", "a b/+"].map(|id| banned(&families, id)),
        [None, Some("1"), Some("1"), Some("0")]
    );
    let mut requests = asked(&fake);
    requests.sort();
    assert_eq!(
        requests,
        [
            "/banned?clientid=a%20b%2F%2B",
            "/banned?clientid=banned-0",
            "/banned?clientid=banned-150",
            "/banned?page=1&limit=100",
        ]
    );
}

#[test]
fn a_broker_that_ignores_the_filter_is_listed() {
    let fake = FakeEmqx::start(Version::V5_0_26);
    for number in 0..151 {
        fake.ban(Ban::client_id(&format!("banned-{number}")));
    }
    let exporter = watching_with(&fake, "", &["banned-150", "free"]);
    let families = exporter.probe(BANNED);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(["banned-150", "free"].map(|id| banned(&families, id)), [Some("1"), Some("0")]);
    let requests = asked(&fake);
    assert_eq!(requests.len(), 3, "{requests:?}");
    assert_eq!(requests[2], "/banned?page=1&limit=1000");
    assert!(
        debug_view(&exporter, BANNED)
            .contains("the broker ignores the filter of bans (EMQX before 5.8.1 does)")
    );
}

#[test]
fn a_refusal_or_a_row_that_cannot_be_read_fails_the_group_alone() {
    let odd = r#"{"data":[{"as":"clientid","who":"a","until":5}],"meta":{"count":1}}"#;
    let endless = r#"{"data":[{"as":"clientid","who":"a","until":null}],"meta":{"count":1}}"#;
    for (fault, reason) in [
        (Fault::refused_by_scope(), "forbidden"),
        (Fault::status(200, "application/json", odd), "decode"),
        (Fault::status(200, "application/json", endless), "decode"),
    ] {
        let fake = FakeEmqx::start(Version::V6_2_2);
        fake.add(like("here"));
        fake.inject(When::Bans, fault);
        let families = watching_with(&fake, "", &["here", "a"]).probe(BANNED);
        assert_eq!(families.reasons(), [reason]);
        assert_eq!(group(&families, "banned"), Some("0"));
        assert!(families.all("emqx_mqtt_client_id_banned", &[]).is_empty());
        assert_eq!(of(&families, "connected", "here"), Some("1"));
        assert_eq!(of(&families, "session_present", "a"), Some("0"));
    }
}
