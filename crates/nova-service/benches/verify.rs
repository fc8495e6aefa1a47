//! What verifying an access token costs beside the signature check itself: `cargo bench -p nova-service --bench verify`.
//!
//! `signature` is the bare ES256 check; `verify/new` is all of a verification of a token not seen before; `verify/again` is
//! the verification of a token that was verified before. The first two go around the same tokens: the check of one and the
//! same signature again and again is faster than any real one, since the processor learns its branches.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark fails by panicking, and criterion makes undocumented items"
)]

use std::hint::black_box;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use futures::FutureExt;
use nova_service::TokenVerifier;
use nova_testkit::TestIssuer;
use uuid::Uuid;

/// More than the memory of verified tokens holds, so that going around never finds one again.
const TOKENS: usize = 20_000;

fn verification(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let issuer = runtime.block_on(TestIssuer::start());
    let verifier = TokenVerifier::local(issuer.issuer(), "nova", "shop");
    verifier.set_keys([issuer.decoding_key()]);
    let tokens: Vec<_> = (0..TOKENS)
        .map(|_| issuer.token_with(Uuid::now_v7(), |claims| claims.exp += 86_400))
        .collect();

    let signed: Vec<_> = tokens
        .iter()
        .map(|token| {
            let (message, signature) = token.rsplit_once('.').unwrap();
            (message, BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap())
        })
        .collect();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, issuer.public_key());
    let mut next = signed.iter().cycle();
    criterion.bench_function("signature", |bench| {
        bench.iter(|| {
            let (message, signature) = black_box(next.next().unwrap());
            key.verify(message.as_bytes(), signature).unwrap();
        });
    });

    let mut next = tokens.iter().cycle();
    criterion.bench_function("verify/new", |bench| {
        bench.iter(|| {
            verifier
                .verify(black_box(next.next().unwrap()))
                .now_or_never()
                .unwrap()
                .unwrap()
        });
    });

    criterion.bench_function("verify/again", |bench| {
        bench.iter(|| verifier.verify(black_box(&tokens[0])).now_or_never().unwrap().unwrap());
    });
}

criterion_group!(benches, verification);
criterion_main!(benches);
