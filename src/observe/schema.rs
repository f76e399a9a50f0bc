//! What the registry holds beyond the reviewed files, counted.

use metrics::gauge;
use platform::metric::SCHEMA_DRIFT;
use schemas::drift::drift;
use schemas::files::load;

use super::{Observer, float};
use crate::schemas::is_ours;

impl Observer {
    /// Asks the registry for every version of every subject.
    pub(super) async fn registry(&self) {
        let counted = async {
            let topics = load(&self.folders.schemas)?;
            let found = drift(&self.registry, &topics, is_ours).await?;
            Ok(i64::try_from(found.len())?)
        };
        let counted = self.notes.take("schemas", "", self.clock.now_ms(), counted.await);
        gauge!(SCHEMA_DRIFT).set(counted.map_or(f64::NAN, float));
    }
}
