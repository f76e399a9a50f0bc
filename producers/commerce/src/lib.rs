//! Merchants, categories, products, integrations, media.
