//! Known answers of the providers' own documentation, and what must not pass.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::{Mark, Proof, Unsigned};
use crate::model::{HookParamsPatch, Signature};

fn signature(value: &Value) -> Signature {
    HookParamsPatch::parse(json!({ "signature": value })).unwrap().anew(None).unwrap().signature.unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

type Sent<'a> = &'a [(&'a str, &'a str)];

fn check(signature: &Signature, headers: Sent<'_>, body: &[u8], now: i64) -> Result<Option<Mark>, Unsigned> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Proof::read(signature, &headers, at(now))?.verify(body)
}

/// A provider's example: parameter, headers, body, when it was sent (0: it has no timestamp).
struct Example(Value, Vec<(&'static str, &'static str)>, &'static [u8], i64);

const SLACK_BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
    channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2F\
    hooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.\
    803a0bc887a14d10d2c447fce8b6703c";

fn examples() -> [Example; 5] {
    [
        Example(
            json!({"scheme": "github", "secret": "It's a Secret to Everybody"}),
            vec![("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")],
            b"Hello, World!",
            0,
        ),
        Example(
            json!({"scheme": "slack", "secret": "8f742231b10e8888abcd99yyyzzz85a5"}),
            vec![
                ("x-slack-request-timestamp", "1531420618"),
                ("x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
            ],
            SLACK_BODY,
            1_531_420_618,
        ),
        Example(
            json!({"scheme": "standard", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}),
            vec![
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", "1614265330"),
                ("webhook-signature", "v1a,x v1,bm9uZQ== v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ],
            br#"{"test": 2432232314}"#,
            1_614_265_330,
        ),
        // Stripe documents no example; this one is computed with Python's `hmac`.
        Example(
            json!({"scheme": "stripe", "secret": "whsec_test_secret"}),
            vec![("stripe-signature", STRIPE)],
            br#"{"id":"evt_1"}"#,
            1_614_265_330,
        ),
        Example(json!({"scheme": "header", "secret": "open-sesame"}), vec![("x-api-key", "open-sesame")], b"any", 0),
    ]
}

const STRIPE: &str = "t=1614265330,v0=00,v1=00,v1=e135cdbed3dda004bf8a2fb350f2541d299393c770e0b9e6e319dc595e9072aa";

#[test]
fn the_providers_own_examples_pass() {
    for Example(value, headers, body, sent_at) in examples() {
        let signature = signature(&value);
        let mark = check(&signature, &headers, body, sent_at).unwrap();
        assert_eq!(mark.is_none(), value["scheme"] == "header", "{value}");
        // A second secret before the right one does not matter: so callers go over to a new one.
        let mut rotating = value.clone();
        rotating["secret"] = json!(["bmV3", value["secret"]]);
        assert_eq!(check(&super::tests::signature(&rotating), &headers, body, sent_at).unwrap(), mark, "{value}");
    }
}

#[test]
fn nothing_else_passes() {
    for Example(value, headers, body, sent_at) in examples() {
        let (right, scheme) = (signature(&value), value["scheme"].as_str().unwrap());
        let mut other = value.clone();
        other["secret"] = json!("b3RoZXI=");
        assert_eq!(check(&signature(&other), &headers, body, sent_at), Err(Unsigned::Wrong), "{scheme}: secret");
        if scheme != "header" {
            let longer = [body, b" "].concat();
            assert_eq!(check(&right, &headers, &longer, sent_at), Err(Unsigned::Wrong), "{scheme}: body");
            assert_eq!(check(&right, &headers, b"", sent_at), Err(Unsigned::Wrong), "{scheme}: no body");
        }
        for (number, (name, sent)) in headers.iter().enumerate() {
            let mut less = headers.clone();
            less.remove(number);
            let missing = Unsigned::Missing((*name).to_owned());
            assert_eq!(check(&right, &less, body, sent_at), Err(missing), "{scheme}: {name}");
            for changed in
                ["", "v1,", "sha256=", "v0=", "t=1614265330", "t=,v1=", &format!("{sent}x"), &sent.replace('5', "6")]
            {
                let mut changed_headers = headers.clone();
                changed_headers[number].1 = changed;
                let answer = check(&right, &changed_headers, body, sent_at);
                let refused = matches!(answer, Err(Unsigned::Wrong | Unsigned::TooOld));
                assert!(refused || changed == *sent, "{scheme}: {name}: {changed}");
            }
        }
    }
}

#[test]
fn a_timestamp_is_good_for_five_minutes_either_way() {
    for Example(value, headers, body, sent_at) in examples().into_iter().filter(|example| example.3 > 0) {
        let signature = signature(&value);
        for (seconds, result) in [(-301, false), (-300, true), (300, true), (301, false)] {
            let answer = check(&signature, &headers, body, sent_at + seconds);
            assert_eq!(answer.is_ok(), result, "{seconds}");
            if let Ok(Some(mark)) = answer {
                // Remembered as long as it would pass.
                assert!(mark.expires_at > at(sent_at + 300) && mark.expires_at <= at(sent_at + 302), "{mark:?}");
            } else {
                assert_eq!(answer, Err(Unsigned::TooOld));
            }
        }
    }
}

#[test]
fn a_call_is_known_again_by_what_was_signed() {
    let [Example(github, mut headers, body, _), _, _, Example(stripe, stripe_headers, stripe_body, sent_at), _] =
        examples();
    let github = signature(&github);
    let plain = check(&github, &headers, body, 0).unwrap().unwrap();
    assert_eq!(plain.expires_at, at(0) + Duration::days(3));
    headers.push(("x-github-delivery", "72d3162e"));
    // A header that is not signed does not make it another call.
    assert_eq!(check(&github, &headers, body, 0).unwrap().unwrap(), plain);
    // Leaving out one of several signatures does not make it another call.
    let stripe = signature(&stripe);
    let whole = check(&stripe, &stripe_headers, stripe_body, sent_at).unwrap().unwrap();
    let less = STRIPE.replace("v0=00,v1=00,", "");
    assert_eq!(check(&stripe, &[("stripe-signature", &less)], stripe_body, sent_at).unwrap().unwrap(), whole);
}
