//! A new collection beside the one that is searched, filled while the consumer goes on, and put in its place.
//!
//! No change is missed, because of two things. From when its row is in `backbone` on, every worker that writes a product where
//! it is searched writes it here too, under the product's lock ([`crate::shard`]). And each product is read and written here once
//! after that, under the same lock. So what is here of a product is what the source said when it was filled, or later; and a
//! product that went in the meantime is read as gone, whichever of the two comes last.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;
use futures::TryStreamExt as _;
use runtime::Fault;
use runtime::comparison::{Comparison as _, Contrast};
use serde::Serialize;
use sqlx::{Connection as _, PgConnection};

use crate::Inner;
use crate::beside::{self, Beside};
use crate::chunk::Target;
use crate::compare::Documents;
use crate::fill;
use crate::source;
use crate::typesense::Typesense;

/// How many chunks are filled before it is noted how far it is.
const CHUNKS: usize = 6;
/// How often what is wrong is made again and looked at. A document that the source changes between the two looks as if it were
/// wrong; one that is refused stays so.
const ROUNDS: usize = 5;
/// How many of what stays wrong are named.
const NAMED: usize = 20;

/// What an operator does to the collections behind the alias.
pub struct Reindex(Arc<Inner>);

/// The collections as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Collections {
    /// What is searched by.
    pub alias: String,
    /// The collection that it names.
    pub searched: String,
    /// How many documents each collection of the alias has.
    pub documents: BTreeMap<String, u64>,
    /// The one that is being filled.
    pub beside: Option<Beside>,
    /// The newest that is neither searched nor being filled: what a roll-back leads to.
    pub other: Option<String>,
    /// What a new one would be called.
    pub next: String,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Products that were written once, of how many.
    Filled(i64, i64),
    /// Documents that were compared.
    Compared(i64),
}

/// What a comparison left behind that made again what it found wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// How many documents the source makes.
    pub documents: i64,
    /// How many were wrong and are not any more.
    pub mended: usize,
    /// How many are still wrong.
    pub wrong: usize,
    /// Some of those, and how.
    pub named: Vec<String>,
}

/// The right to change the collections, until it is dropped or its connection ends.
pub struct Lease {
    _connection: PgConnection,
}

