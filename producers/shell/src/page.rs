//! Keyset pagination: `?limit=1..200&cursor=..` in, `{items, next_cursor}` out. A cursor is the key of the last row that
//! was shown, signed, and good only for the path and the filters that it was made for.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::{IntoParams, ToSchema};

use crate::kit::Kit;
use crate::problem::Problem;

const LIMIT_DEFAULT: u16 = 50;
const LIMIT_MAX: u16 = 200;
/// Half of the HMAC-SHA256, as RFC 2104 section 5 allows.
const SIGNATURE: usize = 16;

/// The parameters of every list, for `params(..)` of an endpoint that takes [`Page`].
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// How many items to answer at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u16>,
    /// The `next_cursor` of the page before. Good for the same path and filters only.
    pub cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Items<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Signs cursors. Clones share the key.
#[derive(Clone)]
pub struct Cursors(platform::sealing::Key);

impl Cursors {
    /// Signs with this key, which every replica of every service may share.
    #[must_use]
    pub fn new(key: platform::sealing::Key) -> Self {
        Self(key)
    }

    fn sign(&self, place: &str, payload: &[u8]) -> [u8; SIGNATURE] {
        let mut mac = self.mac();
        mac.update(&(place.len() as u64).to_be_bytes());
        mac.update(place.as_bytes());
        mac.update(payload);
        let mut signature = [0; SIGNATURE];
        signature.copy_from_slice(&mac.finalize().into_bytes()[..SIGNATURE]);
        signature
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(self.0.bytes()).expect("a key of any length is good")
    }

    fn write(&self, place: &str, key: &impl Serialize) -> Option<String> {
        let mut bytes = serde_json::to_vec(key).ok()?;
        bytes.extend(self.sign(place, &bytes));
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    fn read(&self, place: &str, cursor: &str) -> Option<Vec<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let payload = bytes.len().checked_sub(SIGNATURE)?;
        let signature = bytes.split_off(payload);
        let genuine = subtle::ConstantTimeEq::ct_eq(signature.as_slice(), self.sign(place, &bytes).as_slice());
        bool::from(genuine).then_some(bytes)
    }
}

/// Which page of a list is asked for. An extractor; malformed parameters answer 400.
#[derive(Clone)]
pub struct Page {
    /// How many items to show at most, 1 to 200.
    pub limit: u16,
    after: Option<Vec<u8>>,
    place: String,
    cursors: Cursors,
}

impl Page {
    /// How many rows to ask the database for: one more than is shown, to see whether there is a next page.
    #[must_use]
    pub fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The key after which this page begins: what [`Page::answer`] was given for the last item of the page before.
    ///
    /// # Errors
    /// 400 when the cursor was made by a version of the service whose keys had another shape.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, Problem> {
        let read = self.after.as_deref().map(serde_json::from_slice).transpose();
        read.map_err(|_| bad_cursor())
    }

    /// The page of these rows, which are up to [`Page::fetch`] in number. `key` is the keyset of a row: the columns of
    /// `order by`, ending in the id.
    pub fn answer<R, T, K: Serialize>(
        &self,
        mut rows: Vec<R>,
        key: impl Fn(&R) -> K,
        show: impl FnMut(R) -> T,
    ) -> Items<T> {
        let limit = usize::from(self.limit);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = if more { rows.last().map(key) } else { None };
        let next_cursor = last.and_then(|key| self.cursors.write(&self.place, &key));
        Items { items: rows.into_iter().map(show).collect(), next_cursor }
    }

    fn read(uri: &axum::http::Uri, cursors: Cursors) -> Result<Self, Problem> {
        let axum::extract::Query(pairs) = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|rejection| parameter("query", rejection.body_text()))?;
        let (own, mut filters): (Vec<_>, Vec<_>) =
            pairs.into_iter().partition(|(name, _)| name == "limit" || name == "cursor");
        filters.sort();
        // As JSON, so that no filter's text can be mistaken for two.
        let place = serde_json::json!([uri.path(), filters]).to_string();
        let (mut limit, mut after) = (LIMIT_DEFAULT, None);
        for (name, value) in own {
            if name == "limit" {
                let parsed = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                limit = parsed.ok_or_else(|| parameter("limit", format!("must be 1 to {LIMIT_MAX}")))?;
            } else {
                after = Some(cursors.read(&place, &value).ok_or_else(bad_cursor)?);
            }
        }
        Ok(Self { limit, after, place, cursors })
    }
}

fn parameter(name: &'static str, message: String) -> Problem {
    Problem::malformed("MALFORMED_PARAMETER", "a parameter in the query is malformed").field(name, "MALFORMED", message)
}

/// Without detail: a cursor is opaque, and whoever made one up learns nothing.
fn bad_cursor() -> Problem {
    Problem::malformed("BAD_CURSOR", "the cursor is not one that this list gave; start again without it")
}

impl<S: Sync> FromRequestParts<S> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::read(&parts.uri, Kit::of(&parts.extensions)?.cursors())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(uri: &str) -> Result<Page, Problem> {
        Page::read(&uri.parse().unwrap(), Cursors::new(platform::sealing::Key::from_bytes([7; 32])))
    }

    fn next(uri: &str) -> String {
        page(uri).unwrap().answer(vec![1, 2, 3], |row| *row, |row| row).next_cursor.unwrap()
    }

    #[test]
    fn a_cursor_leads_to_the_row_after_the_last_one_shown() {
        let first = page("/list?limit=2&sort=name").unwrap();
        assert_eq!((first.fetch(), first.after::<i64>().unwrap()), (3, None));
        let items = first.answer(vec![1, 2, 3], |row| *row, |row| row * 10);
        assert_eq!(items.items, [10, 20]);
        let second = page(&format!("/list?cursor={}&limit=100&sort=name", items.next_cursor.unwrap())).unwrap();
        assert_eq!(second.after::<i64>().unwrap(), Some(2));
        assert_eq!(second.answer(vec![3], |row| *row, |row| row).next_cursor, None);
    }

    #[test]
    fn a_tampered_cursor_answers_400_whichever_character_was_changed() {
        let cursor = next("/list?limit=2");
        for index in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let uri = format!("/list?cursor={}", String::from_utf8(changed).unwrap());
            let refused = page(&uri).err().unwrap();
            assert_eq!((refused.status.as_u16(), refused.code.as_ref()), (400, "BAD_CURSOR"), "{index}");
        }
        for cursor in ["", "x", "AAAA", "%00"] {
            assert_eq!(page(&format!("/list?cursor={cursor}")).err().unwrap().status, 400);
        }
    }

    #[test]
    fn a_cursor_of_another_list_filter_or_key_is_refused() {
        let cursor = next("/list?limit=2&name=a");
        assert!(page(&format!("/list?name=a&cursor={cursor}")).is_ok());
        assert!(page(&format!("/list?name=b&cursor={cursor}")).is_err());
        assert!(page(&format!("/list?cursor={cursor}")).is_err());
        assert!(page(&format!("/other?name=a&cursor={cursor}")).is_err());
        let other = Cursors::new(platform::sealing::Key::from_bytes([8; 32]));
        assert!(Page::read(&format!("/list?name=a&cursor={cursor}").parse().unwrap(), other).is_err());
    }

    #[test]
    fn limits_are_1_to_200() {
        for limit in ["0", "201", "-1", "x", "1.0", ""] {
            assert_eq!(page(&format!("/list?limit={limit}")).err().unwrap().status, 400, "{limit}");
        }
        assert_eq!(page("/list?limit=200").unwrap().limit, 200);
        assert_eq!(page("/list").unwrap().limit, 50);
    }
}
