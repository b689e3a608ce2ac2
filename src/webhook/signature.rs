//! Signatures as Standard Webhooks has them. Pure.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::model::SigningSecret;

/// The value of `webhook-signature`: one signature for each secret, with spaces between them.
pub(super) fn header(id: &str, timestamp: i64, body: &[u8], secrets: &[&SigningSecret]) -> String {
    let signed = secrets.iter().filter_map(|secret| sign(id, timestamp, body, secret));
    signed.collect::<Vec<_>>().join(" ")
}

/// A key of any length will do for HMAC, so there always is one.
fn sign(id: &str, timestamp: i64, body: &[u8], secret: &SigningSecret) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.key()).ok()?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_with_each_secret_in_order() {
        let old: SigningSecret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let new = SigningSecret::from_random([1; 32]);
        let sign = |secrets: &[&SigningSecret]| {
            header("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#, secrets)
        };
        let known = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(&[&old]), known);
        let of_new = sign(&[&new]);
        assert_ne!(of_new, known);
        assert_eq!(sign(&[&new, &old]), format!("{of_new} {known}"));
        assert_eq!(sign(&[]), "");
    }
}
