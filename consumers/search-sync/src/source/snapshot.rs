//! Reads of the source in an order that is known: each from a snapshot, and snapshots are taken one after the other.

use sqlx::postgres::PgTransaction;
use sqlx::{PgConnection, PgPool};
use tokio::sync::Mutex;

use crate::memory::{Memory, Tick};

/// Takes snapshots in the order of their ticks: one of a later tick shows at least what one of an earlier tick shows.
#[derive(Default)]
pub(crate) struct Snapshots(Mutex<()>);

/// What the source shows at one moment, until this is ended.
pub(crate) struct Snapshot {
    pub(crate) tick: Tick,
    transaction: PgTransaction<'static>,
}

impl Snapshots {
    /// Takes one. Only the taking is in turns, which is one round trip; reads from snapshots go on side by side.
    pub(crate) async fn take(&self, source: &PgPool, memory: &Memory) -> sqlx::Result<Snapshot> {
        // a connection is waited for outside of the turn
        let mut transaction = source.begin_with("begin isolation level repeatable read, read only").await?;
        let turn = self.0.lock().await;
        let tick = memory.tick();
        // a transaction of this level has the snapshot of its first statement to the end
        sqlx::query("select pg_current_snapshot()").execute(&mut *transaction).await?;
        drop(turn);
        Ok(Snapshot { tick, transaction })
    }
}

impl Snapshot {
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Gives it back, so that nothing in the source is kept for it while documents travel.
    pub(crate) async fn end(self) -> sqlx::Result<()> {
        self.transaction.commit().await
    }
}
