//! `dns_sd_configs`: targets by the records of names: `SRV`, or `A` and `AAAA` with a port.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};

use crate::collect::dial::name_fault;
use crate::collect::fault::Fault;
use crate::collect::prometheus::discover::{Found, MOST_TARGETS};
use crate::collect::prometheus::job::ADDRESS;
use crate::collect::prometheus::relabel::Draft;
use crate::config::fields::Fields;
use crate::config::report::Code;

/// The name that was looked up.
const NAME_LABEL: &str = "__meta_dns_name";
const SRV_TARGET_LABEL: &str = "__meta_dns_srv_record_target";
const SRV_PORT_LABEL: &str = "__meta_dns_srv_record_port";
const MX_LABEL: &str = "__meta_dns_mx_record_target";
const NS_LABEL: &str = "__meta_dns_ns_record_target";

/// The names of one entry.
pub struct Names {
    names: Vec<String>,
    record: RecordType,
    port: Option<u16>,
    /// What each name said last. Held for a change.
    known: Mutex<BTreeMap<String, Vec<Draft>>>,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").field("names", &self.names).field("record", &self.record).finish_non_exhaustive()
    }
}

impl Names {
    /// Reads `names`, `type` and `port`.
    pub fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let errors = fields.cx().error_count();
        let names: Vec<String> = fields.texts("names").iter().map(|t| t.value().to_owned()).collect();
        if names.is_empty() {
            fields.missing("names", "write e.g. `names: [_node._tcp.example.com]`");
        }
        let record = fields.parse("type", "write `SRV`, `A`, `AAAA`, `MX` or `NS`", |text| {
            match text.to_ascii_uppercase().as_str() {
                "SRV" => Ok(RecordType::SRV),
                "A" => Ok(RecordType::A),
                "AAAA" => Ok(RecordType::AAAA),
                "MX" => Ok(RecordType::MX),
                "NS" => Ok(RecordType::NS),
                _ => Err(format!("`{text}` is no type of record that names targets")),
            }
        });
        let record = record.unwrap_or(RecordType::SRV);
        let port = fields.integer("port", 1..=65_535).and_then(|p| u16::try_from(p).ok());
        if record != RecordType::SRV && port.is_none() {
            let hint = "write `port:`, which only records of type SRV have themselves";
            fields.error(fields.head(), Code::MissingKey, format!("`type: {record}` needs a `port`"), hint);
        }
        let known = Mutex::default();
        (fields.cx().error_count() == errors).then_some(Self { names, record, port, known })
    }

    /// For people.
    pub fn describe(&self) -> String {
        format!("{} ({})", self.names.join(", "), self.record)
    }

    /// Looks the names up. One that cannot be looked up stays as it was.
    ///
    /// # Errors
    /// A name could not be looked up and nothing is known of any.
    pub async fn ask(&self) -> Result<Found, Fault> {
        // Made anew each time: the system's configuration may be another one by now.
        let built = TokioResolver::builder_tokio().and_then(|mut builder| {
            // A target that is gone must not stay because it was remembered.
            builder.options_mut().cache_size = 0;
            builder.build()
        });
        let unusable = |e| Fault::local("local_resolver", format!("the system's resolver cannot be used: {e}"));
        self.ask_by(&built.map_err(unusable)?).await
    }

    async fn ask_by(&self, resolver: &TokioResolver) -> Result<Found, Fault> {
        let look = async |name: &String| match resolver.lookup(name.as_str(), self.record).await {
            Ok(found) => {
                let records = found.answers().iter().filter_map(|r| self.target(name, &r.data));
                Ok(records.take(MOST_TARGETS).collect())
            }
            // A name without records is a list without entries.
            Err(e) if e.is_no_records_found() || e.is_nx_domain() => Ok(Vec::new()),
            Err(e) => Err(name_fault(name, &e, false)),
        };
        let answers: Vec<Result<Vec<Draft>, Fault>> = join_all(self.names.iter().map(look)).await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut trouble = None;
        for (name, answer) in self.names.iter().zip(answers) {
            match answer {
                Ok(targets) => drop(known.insert(name.clone(), targets)),
                Err(why) => drop(trouble.get_or_insert(why)),
            }
        }
        if known.is_empty() {
            return Err(trouble.unwrap_or_else(|| Fault::target("discovery", "no name is looked up")));
        }
        let mut targets: Vec<Draft> = known.values().flatten().take(MOST_TARGETS).cloned().collect();
        targets.sort_by(|a, b| a.iter().cmp(b.iter()));
        Ok(Found { targets, trouble })
    }

    fn target(&self, name: &str, record: &RData) -> Option<Draft> {
        let mut draft = Draft::default();
        draft.set(NAME_LABEL, name);
        let port = self.port.unwrap_or_default();
        let address = match record {
            RData::SRV(srv) => {
                let target = srv.target.to_string();
                draft.set(SRV_TARGET_LABEL, &target);
                draft.set(SRV_PORT_LABEL, &srv.port.to_string());
                format!("{}:{}", target.trim_end_matches('.'), srv.port)
            }
            RData::A(a) => format!("{}:{port}", a.0),
            RData::AAAA(a) => format!("[{}]:{port}", a.0),
            RData::MX(mx) => {
                let target = mx.exchange.to_string();
                draft.set(MX_LABEL, &target);
                format!("{}:{port}", target.trim_end_matches('.'))
            }
            RData::NS(ns) => {
                let target = ns.0.to_string();
                draft.set(NS_LABEL, &target);
                format!("{}:{port}", target.trim_end_matches('.'))
            }
            _ => return None,
        };
        draft.set(ADDRESS, &address);
        Some(draft)
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use hickory_resolver::proto::rr::Name;
    use hickory_resolver::proto::rr::rdata::{A, AAAA, SRV};

    use super::*;
    use crate::collect::dial::testing::{NameServer, Says};

    #[tokio::test]
    async fn a_name_is_looked_up_and_one_that_is_gone_is_an_empty_list() {
        let server = NameServer::start(|name| match name {
            "many.test." => Says::All(vec![[127, 0, 0, 3].into(), [127, 0, 0, 2].into()]),
            "gone.test." => Says::NoName,
            _ => Says::Refused,
        })
        .await;
        let mut udp = ConnectionConfig::udp();
        udp.port = server.at.port();
        let config = NameServerConfig::new(server.at.ip(), true, vec![udp]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![config]);
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build().unwrap();
        let of = |names: &[&str]| Names {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            record: RecordType::A,
            port: Some(9100),
            known: Mutex::default(),
        };
        let ask = async |names: &Names| {
            let found = names.ask_by(&resolver).await?;
            let targets: Vec<String> = found.targets.iter().map(|t| t.get(ADDRESS).to_owned()).collect();
            Ok::<_, Fault>((targets, found.trouble))
        };
        let many = vec!["127.0.0.2:9100".to_owned(), "127.0.0.3:9100".to_owned()];
        assert_eq!(ask(&of(&["many.test."])).await.unwrap(), (many.clone(), None));
        assert_eq!(ask(&of(&["gone.test."])).await.unwrap(), (Vec::new(), None));
        let refused = ask(&of(&["other.test."])).await.unwrap_err();
        assert!(refused.is_local() && refused.message().starts_with("`other.test.` was not looked up"), "{refused:?}");
        // One that fails leaves the others, and what it said itself before.
        let both = of(&["other.test.", "many.test."]);
        let (targets, trouble) = ask(&both).await.unwrap();
        assert_eq!(targets, many);
        assert!(trouble.unwrap().message().starts_with("`other.test.` was not"));
        let mut before = Draft::default();
        before.set(ADDRESS, "127.0.0.1:9100");
        both.known.lock().unwrap().insert("other.test.".to_owned(), vec![before]);
        assert_eq!(ask(&both).await.unwrap().0.len(), 3);
    }

    #[test]
    fn records_are_targets_with_prometheus_labels() {
        let names = Names { names: Vec::new(), record: RecordType::SRV, port: Some(9100), known: Mutex::default() };
        let check = |record: RData, want: &[(&str, &str)]| {
            let draft = names.target("n", &record).unwrap();
            assert_eq!(draft.iter().collect::<Vec<_>>(), want);
        };
        let host = Name::from_ascii("db1.example.com.").unwrap();
        check(
            RData::SRV(SRV::new(1, 2, 9187, host)),
            &[
                ("__address__", "db1.example.com:9187"),
                ("__meta_dns_name", "n"),
                ("__meta_dns_srv_record_port", "9187"),
                ("__meta_dns_srv_record_target", "db1.example.com."),
            ],
        );
        check(RData::A(A::new(192, 0, 2, 1)), &[("__address__", "192.0.2.1:9100"), ("__meta_dns_name", "n")]);
        let six = RData::AAAA(AAAA("2001:db8::1".parse().unwrap()));
        check(six, &[("__address__", "[2001:db8::1]:9100"), ("__meta_dns_name", "n")]);
    }
}
