//! The table of services: the one place from which ports, node ids, codes, databases and topic prefixes come.

/// One service (shell). Consumers are named in their own crates; they have no port of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// The crate, the subcommand argument, the metric label, the workload.
    pub name: &'static str,
    /// What its public paths begin with.
    pub base_path: &'static str,
    /// The port that the gateway calls (offset by `APP_ENV_PORT_OFFSET` in development).
    pub port: u16,
    /// The upper four bits of a snowflake node, 1 to 15; `APP_ENV_NODE_ID` where it is given.
    pub node_id: u8,
    /// How operators' pages name it.
    pub code: &'static str,
    /// Its database, which only its own role writes; `None` for one without.
    pub database: Option<&'static str>,
    /// What the names of its topics begin with: `<prefix>.<schema>.<table>`.
    pub topic_prefix: &'static str,
}

macro_rules! services {
    ($($constant:ident = $name:literal, $port:literal, $node:literal, $code:literal, $database:expr;)+) => {
        impl Service {
            $(
                #[doc = concat!("The ", $name, " service.")]
                pub const $constant: Self = Self {
                    name: $name, base_path: concat!("/v1/api/", $name), port: $port, node_id: $node, code: $code,
                    database: $database, topic_prefix: $name,
                };
            )+
        }
        /// Every service, in the order of the table.
        pub const SERVICES: &[Service] = &[$(Service::$constant),+];
    };
}

services! {
    IDENTITY = "identity", 31010, 1, "SVC-00010-IDENTITY", Some("identity");
    COMMERCE = "commerce", 31020, 2, "SVC-00020-COMMERCE", Some("commerce");
    SALE = "sale", 31030, 3, "SVC-00030-SALE", Some("sale");
    PRICING = "pricing", 31040, 4, "SVC-00040-PRICING", Some("pricing");
    INVENTORY = "inventory", 31050, 5, "SVC-00050-INVENTORY", Some("inventory");
    LEDGER = "ledger", 31060, 6, "SVC-00060-LEDGER", Some("ledger");
    SIGNAL = "signal", 31070, 7, "SVC-00070-SIGNAL", None;
    OUTREACH = "outreach", 31100, 10, "SVC-00100-OUTREACH", Some("outreach");
    INVOICE = "invoice", 31150, 15, "SVC-00150-INVOICE", Some("invoice");
}

impl Service {
    /// The service of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        SERVICES.iter().copied().find(|service| service.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all_differ<T: Ord>(key: impl Fn(&Service) -> T) -> bool {
        SERVICES.iter().map(key).collect::<BTreeSet<_>>().len() == SERVICES.len()
    }

    #[test]
    fn nothing_in_the_table_is_taken_twice() {
        assert!(all_differ(|service| service.name));
        assert!(all_differ(|service| service.base_path));
        assert!(all_differ(|service| service.port));
        assert!(all_differ(|service| service.node_id));
        assert!(all_differ(|service| service.code));
        assert!(all_differ(|service| service.topic_prefix));
        let databases: Vec<_> = SERVICES.iter().filter_map(|service| service.database).collect();
        assert_eq!(databases.iter().collect::<BTreeSet<_>>().len(), databases.len());
    }

    #[test]
    fn every_node_id_fits_four_bits_and_code_and_port_tell_the_same_number() {
        for service in SERVICES {
            assert!((1..=15).contains(&service.node_id), "{}", service.name);
            assert_eq!(service.port, 31000 + u16::from(service.node_id) * 10, "{}", service.name);
            let code = format!("SVC-{:05}-{}", u16::from(service.node_id) * 10, service.name.to_uppercase());
            assert_eq!(service.code, code);
        }
    }
}
