-- A change does not carry a large column that it did not touch (TOAST): the row keeps it, and here stands of which position the
-- column's value is, `{"tax_address": [epoch, commit_lsn, lsn]}`; null where all are of the row's own. A change between the
-- two positions that comes late still writes that column.
alter table tax_info add column cdc_kept jsonb;