impl Reindex {
    pub(crate) fn of(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    fn engine(&self) -> &Typesense {
        &self.0.typesense
    }

    fn alias(&self) -> &str {
        &self.0.settings.collection
    }

    /// The collections as they are.
    ///
    /// # Errors
    /// When the engine or `backbone` does not answer, or nothing is searched yet.
    pub async fn look(&self) -> Result<Collections, Fault> {
        let alias = self.alias().to_owned();
        let Some(searched) = self.engine().searched().await? else {
            return Err(Fault::Unknown(anyhow!("there is no alias {alias} yet: search-sync makes it when it starts")));
        };
        let numbered = self.engine().collections().await?;
        let next = format!("{alias}_{}", numbered.keys().last().map_or(1, |last| last + 1));
        // one that is searched already took its place, and whoever put it there was killed before the row was removed
        let beside = beside::read(&self.0.backbone, &alias).await?.filter(|beside| beside.collection != searched);
        let is_free =
            |name: &String| *name != searched && beside.as_ref().is_none_or(|beside| beside.collection != *name);
        let other = numbered.values().rev().map(|(name, _)| name).find(|name| is_free(name)).cloned();
        Ok(Collections { alias, searched, documents: numbered.into_values().collect(), beside, other, next })
    }

    /// Takes the right to change them.
    ///
    /// # Errors
    /// When somebody has it, or `backbone` does not answer.
    pub async fn lease(&self) -> Result<Lease, Fault> {
        let mut connection = PgConnection::connect_with(&self.0.backbone.connect_options()).await?;
        let is_free: bool = sqlx::query_scalar("select pg_try_advisory_lock(hashtext('reindex'), hashtext($1))")
            .bind(self.alias())
            .fetch_one(&mut connection)
            .await?;
        if is_free {
            // whoever put a collection in its place and was killed right then left its row
            if let Some(searched) = self.engine().searched().await? {
                beside::end(&self.0.backbone, self.alias(), &searched).await?;
            }
            return Ok(Lease { _connection: connection });
        }
        Err(Fault::Unknown(anyhow!("the collections of {} are being changed at this moment", self.alias())))
    }

    /// Makes the collection where it is missing and fills it, from where an earlier attempt stopped. From its first moment on
    /// the live workers write it too, until [`Reindex::put`] or [`Reindex::forget`].
    ///
    /// # Errors
    /// When the engine, commerce or `backbone` does not answer, or the collection was made with other fields. It can be
    /// begun again.
    pub async fn fill(&self, collection: &str, told: impl Fn(Progress)) -> Result<(), Fault> {
        let Inner { source, backbone, settings, .. } = &*self.0;
        let is_new = !self.engine().has(collection).await?;
        if is_new {
            self.engine().make(collection).await?;
        }
        let mut after = beside::begin(backbone, self.alias(), collection, is_new).await?.unwrap_or(i64::MIN);
        // what is committed from now on is written beside by whoever applies its change
        let (mut filled, left, last) = source::extent(source, after).await?;
        let up_to = last.unwrap_or(after);
        let target = Target::Only(self.engine().of(collection));
        let of = filled + left;
        loop {
            let page = source::products_after(source, (after, up_to), settings.chunk_products * CHUNKS).await?;
            let Some(last) = page.last() else { return Ok(()) };
            fill::again(&self.0, &target, &page).await?;
            after = *last;
            beside::reached(backbone, self.alias(), after).await?;
            filled += i64::try_from(page.len()).unwrap_or_default();
            told(Progress::Filled(filled, of));
        }
    }

    /// Compares a collection with the source and makes again what is wrong in it.
    ///
    /// # Errors
    /// When the engine, commerce or `backbone` does not answer.
    pub async fn settle(&self, collection: &str, told: impl Fn(Progress)) -> Result<Settled, Fault> {
        // what a failed write left is among what is compared
        beside::forgive(&self.0.backbone, self.alias()).await?;
        let documents = Documents::of(self.0.clone(), collection);
        self.settle_all(&documents, told).await
    }

    /// The same of what is searched, where the live workers write too.
    ///
    /// # Errors
    /// When the engine, commerce or `backbone` does not answer.
    pub async fn catch_up(&self, told: impl Fn(Progress)) -> Result<Settled, Fault> {
        let documents = Documents::searched(self.0.clone(), self.0.source.clone());
        self.settle_all(&documents, told).await
    }

    async fn settle_all(&self, documents: &Documents, told: impl Fn(Progress)) -> Result<Settled, Fault> {
        let mut settled = Settled::default();
        let mut looks = documents.looks();
        while let Some(looked) = looks.try_next().await? {
            settled.documents += looked.rows;
            let (found, mut wrong) = (looked.wrong.len(), looked.wrong);
            for _ in 0..ROUNDS {
                if wrong.is_empty() {
                    break;
                }
                let keys: Vec<i64> = wrong.keys().copied().collect();
                documents.mend(&keys).await?;
                wrong = documents.keys(&keys).await?;
            }
            settled.mended += found.saturating_sub(wrong.len());
            settled.wrong += wrong.len();
            let name = |(product, Contrast { kind, .. })| format!("product {product} is {kind}");
            settled.named.extend(wrong.into_iter().map(name));
            settled.named.truncate(NAMED);
            told(Progress::Compared(settled.documents));
        }
        Ok(settled)
    }

    /// Lets the alias name another collection, in one step. What was noted of failed writes to it since it was compared is an
    /// error, unless there may be.
    ///
    /// # Errors
    /// When the alias names another collection than `from` by now, a write to `to` failed, or the engine does not answer.
    pub async fn put(&self, from: &str, to: &str, may_lack: bool) -> Result<(), Fault> {
        let searched = self.engine().searched().await?;
        if searched.as_deref() != Some(from) {
            return Err(Fault::Unknown(anyhow!("{} names {searched:?} by now, not {from}", self.alias())));
        }
        let fault = async || Ok::<_, Fault>(beside::read(&self.0.backbone, self.alias()).await?.and_then(|b| b.fault));
        if let Some(fault) = fault().await?.filter(|_| !may_lack) {
            return Err(Fault::Unknown(anyhow!("{to} lacks something: {fault}; run it again")));
        }
        self.engine().point(to).await?;
        match beside::end(&self.0.backbone, self.alias(), to).await? {
            Some(fault) if !may_lack => Err(Fault::Unknown(anyhow!(
                "{to} is searched and lacks something: {fault}; `sluice reconcile {}` names it",
                crate::NAME
            ))),
            _ => Ok(()),
        }
    }

    /// Takes a collection away that is not searched. Nobody writes it from then on.
    ///
    /// # Errors
    /// When it is searched, or the engine or `backbone` does not answer.
    pub async fn forget(&self, collection: &str) -> Result<(), Fault> {
        if self.engine().searched().await?.as_deref() == Some(collection) {
            return Err(Fault::Unknown(anyhow!("{collection} is what is searched")));
        }
        beside::end(&self.0.backbone, self.alias(), collection).await?;
        self.engine().forget(collection).await
    }
}
