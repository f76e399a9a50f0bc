//! Whether two tables hold the same, row by row.

use anyhow::bail;
use futures::TryStreamExt as _;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::stack::Stack;

/// Every column as text; a column that is null is told apart from one that is empty.
const ROWS: &str = "select id, row(id, product_id, merchant_id, sku, name, price, cost, tax_code, barcode, attributes::jsonb,
    created_at::timestamptz, updated_at::timestamptz, deleted_at::timestamptz)::text as columns from variant order by id";

/// Compares the 13 columns of `variant` in two databases; answers how many rows are the same, or the first difference.
pub(crate) async fn same(stack: &Stack, source: &str, target: &str) -> anyhow::Result<u64> {
    let (mut left, mut right) = (stack.connection(source).await?, stack.connection(target).await?);
    for connection in [&mut left, &mut right] {
        sqlx::raw_sql("set timezone = 'UTC'").execute(connection).await?;
    }
    let (mut left, mut right) = (sqlx::query(ROWS).fetch(&mut left), sqlx::query(ROWS).fetch(&mut right));
    let mut rows = 0;
    loop {
        let (ours, theirs) = tokio::try_join!(left.try_next(), right.try_next())?;
        match (ours, theirs) {
            (None, None) => return Ok(rows),
            (Some(ours), Some(theirs)) if text(&ours)? == text(&theirs)? => rows += 1,
            (ours, theirs) => {
                let [ours, theirs] = [ours, theirs].map(|row| row.map(|row| text(&row)).transpose());
                bail!("{source} and {target} differ after {rows} rows: {:?} and {:?}", ours?, theirs?);
            }
        }
    }
}

fn text(row: &PgRow) -> sqlx::Result<String> {
    row.try_get("columns")
}
