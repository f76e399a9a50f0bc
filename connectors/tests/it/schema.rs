//! What Debezium registers is what the files say.

use rdkafka::message::Message;
use schemas::{check, drift, push, wire};

use super::lab::Lab;
use super::reader::read;

const ALL: &[&str] = &["public.merchant", "public.category", "public.product", "public.variant"];

pub(crate) const ROWS: &str = "
    insert into merchant values (1,'Phở Hòa','FOOD_SERVICE','HOUSEHOLD',null,null,null,'12 Lê Lợi','79','26734',null,null,'ACTIVE','RESTRICT',1,1,now(),now(),null);
    insert into category values (2,1,null,'Món','mon',1,1,1,now(),now(),null);
    insert into product values (3,1,2,null,'MENU_ITEM','Phở','pho','Tái, nạm','ACTIVE','GOODS','STANDARD',1,1,now(),now(),null);
    insert into variant values (4,3,1,'S',null,'Tô','bát',50000,null,'{\"size\":\"L\"}',true,1,1,1,now(),now(),null);";

#[tokio::test]
async fn debezium_uses_the_very_ids_that_the_files_were_pushed_with() {
    let lab = Lab::new(ALL).await;
    let pushed = push::push(&lab.registry, &lab.topics()).await.unwrap();
    assert_eq!(pushed.registered.len(), 8);
    lab.apply().await.unwrap();
    lab.execute(ROWS).await;
    for table in ALL {
        let records = read(&lab.topic(table), |records| !records.is_empty()).await;
        let id_of = |part: &str| {
            let subject = format!("{}-{part}", lab.topic(table));
            pushed.registered.iter().find(|(name, ..)| *name == subject).map(|(.., id)| *id).unwrap()
        };
        assert_eq!(wire::split(records[0].key().unwrap()).unwrap().0, id_of("key"), "{table}");
        assert_eq!(wire::split(records[0].payload().unwrap()).unwrap().0, id_of("value"), "{table}");
    }
    let again = push::push(&lab.registry, &lab.topics()).await.unwrap();
    assert_eq!((again.registered.len(), again.known), (0, 8));
}

#[tokio::test]
async fn what_debezium_registers_by_itself_is_byte_for_byte_what_the_files_say() {
    let lab = Lab::new(ALL).await;
    lab.execute(ROWS).await;
    lab.apply().await.unwrap();
    for table in ALL {
        read(&lab.topic(table), |records| !records.is_empty()).await;
    }
    let checked = check::online(&lab.registry, &lab.topics()).await.unwrap();
    let differing: Vec<_> =
        checked.findings.iter().filter(|finding| !matches!(finding, check::Finding::Level { .. })).collect();
    assert!(differing.is_empty(), "{checked}");
    let drift = drift::drift(&lab.registry, &lab.topics(), |subject| subject.starts_with(&lab.prefix)).await.unwrap();
    assert_eq!(drift, []);
}
