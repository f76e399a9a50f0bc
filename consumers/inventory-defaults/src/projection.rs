//! What inventory must show of merchants and variants.

use runtime::Projection;

/// A living merchant's default location, which knows who made the merchant.
pub(crate) const LOCATION: Projection = Projection {
    name: "location",
    topic: "commerce.public.merchant",
    source: "select id as key, created_by::text as content, null::bigint as as_of from merchant where deleted_at is null",
    target: "select merchant_id as key, created_by::text as content, null::bigint as as_of
               from location where is_default and deleted_at is null",
};

/// A living variant's level at its merchant's default location. How much is there is inventory's own.
pub(crate) const STOCK_LEVEL: Projection = Projection {
    name: "stock_level",
    topic: "commerce.public.variant",
    source: "select id as key, jsonb_build_array(product_id, merchant_id)::text as content, null::bigint as as_of
               from variant where deleted_at is null",
    target: "select s.variant_id as key, jsonb_build_array(s.product_id, s.merchant_id)::text as content,
                    null::bigint as as_of
               from stock_level s join location l on l.id = s.location_id and l.is_default
              where s.deleted_at is null",
};
