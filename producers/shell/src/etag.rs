//! Optimistic concurrency: a strong `ETag` is the aggregate's version, and a write says which version it saw
//! (RFC 9110 sections 8.8.3 and 13.1.1, RFC 6585 section 3).

use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use utoipa::IntoParams;

use crate::problem::Problem;

/// A version as an entity tag: `"7"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ETag(pub i64);

impl fmt::Display for ETag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.0)
    }
}

/// The header that a write of an aggregate must carry. For `params(..)` of an endpoint that takes [`IfMatch`].
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatchHeader {
    /// The `ETag` of the version that this write is based on; `*` for any.
    #[param(rename = "If-Match", required = true, value_type = String, example = "\"1\"")]
    pub if_match: String,
}

/// The precondition of a write: the versions that the caller accepts. Extracting it answers 428 when the header is not
/// there; [`IfMatch::check`] answers 412 when the version is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfMatch(Accepted);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Accepted {
    Any,
    Versions(Vec<i64>),
}

impl IfMatch {
    /// Compares with the version that the row has now, read under the row's lock.
    ///
    /// # Errors
    /// 412 `VERSION_MISMATCH` when it is none of those.
    pub fn check(&self, version: i64) -> Result<(), Problem> {
        match &self.0 {
            Accepted::Any => Ok(()),
            Accepted::Versions(versions) if versions.contains(&version) => Ok(()),
            Accepted::Versions(_) => {
                let detail = "it was changed since you read it; read it again and repeat the change";
                Err(Problem::new(StatusCode::PRECONDITION_FAILED, "VERSION_MISMATCH", detail))
            }
        }
    }

    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let values: Vec<_> = headers.get_all(header::IF_MATCH).iter().collect();
        if values.is_empty() {
            let detail = "send If-Match with the ETag of the version that you read";
            return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "IF_MATCH_REQUIRED", detail));
        }
        let tags = values.iter().flat_map(|value| value.to_str().unwrap_or_default().split(',')).map(str::trim);
        let mut versions = Vec::new();
        for tag in tags {
            if tag == "*" {
                return Ok(Self(Accepted::Any));
            }
            // A tag that is not one of ours, or a weak one, matches no version; it is no fault by itself.
            let version: Option<i64> =
                tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).and_then(|tag| tag.parse().ok());
            versions.extend(version);
        }
        Ok(Self(Accepted::Versions(versions)))
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(&parts.headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(value: Option<&str>, version: i64) -> Result<(), u16> {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(header::IF_MATCH, value.parse().unwrap());
        }
        IfMatch::of(&headers)
            .and_then(|precondition| precondition.check(version))
            .map_err(|problem| problem.status.into())
    }

    #[test]
    fn a_missing_if_match_answers_428_and_a_stale_one_412() {
        assert_eq!(checked(None, 3), Err(428));
        assert_eq!(checked(Some("\"2\""), 3), Err(412));
        assert_eq!(checked(Some("\"3\""), 3), Ok(()));
    }

    #[test]
    fn lists_and_any_match_but_weak_and_foreign_tags_do_not() {
        assert_eq!(checked(Some("\"1\", \"3\""), 3), Ok(()));
        assert_eq!(checked(Some("*"), 3), Ok(()));
        assert_eq!(checked(Some("W/\"3\""), 3), Err(412));
        assert_eq!(checked(Some("\"abc\""), 3), Err(412));
        assert_eq!(checked(Some("3"), 3), Err(412));
    }
}
