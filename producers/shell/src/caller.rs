//! Who asks, what they may do, and which rows they may see.

mod extract;
mod scope;

use std::sync::Arc;

use platform::service::Service;

use crate::authority::{Gate, Kind};
use crate::problem::Problem;
pub use scope::Scope;

/// Who asks. As an extractor it answers 401 without good credentials.
#[derive(Clone)]
pub struct Caller {
    /// The user's or service account's id.
    pub id: i64,
    /// Which of the two.
    pub kind: Kind,
    /// The names of the caller's roles.
    pub roles: Vec<String>,
    /// The merchants that an employee or cashier works for.
    pub merchants: Vec<i64>,
    gate: Arc<Gate>,
}

impl Caller {
    /// Asks the policies whether the caller may do this (`"product"`, `"update"`) in this service, and with which rows.
    /// Call it first in every handler.
    ///
    /// # Errors
    /// 403 when not; 503 when no policies were ever held.
    pub async fn may(&self, resource: &str, action: &str) -> Result<Scope, Problem> {
        let allowing = self.gate.allowing(&self.roles, resource, action).await?;
        if allowing.is_empty() {
            return Err(Problem::forbidden());
        }
        Ok(Scope::of(&allowing, self.id, &self.merchants))
    }

    /// Whether the caller has a role of this name.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|one| one == role)
    }

    pub(crate) fn service(&self) -> Service {
        self.gate.service()
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Caller").field("id", &self.id).field("roles", &self.roles).finish_non_exhaustive()
    }
}
