use flywheel_model::{OptionOverrides, Payload};
use proptest::prelude::*;

use super::*;
use crate::sign::sign_hs256;

mod public;
mod signature;

const SECRET: &[u8] = b"appendix-secret";
const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

fn settings() -> TokenSettings {
    TokenSettings { hmac_secret_key: Some("appendix-secret".into()), ..TokenSettings::default() }
}

fn verifier(settings: TokenSettings) -> Verifier {
    Verifier::new(settings).unwrap()
}

fn connect(claims: &str) -> Result<ConnectClaims, Unverified> {
    verifier(settings()).verify_connect(&sign_hs256(SECRET, claims), NOW)
}

fn subscribe(claims: &str) -> Result<SubscriptionClaims, Unverified> {
    verifier(settings()).verify_subscription(&sign_hs256(SECRET, claims), NOW)
}

fn json(text: &'static str) -> Payload {
    Payload::from_json(text.as_bytes().into())
}

/// Each claims text must be invalid for the reason beside it.
#[track_caller]
fn refuses(cases: &[(&str, Reason)]) {
    for (claims, reason) in cases {
        assert_eq!(connect(claims), Err((*reason).into()), "{claims}");
    }
}

#[test]
fn the_user_is_the_subject_or_the_configured_claim() {
    assert!(connect("{}").unwrap().user.is_anonymous());
    assert!(connect(r#"{"sub":null}"#).unwrap().user.is_anonymous());
    assert_eq!(connect(r#"{"sub":"a\u0062"}"#).unwrap().user, "ab".into());
    assert_eq!(connect(r#"{"sub":"1","sub":"2"}"#).unwrap().user, "2".into());
    refuses(&[(r#"{"sub":42}"#, Reason::Claim("sub")), (r#"{"sub":{}}"#, Reason::Claim("sub"))]);

    let other = verifier(TokenSettings { user_id_claim: Some("user_id".into()), ..settings() });
    let user =
        |claims: &str| other.verify_connect(&sign_hs256(SECRET, claims), NOW).map(|claims| claims.user);
    assert_eq!(user(r#"{"sub":"1","user_id":"2"}"#), Ok("2".into()));
    assert_eq!(user(r#"{"sub":"1"}"#), Ok("".into()));
    assert_eq!(user(r#"{"user_id":2}"#), Err(Reason::UserIdClaim.into()));
}

#[test]
fn the_time_must_lie_between_nbf_and_exp_without_leeway() {
    let valid = |claims: String| connect(&claims).map(|claims| claims.expire_at);
    let now = NOW.0;
    assert_eq!(valid(format!(r#"{{"exp":{}}}"#, now + 1)), Ok(Some(UnixSeconds(now + 1))));
    assert_eq!(valid(format!(r#"{{"exp":{now}}}"#)), Err(TokenError::Expired.into()));
    assert_eq!(valid(format!(r#"{{"exp":{now}.9}}"#)), Err(TokenError::Expired.into()));
    assert_eq!(valid(format!(r#"{{"exp":{}.9}}"#, now + 1)), Ok(Some(UnixSeconds(now + 1))));
    assert_eq!(valid(format!(r#"{{"exp":"{}"}}"#, now + 1)), Ok(Some(UnixSeconds(now + 1))));
    assert_eq!(valid(r#"{"exp":null,"nbf":null}"#.into()), Ok(None));
    assert_eq!(valid(r#"{"exp":4.1e9}"#.into()), Ok(Some(UnixSeconds(4_100_000_000))));
    assert_eq!(valid(r#"{"exp":1e300}"#.into()), Ok(Some(UnixSeconds(i64::MAX))));
    assert_eq!(valid(format!(r#"{{"nbf":{now}}}"#)), Ok(None));
    assert_eq!(valid(format!(r#"{{"nbf":{}}}"#, now + 1)), Err(TokenError::Expired.into()));
    for past in ["0", "-1", "-0.5", "\"0\"", "1600000000", "-1e300"] {
        assert_eq!(valid(format!(r#"{{"exp":{past}}}"#)), Err(TokenError::Expired.into()), "{past}");
    }
    for wrong in ["true", "[]", "{}", "\"\"", "\" 5\"", "\"5 \"", "\"+5\"", "\"05\"", "\"soon\"", "1e400"] {
        for claim in ["exp", "nbf"] {
            assert_eq!(
                valid(format!(r#"{{"{claim}":{wrong}}}"#)),
                Err(Reason::Claim(claim).into()),
                "{claim} {wrong}"
            );
        }
    }
}

#[test]
fn expire_at_decides_over_the_end_of_the_connection_and_exp_over_the_token() {
    let expiry = |claims: &str| connect(claims).map(|claims| claims.expire_at);
    assert_eq!(expiry("{}"), Ok(None));
    assert_eq!(expiry(r#"{"exp":4102444800,"expire_at":1800000000}"#), Ok(Some(UnixSeconds(1_800_000_000))));
    assert_eq!(expiry(r#"{"exp":4102444800,"expire_at":0}"#), Ok(None));
    assert_eq!(expiry(r#"{"exp":4102444800,"expire_at":-5}"#), Ok(None));
    assert_eq!(expiry(r#"{"exp":4102444800,"expire_at":null}"#), Ok(Some(UnixSeconds(4_102_444_800))));
    assert_eq!(expiry(r#"{"expire_at":1800000000}"#), Ok(Some(UnixSeconds(1_800_000_000))));
    assert_eq!(expiry(r#"{"exp":1600000000,"expire_at":0}"#), Err(TokenError::Expired.into()));
    for wrong in ["1.5", "\"5\"", "true", "1e3", "99999999999999999999"] {
        let claims = format!(r#"{{"expire_at":{wrong}}}"#);
        assert_eq!(expiry(&claims), Err(Reason::Claim("expire_at").into()), "{wrong}");
    }
}

#[test]
fn payloads_are_taken_verbatim_and_base64_wins() {
    let claims = connect("{\"info\" : {\"a\": 1,\n \"b\":\t[1.0, 2e0]} ,\"meta\":{ \"k\" : 1 }}").unwrap();
    assert_eq!(claims.info.as_ref().unwrap().bytes(), "{\"a\": 1,\n \"b\":\t[1.0, 2e0]}");
    assert_eq!(claims.meta.as_ref().unwrap(), "{ \"k\" : 1 }");

    let info = |claims: &str| connect(claims).unwrap().info;
    assert_eq!(info(r#"{"info":null}"#), Some(json("null")));
    assert_eq!(info(r#"{"info":1,"b64info":"eyJ4IjoyfQ=="}"#), Some(json(r#"{"x":2}"#)));
    assert_eq!(info(r#"{"info":1,"b64info":""}"#), Some(json("1")));
    assert_eq!(info(r#"{"info":1,"b64info":null}"#), Some(json("1")));
    assert_eq!(info(r#"{"b64info":"/+8="}"#).unwrap().json(), None);
    assert_eq!(connect(r#"{"meta":[1]}"#).unwrap().meta.unwrap(), "[1]");
}

#[test]
fn base64_is_the_standard_alphabet_with_padding() {
    let reason = Reason::Base64("b64info");
    refuses(&[
        (r#"{"b64info":"eyJ4IjoyfQ"}"#, reason),
        (r#"{"b64info":"_-8="}"#, reason),
        (r#"{"b64info":"e30=\n"}"#, reason),
        (r#"{"b64info":"e31="}"#, reason),
        (r#"{"b64info":" "}"#, reason),
        (r#"{"subs":{"a":{"b64info":"_"}}}"#, reason),
        (r#"{"subs":{"a":{"b64data":"_"}}}"#, Reason::Base64("b64data")),
        (r#"{"b64info":5}"#, Reason::Claim("b64info")),
    ]);
}

#[test]
fn channels_become_subscriptions_unless_subs_has_some() {
    let names = |claims: &str| {
        connect(claims).unwrap().subs.into_keys().map(|channel| channel.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(r#"{"channels":["b","a","b"]}"#), ["a", "b"]);
    assert_eq!(names(r#"{"channels":["a"],"subs":{}}"#), ["a"]);
    assert_eq!(names(r#"{"channels":["a"],"subs":null}"#), ["a"]);
    assert_eq!(names(r#"{"channels":["a"],"subs":{"c":{},"d":null}}"#), ["c", "d"]);
    let subs = connect(r#"{"channels":["log:feed"]}"#).unwrap().subs;
    assert_eq!(subs, [("log:feed".into(), SubscribeGrant::default())].into());
}

#[test]
fn options_of_a_subscription_are_read() {
    let subs = connect(
        r#"{"subs":{"a":{"info":{"i":1},"data":{"d": 2},"unknown":1,"override":{
            "presence":{"value":true},"join_leave":{"value":false},"force_push_join_leave":{"value":true},
            "force_recovery":{},"force_positioning":null,"unknown":{"value":5}}},
          "b":{"info":1,"b64info":"Mg==","data":3,"b64data":"NA=="}}}"#,
    )
    .unwrap()
    .subs;
    let a = SubscribeGrant {
        expire_at: None,
        info: Some(json(r#"{"i":1}"#)),
        data: Some(json(r#"{"d": 2}"#)),
        overrides: OptionOverrides {
            presence: Some(true),
            join_leave: Some(false),
            force_push_join_leave: Some(true),
            force_recovery: Some(false),
            force_positioning: None,
        },
    };
    let b = SubscribeGrant { info: Some(json("2")), data: Some(json("4")), ..SubscribeGrant::default() };
    assert_eq!(subs, [("a".into(), a), ("b".into(), b)].into());
}

#[test]
fn claims_of_another_type_are_invalid() {
    refuses(&[
        (r#"{"channels":"a"}"#, Reason::Claim("channels")),
        (r#"{"channels":[1]}"#, Reason::Claim("channels")),
        (r#"{"channels":[null]}"#, Reason::Claim("channels")),
        (r#"{"channels":5,"subs":{"a":{}}}"#, Reason::Claim("channels")),
        (r#"{"subs":[]}"#, Reason::Claim("subs")),
        (r#"{"subs":{"a":5}}"#, Reason::Claim("subs")),
        (r#"{"subs":{"a":{"b64info":{}}}}"#, Reason::Claim("b64info")),
        (r#"{"subs":{"a":{"b64data":1}}}"#, Reason::Claim("b64data")),
        (r#"{"subs":{"a":{"override":true}}}"#, Reason::Claim("override")),
        (r#"{"subs":{"a":{"override":{"presence":true}}}}"#, Reason::Claim("presence")),
        (r#"{"subs":{"a":{"override":{"force_recovery":{"value":1}}}}}"#, Reason::Claim("force_recovery")),
        (r#"{"iss":1}"#, Reason::Claim("iss")),
        (r#"{"aud":1}"#, Reason::Claim("aud")),
        (r#"{"aud":["a",1]}"#, Reason::Claim("aud")),
    ]);
}

#[test]
fn issuer_and_audience_are_checked_when_configured() {
    let accepts = |change: fn(&mut TokenSettings), claims: &str| {
        let mut settings = settings();
        change(&mut settings);
        verifier(settings).verify_connect(&sign_hs256(SECRET, claims), NOW).map(|_| ())
    };
    let issuer = |settings: &mut TokenSettings| settings.issuer = Some("me".into());
    assert_eq!(accepts(issuer, r#"{"iss":"me"}"#), Ok(()));
    for other in [r#"{"iss":"met"}"#, r#"{"iss":""}"#, "{}", r#"{"iss":null}"#] {
        assert_eq!(accepts(issuer, other), Err(Reason::Issuer.into()), "{other}");
    }
    let issuer_pattern = |settings: &mut TokenSettings| settings.issuer_regex = Some("^m[ey]$".into());
    assert_eq!(accepts(issuer_pattern, r#"{"iss":"my"}"#), Ok(()));
    assert_eq!(accepts(issuer_pattern, r#"{"iss":"mye"}"#), Err(Reason::Issuer.into()));
    assert_eq!(accepts(issuer_pattern, "{}"), Err(Reason::Issuer.into()));

    let audience = |settings: &mut TokenSettings| settings.audience = Some("us".into());
    assert_eq!(accepts(audience, r#"{"aud":"us"}"#), Ok(()));
    assert_eq!(accepts(audience, r#"{"aud":["them","us"]}"#), Ok(()));
    for other in [r#"{"aud":"them"}"#, r#"{"aud":[]}"#, "{}"] {
        assert_eq!(accepts(audience, other), Err(Reason::Audience.into()), "{other}");
    }
    let audience_pattern = |settings: &mut TokenSettings| settings.audience_regex = Some("u".into());
    assert_eq!(accepts(audience_pattern, r#"{"aud":["x","tune"]}"#), Ok(()));
    assert_eq!(accepts(audience_pattern, r#"{"aud":"x"}"#), Err(Reason::Audience.into()));

    let unset = |settings: &mut TokenSettings| {
        settings.audience = Some(String::new());
        settings.issuer_regex = Some(String::new());
    };
    assert_eq!(accepts(unset, "{}"), Ok(()));
}

#[test]
fn a_subscription_token_opens_no_connection_and_the_other_way_round() {
    refuses(&[
        (r#"{"channel":"a"}"#, Reason::NotForConnection),
        (r#"{"channel":""}"#, Reason::NotForConnection),
        (r#"{"channel":5}"#, Reason::NotForConnection),
    ]);
    assert!(connect(r#"{"channel":null}"#).is_ok());
    for claims in ["{}", r#"{"sub":"42"}"#, r#"{"channel":""}"#, r#"{"channel":null}"#] {
        assert_eq!(subscribe(claims), Err(Reason::NotForSubscription.into()), "{claims}");
    }
    assert_eq!(subscribe(r#"{"channel":5}"#), Err(Reason::Claim("channel").into()));
    assert_eq!(subscribe(r#"{"channel":"a","client":5}"#), Err(Reason::Claim("client").into()));
}

#[test]
fn a_subscription_token_is_read() {
    let claims = subscribe(
        r#"{"sub":"42","channel":"$vault:1","exp":4102444800,"client":"c","info":{"i": 1},"b64data":"Mg==",
            "override":{"force_positioning":{"value":true}}}"#,
    );
    let expected = SubscriptionClaims {
        user: "42".into(),
        channel: "$vault:1".into(),
        client: Some("c".into()),
        grant: SubscribeGrant {
            expire_at: Some(UnixSeconds(4_102_444_800)),
            info: Some(json(r#"{"i": 1}"#)),
            data: Some(json("2")),
            overrides: OptionOverrides { force_positioning: Some(true), ..OptionOverrides::default() },
        },
    };
    assert_eq!(claims, Ok(expected));
    let bare = subscribe(r#"{"channel":"a","exp":4102444800,"expire_at":0}"#).unwrap();
    assert_eq!((bare.client, bare.grant), (None, SubscribeGrant::default()));
    assert!(bare.user.is_anonymous());
    assert_eq!(subscribe(r#"{"channel":"a","exp":1600000000}"#), Err(TokenError::Expired.into()));
}

#[test]
fn the_first_thing_wrong_is_the_one_reported() {
    let strict =
        verifier(TokenSettings { issuer: Some("me".into()), audience: Some("us".into()), ..settings() });
    // Each step mends what the step before was refused for.
    let wrong_signature = sign_hs256(b"other", r#"{"exp":"x"}"#);
    assert_eq!(strict.verify_connect(&wrong_signature, NOW), Err(Reason::Signature.into()));
    for (claims, expected) in [
        (r#"{"exp":"x","channel":"a"}"#, Reason::Claim("exp").into()),
        (r#"{"exp":1,"channel":"a","b64info":"_"}"#, Reason::Issuer.into()),
        (r#"{"exp":1,"channel":"a","b64info":"_","iss":"me"}"#, Reason::Audience.into()),
        (r#"{"exp":1,"channel":"a","b64info":"_","iss":"me","aud":"us"}"#, Reason::NotForConnection.into()),
        (r#"{"exp":1,"b64info":"_","iss":"me","aud":"us"}"#, TokenError::Expired),
        (r#"{"b64info":"_","iss":"me","aud":"us"}"#, Reason::Base64("b64info").into()),
    ] {
        assert_eq!(strict.verify_connect(&sign_hs256(SECRET, claims), NOW), Err(expected.into()), "{claims}");
    }
    let subscription = sign_hs256(SECRET, r#"{"exp":1,"iss":"me","aud":"us"}"#);
    assert_eq!(strict.verify_subscription(&subscription, NOW), Err(Reason::NotForSubscription.into()));
}

#[test]
fn informational_claims_are_not_read() {
    assert!(connect(r#"{"iat":"whenever","jti":5,"Sub":5,"extra":{}}"#).is_ok());
}

#[test]
fn deep_nesting_is_carried_not_followed() {
    let deep = format!(r#"{{"info":{}{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(connect(&deep).unwrap().info.unwrap().len(), 100_000);
}

#[test]
fn errors_and_settings_tell_no_secrets() {
    let shown = format!("{:?} {:?}", settings(), verifier(settings()));
    assert!(!shown.contains("appendix-secret"), "{shown}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,300}", claims in "\\PC{0,200}") {
        let verifier = verifier(TokenSettings { skip_signature: true, ..settings() });
        let wrapped = sign_hs256(SECRET, &claims);
        for token in [&text, &wrapped, &format!("{text}.{claims}."), &format!("e30.{text}.e30")] {
            prop_assert!(verifier.verify_connect(token, NOW).is_err() || token == &wrapped);
            prop_assert!(verifier.verify_subscription(token, NOW).is_err() || token == &wrapped);
        }
    }

    #[test]
    fn whatever_is_signed_verifies_as_itself(user in ".{0,40}", channel in ".{1,40}", end in 1_700_000_001_i64..) {
        let verifier = verifier(settings());
        let end = Some(UnixSeconds(end));
        let token = crate::sign::connection_token(SECRET, Some(&user), end, NOW);
        let claims = verifier.verify_connect(&token, NOW).unwrap();
        prop_assert_eq!((claims.user.as_str(), claims.expire_at), (user.as_str(), end));
        let token = crate::sign::subscription_token(SECRET, Some(&user), &channel, end, NOW);
        let claims = verifier.verify_subscription(&token, NOW).unwrap();
        prop_assert_eq!((claims.user.as_str(), claims.channel.as_str()), (user.as_str(), channel.as_str()));
        prop_assert_eq!(claims.grant.expire_at, end);
    }
}
