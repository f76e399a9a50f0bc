//! What `tax_info` must show of merchants.

use runtime::Projection;

/// A living merchant's row.
pub(crate) const TAX_INFO: Projection = Projection {
    name: "tax_info",
    topic: "commerce.public.merchant",
    source: "select id as key,
                    jsonb_build_array(name, taxpayer, tax_code, tax_name, tax_address, address_line, province_code, ward_code,
                                      email, phone, created_by)::text as content,
                    (extract(epoch from updated_at) * 1000000)::bigint as as_of
               from merchant where deleted_at is null",
    target: "select merchant_id as key,
                    jsonb_build_array(name, taxpayer, tax_code, tax_name, tax_address, address_line, province_code, ward_code,
                                      email, phone, created_by)::text as content,
                    (extract(epoch from updated_at) * 1000000)::bigint as as_of
               from tax_info",
};
