//! The topics of commerce.

pub mod category;
pub mod merchant;
pub mod product;
pub mod variant;
