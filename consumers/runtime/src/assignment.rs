//! Which partitions are ours: what happens when the group gives and takes them.

use std::sync::{Arc, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use crate::consumer::Consumer;
use crate::lane::Lane;
use crate::poll;
use crate::worker::Worker;

/// The callbacks of one consumer's Kafka client. All of them run inside `poll`, on the polling thread.
pub(crate) struct Assignment<C: Consumer> {
    worker: Arc<Worker<C>>,
}

impl<C: Consumer> Assignment<C> {
    pub(crate) fn new(worker: Arc<Worker<C>>) -> Self {
        Self { worker }
    }

    /// Partitions begin paused: each lane finds out where it starts (committed offset, fingerprint, target) without keeping
    /// the polling thread from polling, and moves there.
    ///
    /// They are assigned at the beginning and never at the end. librdkafka looks a logical offset up in the background, and a
    /// seek that comes meanwhile is undone: the look-up's outdated answer makes it ask again half a second later, under the
    /// seek's own version, and go there (2.12.1, `rd_kafka_toppar_handle_Offset`), by when records of the right place may
    /// have come. At the beginning that is seen by records from before what is awaited
    /// ([`Received::Early`](crate::inbox::Received)); at the end records would be passed over unseen.
    fn assign(&self, kafka: &BaseConsumer<Self>, partitions: &mut TopicPartitionList) {
        let _one_at_a_time = self.worker.assigning.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = partitions.set_all_offsets(Offset::Beginning) {
            tracing::error!(%error, "cannot prepare an assignment");
        }
        let assigned = match kafka.rebalance_protocol() {
            RebalanceProtocol::Cooperative => kafka.incremental_assign(partitions),
            _ => kafka.assign(partitions),
        };
        if let Err(error) = assigned.and_then(|()| kafka.pause(partitions)) {
            tracing::error!(consumer = self.worker.name(), %error, "an assignment was not taken");
            return;
        }
        for element in partitions.elements() {
            let Some((name, topic)) = self.worker.topics.get_key_value(element.topic()) else { continue };
            let lane = Lane::new(self.worker.clone(), topic.clone(), element.partition());
            let mut lanes = self.worker.lanes.write().unwrap_or_else(PoisonError::into_inner);
            let replaced = lanes.entry(name.clone()).or_default().insert(element.partition(), lane.clone());
            drop(lanes);
            if let Some(replaced) = replaced {
                replaced.close();
            }
            lane.start();
        }
        // commits of partitions that were kept may have been refused while the group was rebalancing
        self.worker.lanes().iter().for_each(|lane| lane.commit_again());
        tracing::info!(consumer = self.worker.name(), partitions = names(partitions), "partitions assigned");
    }

    /// What is being applied is finished (within the drain deadline) and committed; the rest is dropped, and redelivered
    /// to whoever has the partition next. A lane that does not finish in time goes on as a zombie whose effects the
    /// guard makes harmless, and whose offset is not committed.
    fn revoke(&self, kafka: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let mut revoked = Vec::new();
        {
            let mut lanes = self.worker.lanes.write().unwrap_or_else(PoisonError::into_inner);
            for element in partitions.elements() {
                revoked.extend(lanes.get_mut(element.topic()).and_then(|topic| topic.remove(&element.partition())));
            }
        }
        poll::close(&revoked, self.worker.settings.drain);
        if !kafka.assignment_lost() {
            let _alone = self.worker.committing.lock().unwrap_or_else(PoisonError::into_inner);
            poll::commit(kafka, &revoked, rdkafka::consumer::CommitMode::Sync);
        }
        let unassigned = match kafka.rebalance_protocol() {
            RebalanceProtocol::Cooperative => kafka.incremental_unassign(partitions),
            _ => kafka.unassign(),
        };
        if let Err(error) = unassigned {
            tracing::error!(consumer = self.worker.name(), %error, "a revocation was not taken");
        }
        tracing::info!(consumer = self.worker.name(), partitions = names(partitions), "partitions revoked");
    }

    /// Gives partitions up and takes them anew, without the group: librdkafka has stopped reading them and begins again only
    /// so, or they are to be read by other epochs. Where the assignment can be changed as a whole only, all are taken
    /// anew. Called by the polling thread.
    pub(crate) fn take_again(&self, kafka: &BaseConsumer<Self>, lanes: &[Arc<Lane<C>>]) {
        let mut partitions = TopicPartitionList::new();
        let all = self.worker.lanes();
        let is_cooperative = matches!(kafka.rebalance_protocol(), RebalanceProtocol::Cooperative);
        for lane in if is_cooperative { lanes } else { &all } {
            // one may be asked for twice while the thread was busy
            if partitions.find_partition(&lane.topic, lane.partition).is_none() {
                partitions.add_partition(&lane.topic, lane.partition);
            }
        }
        tracing::warn!(consumer = self.worker.name(), partitions = names(&partitions), "partitions are taken anew");
        self.revoke(kafka, &partitions);
        self.assign(kafka, &mut partitions);
    }
}

fn names(partitions: &TopicPartitionList) -> String {
    let names: Vec<_> = partitions.elements().iter().map(|e| format!("{}[{}]", e.topic(), e.partition())).collect();
    names.join(" ")
}

impl<C: Consumer> ClientContext for Assignment<C> {
    /// The end of each partition, for lag, and what was really committed: an asynchronous commit may be refused, as in the
    /// middle of every rebalance, and nobody is told (github.com/fede1024/rust-rdkafka/issues/856: the commit callback is
    /// never called).
    fn stats(&self, statistics: Statistics) {
        for lane in self.worker.lanes() {
            let topic = statistics.topics.get(&*lane.topic);
            let partition = topic.and_then(|topic| topic.partitions.get(&lane.partition));
            let Some(partition) = partition else { continue };
            if partition.hi_offset >= 0 {
                lane.saw_end(partition.hi_offset);
            }
            lane.saw_committed(partition.committed_offset);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(consumer = self.worker.name(), %error, reason, "kafka: {reason}");
    }
}

impl<C: Consumer> ConsumerContext for Assignment<C> {
    fn rebalance(&self, kafka: &BaseConsumer<Self>, event: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(kafka, partitions),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => self.revoke(kafka, partitions),
            other => {
                tracing::error!(consumer = self.worker.name(), error = ?other, "the group failed to rebalance");
                self.revoke(kafka, partitions);
            }
        }
    }
}
