//! Sealing: AES-256-GCM for values that are stored (credentials of providers and the like).
//!
//! A sealed value is bound to its place: table, row and column are authenticated with it, so a value copied to
//! another row or column does not open. It names its key, so that keys rotate: a keyring opens with every key it
//! holds and seals with the first. Nonces are random (96 bits, NIST SP 800-38D section 8.2.2), which is safe for 2^32
//! values under one key.
//!
//! Layout: version (1 byte, `1`), key id (4 bytes), nonce (12 bytes), ciphertext and tag (16 bytes).

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use sha2::{Digest, Sha256};

use crate::random::SharedRandom;

const VERSION: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 12;
const HEADER: usize = 1 + KEY_ID + NONCE;

/// 32 bytes of key. Its debug print shows its id only.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// From 64 hexadecimal digits; nothing when it is not that.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// From bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for other uses of a key such as an HMAC.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first four bytes of the SHA-256 of the key: enough to tell a few keys apart, useless to find one.
    #[must_use]
    pub fn id(&self) -> [u8; KEY_ID] {
        let digest = Sha256::digest(self.0);
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest[..KEY_ID]);
        id
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Key({})", hex::encode(self.id()))
    }
}

/// Where a sealed value lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// `schema.table`.
    pub table: &'a str,
    /// The row's id.
    pub row: i64,
    /// The column.
    pub column: &'a str,
}

impl Place<'_> {
    /// Every part with its length before it, so that no two places give the same bytes.
    fn authenticated(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [self.table.as_bytes(), &self.row.to_be_bytes(), self.column.as_bytes()] {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part);
        }
        bytes
    }
}

/// Why a value does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Too short, or of a version that this program does not know.
    #[error("the value is not a sealed one")]
    Malformed,
    /// It was sealed with a key that the keyring does not hold.
    #[error("the value was sealed with key {}, which is not in the keyring; add it as a previous key", hex::encode(.0))]
    UnknownKey([u8; KEY_ID]),
    /// It was changed, or copied from another table, row or column.
    #[error("the value was changed or belongs to another place")]
    Refused,
}

/// The key that seals and those that still open.
#[derive(Clone)]
pub struct Keyring {
    current: Key,
    previous: Vec<Key>,
    random: SharedRandom,
}

impl Keyring {
    /// Seals with `current`; opens with it and with `previous`.
    #[must_use]
    pub fn new(current: Key, previous: Vec<Key>, random: SharedRandom) -> Self {
        Self { current, previous, random }
    }

    /// The id of the key that seals now.
    #[must_use]
    pub fn current_id(&self) -> [u8; KEY_ID] {
        self.current.id()
    }

    /// Seals a value for its place.
    #[must_use]
    #[expect(clippy::missing_panics_doc, clippy::expect_used, reason = "AES-GCM refuses only texts beyond 64 GiB")]
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        self.random.fill(&mut nonce);
        let payload = Payload { msg: plain, aad: &place.authenticated() };
        let sealed = cipher(&self.current).encrypt(&Nonce::from(nonce), payload).expect("the text is below 64 GiB");
        let mut value = Vec::with_capacity(HEADER + sealed.len());
        value.push(VERSION);
        value.extend(self.current.id());
        value.extend(nonce);
        value.extend(sealed);
        value
    }

    /// Opens a value at its place.
    ///
    /// # Errors
    /// [`OpenError`]: malformed, a key that is not held, or changed or moved.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let id = key_id(sealed)?;
        let key = self.find(id).ok_or(OpenError::UnknownKey(id))?;
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&sealed[1 + KEY_ID..HEADER]);
        let payload = Payload { msg: &sealed[HEADER..], aad: &place.authenticated() };
        cipher(key).decrypt(&Nonce::from(nonce), payload).map_err(|_| OpenError::Refused)
    }

    /// The same value under the current key, or `None` when it is already under it.
    ///
    /// # Errors
    /// As [`Keyring::open`].
    pub fn reseal(&self, place: Place<'_>, sealed: &[u8]) -> Result<Option<Vec<u8>>, OpenError> {
        if key_id(sealed)? == self.current.id() {
            return Ok(None);
        }
        Ok(Some(self.seal(place, &self.open(place, sealed)?)))
    }

    fn find(&self, id: [u8; KEY_ID]) -> Option<&Key> {
        std::iter::once(&self.current).chain(&self.previous).find(|key| key.id() == id)
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Keyring")
            .field("current", &self.current)
            .field("previous", &self.previous)
            .finish_non_exhaustive()
    }
}

/// The id of the key under which a value is sealed.
///
/// # Errors
/// [`OpenError::Malformed`].
pub fn key_id(sealed: &[u8]) -> Result<[u8; KEY_ID], OpenError> {
    if sealed.len() < HEADER || sealed[0] != VERSION {
        return Err(OpenError::Malformed);
    }
    let mut id = [0; KEY_ID];
    id.copy_from_slice(&sealed[1..=KEY_ID]);
    Ok(id)
}

fn cipher(key: &Key) -> Aes256Gcm {
    Aes256Gcm::new(&key.0.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    const PLACE: Place<'_> = Place { table: "public.integration", row: 7, column: "credentials" };

    fn keyring(current: u8, previous: &[u8]) -> Keyring {
        let previous = previous.iter().map(|byte| Key::from_bytes([*byte; 32])).collect();
        Keyring::new(Key::from_bytes([current; 32]), previous, SystemRandom::shared())
    }

    #[test]
    fn a_sealed_value_opens_at_its_place_only() {
        let ring = keyring(1, &[]);
        let sealed = ring.seal(PLACE, b"hunter2");
        assert_eq!(ring.open(PLACE, &sealed).unwrap(), b"hunter2");
        for elsewhere in
            [Place { row: 8, ..PLACE }, Place { column: "secret", ..PLACE }, Place { table: "public.other", ..PLACE }]
        {
            assert_eq!(ring.open(elsewhere, &sealed), Err(OpenError::Refused), "{elsewhere:?}");
        }
    }

    #[test]
    fn rotation_reseals_under_the_new_key_and_the_old_key_can_go() {
        let sealed = keyring(1, &[]).seal(PLACE, b"hunter2");
        let rotating = keyring(2, &[1]);
        let resealed = rotating.reseal(PLACE, &sealed).unwrap().unwrap();
        assert_eq!(keyring(2, &[]).open(PLACE, &resealed).unwrap(), b"hunter2");
        assert_eq!(rotating.reseal(PLACE, &resealed), Ok(None));
        let id = Key::from_bytes([1; 32]).id();
        assert_eq!(keyring(2, &[]).open(PLACE, &sealed), Err(OpenError::UnknownKey(id)));
    }

    #[test]
    fn a_changed_byte_anywhere_is_noticed() {
        let ring = keyring(1, &[]);
        let sealed = ring.seal(PLACE, b"hunter2");
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(ring.open(PLACE, &changed).is_err(), "byte {index}");
        }
        assert_eq!(ring.open(PLACE, &sealed[..HEADER - 1]), Err(OpenError::Malformed));
    }

    #[test]
    fn the_same_value_seals_differently_each_time_and_keys_are_not_printed() {
        let ring = keyring(1, &[3]);
        assert_ne!(ring.seal(PLACE, b"x"), ring.seal(PLACE, b"x"));
        assert!(!format!("{ring:?}").contains("0101"));
    }
}
