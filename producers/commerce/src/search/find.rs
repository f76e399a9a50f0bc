//! `GET /search`

use axum::Extension;
use shell::{Answer, Caller, Problem, Query};

use super::engine::{Engine, unavailable};
use super::question::{Question, folded};
use super::{Facets, Found};

/// Find products by what people type.
///
/// Vietnamese is found with and without its diacritics: `phở` finds `Phở bò` and not `Phố cổ`, `pho` finds both. When
/// nothing has all the words as they were typed, what comes near is answered.
#[utoipa::path(
    get, path = "/search", tag = "search", operation_id = "search_products", params(Question),
    responses((status = 200, description = "What was found.", body = Found)),
)]
pub(super) async fn find(
    caller: Caller,
    engine: Option<Extension<Engine>>,
    Query(question): Query<Question>,
) -> Result<Answer, Problem> {
    let scope = caller.may("product", "read").await?;
    question.check()?;
    let typed = question.typed();
    let Some(search) = question.search(&scope, &typed, true) else {
        // a caller without rows learns nothing, not even whether the engine is up
        let facets = Facets::default();
        return Ok(Answer::ok(&Found { items: Vec::new(), found: 0, page: question.page(), facets }));
    };
    let Extension(engine) = engine.ok_or_else(|| unavailable(60))?;
    let mut answer = engine.ask(search).await?;
    if answer.is_empty() && typed != "*" {
        let near = question.search(&scope, &folded(&typed), false);
        answer = engine.ask(near.unwrap_or_default()).await?;
    }
    Ok(Answer::ok(&answer.shown(question.page())))
}
