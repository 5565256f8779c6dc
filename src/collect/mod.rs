//! The built-in kinds of monitors. A kind reads its options without opening anything, and probes once.
//!
//! [`kinds`] is the table of all of them: a further kind is one file here and one row there; [`kind`] is
//! what it says about itself. What kinds share: [`dial`] (names and connections), [`tls`], [`talk`]
//! (conversations), [`sql`] (databases), [`replica`] (who follows whom), [`judge`] (expectations), [`trace`] (what is known when
//! the deadline strikes) and [`mask`] (secrets in what a target sent back, however [`plain`] finds them written).
//!
//! Nothing here retries, schedules or stores: that is the engine's.

pub mod capture;
pub mod cert;
pub mod cert_file;
pub mod dial;
pub mod dns;
pub mod docker;
pub mod domain;
pub mod fault;
pub mod fetch;
pub mod file;
pub mod files;
pub mod grpc;
pub mod heartbeat;
pub mod host;
pub mod http;
pub mod icmp;
pub mod imap;
pub mod judge;
pub mod kind;
pub mod kinds;
pub mod kubernetes;
pub mod mask;
pub mod metric;
pub mod mqtt;
pub mod mysql;
pub mod nagios;
pub mod ntp;
pub mod ping;
pub mod plain;
pub mod postgres;
pub mod prometheus;
pub mod redis;
pub mod replica;
pub mod script;
pub mod sender;
pub mod smtp;
pub mod sql;
pub mod ssh;
pub mod talk;
pub mod tcp;
pub mod tls;
pub mod trace;
pub mod udp;
pub mod unix;
pub mod value;
pub mod want;
pub mod webhook;
pub mod websocket;
