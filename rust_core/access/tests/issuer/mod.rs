//! Signs tokens as an issuer would, and as one would who is none.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use mnemic_access::{Algorithm, Authenticator, ClaimRules, Rules, TokenRules};
use serde_json::{Value, json};

pub(crate) mod keys;

pub(crate) const SECRET: &[u8] = b"a secret of the tests, of no use to anyone";
/// 2026-01-01, in seconds and in microseconds.
pub(crate) const NOW_SECONDS: i64 = 1_767_225_600;
pub(crate) const NOW: i64 = NOW_SECONDS * 1_000_000;

pub(crate) fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The public keys of the issuer, each under the name of its algorithm.
pub(crate) fn key_set() -> Value {
    json!({"keys": [
        {"kty": "RSA", "kid": "RS256", "use": "sig", "n": keys::RSA_MODULUS, "e": "AQAB"},
        {"kty": "EC", "kid": "ES256", "crv": "P-256", "x": keys::EC_X, "y": keys::EC_Y},
        {"kty": "OKP", "kid": "EdDSA", "crv": "Ed25519", "x": keys::ED_X, "alg": "EdDSA"},
        {"kty": "oct", "kid": "HS256", "k": text(SECRET)},
    ]})
}

pub(crate) fn private(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::Hs256 => EncodingKey::from_secret(SECRET),
        Algorithm::Rs256 => EncodingKey::from_rsa_der(&bytes(keys::RSA_PRIVATE)),
        Algorithm::Es256 => EncodingKey::from_ec_der(&bytes(keys::EC_PRIVATE)),
        Algorithm::EdDsa => EncodingKey::from_ed_der(&bytes(keys::ED_PRIVATE)),
    }
}

pub(crate) fn header(algorithm: Algorithm) -> Header {
    let mut header = Header::new(algorithm.name().parse().expect("an algorithm"));
    header.kid = Some(algorithm.name().to_owned());
    header
}

/// Good claims of Anna, who reads.
pub(crate) fn claims() -> Value {
    json!({"sub": "anna", "tenant": "acme", "role": "read", "exp": NOW_SECONDS + 60})
}

/// Good claims but for some; null takes one out.
pub(crate) fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
        .as_object_mut()
        .expect("an object")
        .retain(|_, value| !value.is_null());
    claims
}

pub(crate) fn signed(algorithm: Algorithm, claims: &Value) -> String {
    encode(&header(algorithm), claims, &private(algorithm)).expect("it can be signed")
}

/// A token of any header and claims, with a signature that somebody made up.
pub(crate) fn forged(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| text(value.to_string().as_bytes());
    format!("{}.{}.{}", part(header), part(claims), text(signature))
}

pub(crate) fn rules() -> TokenRules {
    TokenRules {
        algorithms: Algorithm::ALL.to_vec(),
        issuer: None,
        audiences: Vec::new(),
        leeway_seconds: 10,
        claims: ClaimRules {
            tenant: "tenant".to_owned(),
            default_tenant: None,
            role: "role".to_owned(),
            roles: Vec::new(),
            default_role: None,
            scope: Vec::new(),
        },
    }
}

/// Takes the issuer's tokens, of the tenant `acme`.
pub(crate) fn authenticator(tokens: TokenRules) -> Authenticator {
    let authenticator = Authenticator::new(Rules {
        tokens: Some(tokens),
        ..Rules::default()
    });
    authenticator
        .set_key_set(&key_set().to_string())
        .expect("a usable key set");
    authenticator.insert_tenant("acme");
    authenticator
}

/// How a token is sent.
pub(crate) fn bearer(token: &str) -> Vec<u8> {
    format!("Bearer {token}").into_bytes()
}
