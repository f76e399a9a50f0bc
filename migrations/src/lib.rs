//! Databases, roles and migrations.
