//! Remote write 1.0, the sending side: a `WriteRequest` in protobuf, compressed with Snappy.

use crate::stream::Stream;

/// Bodies of requests, made before anything is measured.
pub struct Requests {
    /// Per series: its labels, encoded.
    labels: Vec<Vec<u8>>,
    /// Most samples in one request.
    batch: usize,
}

/// A request ready to be sent.
pub struct Request {
    /// The compressed message.
    pub body: Vec<u8>,
    /// How many samples are in it.
    pub samples: usize,
}

impl Requests {
    pub fn new(stream: &Stream, batch: usize) -> Self {
        let labels = stream
            .labels()
            .iter()
            .map(|set| {
                let mut out = Vec::new();
                for (name, value) in set {
                    let mut label = Vec::new();
                    bytes(&mut label, 1, name.as_bytes());
                    bytes(&mut label, 2, value.as_bytes());
                    bytes(&mut out, 1, &label);
                }
                out
            })
            .collect();
        Self { labels, batch }
    }

    /// The next scrape, in as many requests as it takes; as Prometheus sends it, one sample per series.
    pub fn scrape(&self, stream: &mut Stream, mut done: impl FnMut(Request)) {
        let mut message = Vec::with_capacity(self.batch * 256);
        let mut samples = 0;
        let mut snappy = snap::raw::Encoder::new();
        let mut flush = |message: &mut Vec<u8>, samples: &mut usize| {
            let body = snappy.compress_vec(message).expect("a request is far below Snappy's limit");
            done(Request { body, samples: std::mem::take(samples) });
            message.clear();
        };
        stream.scrape(|series, t, v| {
            let mut sample = [0; 24];
            let sample = encode_sample(&mut sample, t, v);
            let labels = &self.labels[series];
            message.push(1 << 3 | 2);
            varint(&mut message, (labels.len() + 2 + sample.len()) as u64);
            message.extend_from_slice(labels);
            bytes(&mut message, 2, sample);
            samples += 1;
            if samples == self.batch {
                flush(&mut message, &mut samples);
            }
        });
        if samples > 0 {
            flush(&mut message, &mut samples);
        }
    }
}

/// `Sample { double value = 1; int64 timestamp = 2 }`; a zero is left out, as protobuf 3 does.
fn encode_sample(out: &mut [u8; 24], t: i64, v: f64) -> &[u8] {
    let mut len = 0;
    if v.to_bits() != 0 {
        out[0] = 1 << 3 | 1;
        out[1..9].copy_from_slice(&v.to_le_bytes());
        len = 9;
    }
    out[len] = 2 << 3;
    len += 1;
    let mut t = t.cast_unsigned();
    while t >= 0x80 {
        out[len] = t as u8 | 0x80;
        (t, len) = (t >> 7, len + 1);
    }
    out[len] = t as u8;
    &out[..=len]
}

fn bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}
