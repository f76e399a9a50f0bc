//! `GET /me` and `PUT /me/password`: what everybody may know and change of itself.

pub(crate) mod get;
pub(crate) mod set_password;
