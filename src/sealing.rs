//! Encryption of what is kept in the database and may be read by nobody who has only that: AES-256-GCM (by `ring`).
//!
//! What is sealed names its place, so that it opens in no other: a row that was copied to another owner or name is no use there.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};

/// A key, ready to be used.
pub struct Sealer {
    key: LessSafeKey,
    id: String,
}

/// It was sealed with another key or for another place, or was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot be opened with this key at this place")]
pub struct Unopened;

impl Sealer {
    /// # Errors
    /// Never with keys of this length; `ring` does not say so by its types.
    pub fn new(key: &[u8; 32]) -> Result<Self, Unopened> {
        let unbound = UnboundKey::new(&AES_256_GCM, key).map_err(|_| Unopened)?;
        let digest = Sha256::new().chain_update(b"nbhook secret key id\0").chain_update(key).finalize();
        Ok(Self { key: LessSafeKey::new(unbound), id: STANDARD_NO_PAD.encode(&digest[..9]) })
    }

    /// Tells one key from another, and nothing of what it is.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals for this place; `random` must be new each time. Gives nonce, ciphertext and tag, one behind another.
    ///
    /// # Errors
    /// When it is longer than the algorithm can take (64 GiB).
    pub fn seal(&self, random: [u8; 20], place: &str, plain: &[u8]) -> Result<Vec<u8>, Unopened> {
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&random[..NONCE_LEN]);
        let mut sealed = plain.to_vec();
        let place = Aad::from(place.as_bytes());
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), place, &mut sealed)
            .map_err(|_| Unopened)?;
        Ok([&nonce, &sealed[..]].concat())
    }

    /// # Errors
    /// When it was not sealed just so.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Unopened)?;
        let mut rest = rest.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.key.open_in_place(nonce, Aad::from(place.as_bytes()), &mut rest).map_err(|_| Unopened)?;
        Ok(plain.to_vec())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_at_its_place_and_not_otherwise() {
        let (ours, other) = (Sealer::new(&[1; 32]).unwrap(), Sealer::new(&[2; 32]).unwrap());
        let sealed = ours.seal([3; 20], "alice\0key", b"hush-hush").unwrap();
        assert_eq!(sealed.len(), 12 + 9 + 16);
        assert!(!sealed.windows(4).any(|part| part == b"hush"));
        assert_eq!(ours.open("alice\0key", &sealed).unwrap(), b"hush-hush");
        assert_eq!(ours.open("bob\0key", &sealed), Err(Unopened));
        assert_eq!(other.open("alice\0key", &sealed), Err(Unopened));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(ours.open("alice\0key", &changed), Err(Unopened), "{at}");
        }
        assert_eq!(ours.open("alice\0key", &sealed[..11]), Err(Unopened));
        assert_ne!(ours.seal([4; 20], "alice\0key", b"hush-hush").unwrap()[12..], sealed[12..]);
        assert!(ours.id() != other.id() && ours.id() == Sealer::new(&[1; 32]).unwrap().id());
    }
}
