//! Bodies in JSON, read strictly, refused clearly.

mod body;
mod objects;
mod read;

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

pub use body::BodyLimit;
pub(crate) use body::{read_body, require_json};
pub use read::parse;

/// A request's body. Give its type `#[serde(deny_unknown_fields)]`, so that a misspelt field is refused rather than
/// ignored. Refusals: 400 not JSON or not UTF-8, 413 too large, 415 another content type, 422 not of this shape.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let bytes = read_body(request).await?;
        parse(&bytes).map(Self)
    }
}
