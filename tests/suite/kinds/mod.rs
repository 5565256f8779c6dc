//! Kinds of monitors against the real server of their protocol: good, refused, slow, broken.

pub mod daemon;
pub mod dns;
mod docker;
mod echo;
mod files;
mod grpc;
mod host;
mod http;
mod imap;
pub mod keys;
mod kubernetes;
mod mqtt;
mod mysql;
mod ntp;
mod ping;
mod postgres;
mod prometheus;
mod redis;
mod reports;
mod script;
mod smtp;
mod ssh;
mod tcp;
mod tls;
mod udp;
mod unix;
mod websocket;
