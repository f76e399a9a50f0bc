//! From the `Authorization` header to a caller.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::Caller;
use crate::authority::Claims;
use crate::kit::Kit;
use crate::problem::Problem;

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        let kit = Kit::of(&parts.extensions)?;
        let mut values = parts.headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Problem::unauthenticated("CREDENTIALS_REQUIRED"));
        };
        let header = value.to_str().map_err(|_| Problem::unauthenticated("CREDENTIALS_REFUSED"))?;
        let (scheme, credentials) = header.split_once(' ').unwrap_or((header, ""));
        let gate = kit.gate();
        let claims = if scheme.eq_ignore_ascii_case("bearer") {
            gate.verify(credentials.trim()).await?
        } else if scheme.eq_ignore_ascii_case("basic") {
            gate.exchange(header).await?
        } else {
            return Err(Problem::unauthenticated("CREDENTIALS_REFUSED"));
        };
        let caller = of(&claims, &kit)?;
        tracing::Span::current().record("userId", caller.id);
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

fn of(claims: &Claims, kit: &Kit) -> Result<Caller, Problem> {
    let id: crate::id::Id = claims.sub.parse().map_err(|_| Problem::unauthenticated("TOKEN_REFUSED"))?;
    Ok(Caller {
        id: id.0,
        kind: claims.kind,
        roles: claims.roles.clone(),
        merchants: claims.merchants.iter().map(|merchant| merchant.0).collect(),
        gate: kit.gate(),
    })
}
