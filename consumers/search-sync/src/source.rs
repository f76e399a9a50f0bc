//! Commerce, read as the role `reader`.

mod aggregate;
mod listing;
mod snapshot;
mod visible;

pub(crate) use aggregate::{Aggregate, Variant, read};
pub(crate) use listing::{
    bounds, extent, products_after, products_in, products_of, shelves_of_categories, shelves_of_merchants,
};
pub(crate) use snapshot::{Snapshot, Snapshots};
pub(crate) use visible::{Horizon, Table, wait_for};
