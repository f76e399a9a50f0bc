//! Merchant tax metadata into invoice's tax info.
