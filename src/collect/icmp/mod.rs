//! ICMP echo: packets, sockets, bursts, and the path that packets take.
//!
//! A datagram socket of ICMP needs no privilege where `net.ipv4.ping_group_range` allows the group; the
//! kernel then sets the identifier and hands over only what answers it. A raw socket is the fallback.
//! Whatever comes in is another's word: a reply counts when it comes from the address that was asked, with
//! an identifier and a number of ours, and the very bytes that were sent.

pub mod burst;
pub mod packet;
pub mod path;
mod shared;
mod socket;
