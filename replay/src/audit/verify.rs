//! Whether the chain is what was written.

use platform::sealing::Key;
use sqlx::PgPool;

use super::{Entry, Heads, HeadsError, NOTHING, entry};

/// Entries read at a time.
const PAGE: i64 = 1_000;

/// A chain that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many entries there are.
    pub entries: i64,
}

/// Where a chain is not what was written.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// An entry's own HMAC is not that of its fields.
    #[error("entry {0} was edited, or its key is not APP_ENV_AUDIT_KEY")]
    Edited(i64),
    /// Entries are not there.
    #[error("the entries {first} to {last} were removed")]
    Removed {
        /// The first that is missing.
        first: i64,
        /// The last that is missing.
        last: i64,
    },
    /// An entry does not follow the one before it.
    #[error("entry {0} does not follow the one before it: entries were exchanged or put in")]
    Unlinked(i64),
    /// The chain ends before its head outside the database.
    #[error("the chain ends at {end}, and entry {head} was written: the entries after {end} were cut off")]
    CutOff {
        /// The last entry that is there.
        end: i64,
        /// The newest head outside.
        head: i64,
    },
    /// The entry that the head outside names is another one.
    #[error("entry {0} is not the one whose head was kept outside the database: the chain was written anew")]
    Rewritten(i64),
    /// The heads cannot be read.
    #[error(transparent)]
    Heads(#[from] HeadsError),
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Reads the whole chain and says where it is broken.
pub async fn verify(pool: &PgPool, key: &Key, heads: &Heads) -> Result<Verified, Broken> {
    let head = heads.newest().await?;
    let (mut end, mut previous) = (0, NOTHING.to_vec());
    loop {
        let page = page(pool, end).await?;
        if page.is_empty() {
            break;
        }
        for entry in page {
            check(&entry, key, end, &previous)?;
            if head.as_ref().is_some_and(|head| head.id == entry.id && head.mac != hex::encode(&entry.mac)) {
                return Err(Broken::Rewritten(entry.id));
            }
            end = entry.id;
            previous = entry.mac;
        }
    }
    match head {
        Some(head) if head.id > end => Err(Broken::CutOff { end, head: head.id }),
        _ => Ok(Verified { entries: end }),
    }
}

fn check(entry: &Entry, key: &Key, end: i64, previous: &[u8]) -> Result<(), Broken> {
    if entry.id != end + 1 {
        return Err(Broken::Removed { first: end + 1, last: entry.id - 1 });
    }
    if entry.tag(key, &entry.previous_mac).as_slice() != entry.mac {
        return Err(Broken::Edited(entry.id));
    }
    if entry.previous_mac != previous {
        return Err(Broken::Unlinked(entry.id));
    }
    Ok(())
}

async fn page(pool: &PgPool, after: i64) -> sqlx::Result<Vec<Entry>> {
    let rows = sqlx::query("select * from audit where id > $1 order by id limit $2")
        .bind(after)
        .bind(PAGE)
        .fetch_all(pool)
        .await?;
    rows.iter().map(entry).collect()
}
