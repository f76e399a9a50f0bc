//! The products of merchants and categories, a bounded number of ids at a time: a merchant may have a hundred thousand.

use sqlx::PgExecutor;

/// How many ids of one shelf are listed at once.
pub(crate) const IDS_OF_A_SHELF: i64 = 1_000;
/// How many shelves are listed at once.
pub(crate) const SHELVES: usize = 32;

/// Products that lie together, and how far they were listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shelf {
    pub(crate) merchant: i64,
    /// All products of the merchant when there is none.
    pub(crate) category: Option<i64>,
    /// Which change this shelf is listed for.
    pub(crate) reason: usize,
    /// The last id that was listed.
    pub(crate) after: i64,
}

/// The merchants among these that have products. `reason` is the place in `merchants`.
pub(crate) async fn shelves_of_merchants(db: impl PgExecutor<'_>, merchants: &[i64]) -> sqlx::Result<Vec<Shelf>> {
    let found: Vec<(i64, i64)> = sqlx::query_as(
        "select i.merchant, i.reason from unnest($1::bigint[]) with ordinality i (merchant, reason)
          where exists (select from product p where p.merchant_id = i.merchant and p.deleted_at is null)",
    )
    .bind(merchants)
    .fetch_all(db)
    .await?;
    Ok(found.into_iter().map(|(merchant, reason)| shelf(merchant, None, reason)).collect())
}

/// These categories and the living ones below them. `reason` is the place in `categories`.
pub(crate) async fn shelves_of_categories(db: impl PgExecutor<'_>, categories: &[i64]) -> sqlx::Result<Vec<Shelf>> {
    let found: Vec<(i64, i64, i64)> = sqlx::query_as(
        "with recursive below (merchant, category, reason) as (
             select c.merchant_id, c.id, i.reason
               from unnest($1::bigint[]) with ordinality i (category, reason) join category c on c.id = i.category
             union
             select c.merchant_id, c.id, b.reason
               from below b join category c on c.merchant_id = b.merchant and c.parent_id = b.category
              where c.deleted_at is null)
         select merchant, category, reason from below",
    )
    .bind(categories)
    .fetch_all(db)
    .await?;
    Ok(found.into_iter().map(|(merchant, category, reason)| shelf(merchant, Some(category), reason)).collect())
}

fn shelf(merchant: i64, category: Option<i64>, reason: i64) -> Shelf {
    // ordinality counts from 1
    let reason = usize::try_from(reason - 1).unwrap_or_default();
    Shelf { merchant, category, reason, after: i64::MIN }
}

/// The next ids of up to [`SHELVES`] shelves, each with the reason of its shelf. Shelves that are listed to their end
/// are taken away.
pub(crate) async fn products_of(db: impl PgExecutor<'_>, shelves: &mut Vec<Shelf>) -> sqlx::Result<Vec<(i64, usize)>> {
    let listed = &shelves[shelves.len().saturating_sub(SHELVES)..];
    let found: Vec<(i64, i64)> = sqlx::query_as(LIST)
        .bind(listed.iter().map(|shelf| shelf.merchant).collect::<Vec<_>>())
        .bind(listed.iter().map(|shelf| shelf.category).collect::<Vec<_>>())
        .bind(listed.iter().map(|shelf| shelf.after).collect::<Vec<_>>())
        .bind(IDS_OF_A_SHELF)
        .fetch_all(db)
        .await?;
    let mut listed = shelves.split_off(shelves.len().saturating_sub(SHELVES));
    let mut counts = vec![0; listed.len()];
    let mut products = Vec::with_capacity(found.len());
    for (product, place) in found {
        let place = usize::try_from(place - 1).unwrap_or_default();
        let Some(shelf) = listed.get_mut(place) else { continue };
        shelf.after = shelf.after.max(product);
        counts[place] += 1;
        products.push((product, shelf.reason));
    }
    let unfinished = listed.into_iter().zip(counts).filter(|(_, count)| *count >= IDS_OF_A_SHELF);
    shelves.extend(unfinished.map(|(shelf, _)| shelf));
    Ok(products)
}

/// The last products of ranges that have so many products each, without the last range's.
pub(crate) async fn bounds(db: impl PgExecutor<'_>, products: i64) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(
        "select id from (select id, row_number() over (order by id) as place from product where deleted_at is null) p
          where place % $1 = 0 order by id",
    )
    .bind(products)
    .fetch_all(db)
    .await
}

/// The products above the first and up to the second that were not soft deleted.
pub(crate) async fn products_in(db: impl PgExecutor<'_>, (above, up_to): (i64, i64)) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar("select id from product where id > $1 and id <= $2 and deleted_at is null order by id")
        .bind(above)
        .bind(up_to)
        .fetch_all(db)
        .await
}

/// The products that were not soft deleted: how many there are up to this one, how many after it, and the last one.
pub(crate) async fn extent(db: impl PgExecutor<'_>, product: i64) -> sqlx::Result<(i64, i64, Option<i64>)> {
    sqlx::query_as(
        "select count(*) filter (where id <= $1), count(*) filter (where id > $1), max(id)
           from product where deleted_at is null",
    )
    .bind(product)
    .fetch_one(db)
    .await
}

/// The next products after the first of these and up to the second that were not soft deleted, in the order of their ids.
pub(crate) async fn products_after(
    db: impl PgExecutor<'_>,
    (after, up_to): (i64, i64),
    limit: usize,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar("select id from product where id > $1 and id <= $2 and deleted_at is null order by id limit $3")
        .bind(after)
        .bind(up_to)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(db)
        .await
}

const LIST: &str = "
select p.id, s.place
  from unnest($1::bigint[], $2::bigint[], $3::bigint[]) with ordinality s (merchant, category, after, place)
 cross join lateral (
    (select id from product
      where s.category is null and merchant_id = s.merchant and id > s.after and deleted_at is null
      order by merchant_id, id limit $4)
    union all
    (select id from product
      where merchant_id = s.merchant and category_id = s.category and id > s.after and deleted_at is null
      order by merchant_id, category_id, id limit $4)) p";
