//! Users, roles, policies, service accounts, signing keys.
