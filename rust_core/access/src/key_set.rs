//! Key sets (RFC 7517): the keys that verify tokens, each for the one algorithm that its type allows.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;

/// How a token is signed. There is no `none`, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256 and a shared secret.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// `EdDSA` with Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    /// As in a token's header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of a name, which is told apart by case as the standard says.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    pub(crate) const fn verifier(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// Why a key set was refused as a whole; single keys that are of no use here are passed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is no JSON object with a list `keys`.
    #[error("the key set is no JSON object with a list `keys`: {0}")]
    Malformed(String),
    /// It has more keys than any issuer uses.
    #[error("the key set has {0} keys; {MOST_KEYS} are the most")]
    TooMany(usize),
    /// None of its keys can verify a token under the configured algorithms.
    #[error("the key set has no usable key among {count}: {reasons}")]
    NoKey {
        /// How many it has.
        count: usize,
        /// Why each was passed over.
        reasons: String,
    },
}

/// A token that names no key is tried with each.
const MOST_KEYS: usize = 64;
/// RFC 7518 asks for 2048 bits at least; the verifier takes no more than 4096.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// RFC 7518 §3.2: no shorter than the hash.
const LEAST_SECRET_BYTES: usize = 32;

#[derive(Debug)]
pub(crate) struct VerifyingKey {
    pub(crate) key_id: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: DecodingKey,
}

/// The keys that verify tokens.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    pub(crate) keys: Vec<VerifyingKey>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

/// The parts of a JSON Web Key that matter here.
#[derive(Deserialize)]
struct JsonWebKey {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    k: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// The usable keys of a key set.
    pub(crate) fn parse(json: &str, allowed: &[Algorithm]) -> Result<Self, KeySetError> {
        let document: Document = serde_json::from_str(json)
            .map_err(|error| KeySetError::Malformed(error.to_string()))?;
        let count = document.keys.len();
        if count > MOST_KEYS {
            return Err(KeySetError::TooMany(count));
        }
        let mut keys = Vec::with_capacity(count);
        let mut reasons = Vec::new();
        for (place, value) in document.keys.into_iter().enumerate() {
            // What a key of another kind looks like is none of our business: a set may hold any.
            let read: Result<JsonWebKey, _> = serde_json::from_value(value);
            match read
                .map_err(|_| "not a key")
                .and_then(|key| key.usable(allowed))
            {
                Ok(key) => keys.push(key),
                Err(reason) => reasons.push(format!("keys[{place}] is {reason}")),
            }
        }
        if keys.is_empty() {
            let reasons = reasons.join("; ");
            return Err(KeySetError::NoKey { count, reasons });
        }
        Ok(Self { keys })
    }

    /// The keys that may have signed a token with this header: those of its id, else those that have none.
    ///
    /// A token without an id fits every key of its algorithm.
    pub(crate) fn fitting<'a>(
        &'a self,
        algorithm: Algorithm,
        key_id: Option<&'a str>,
    ) -> impl Iterator<Item = &'a VerifyingKey> {
        self.keys.iter().filter(move |key| {
            let named = key_id.is_none() || key.key_id.is_none() || key.key_id.as_deref() == key_id;
            key.algorithm == algorithm && named
        })
    }
}

impl JsonWebKey {
    fn usable(self, allowed: &[Algorithm]) -> Result<VerifyingKey, &'static str> {
        let algorithm = match (self.kty.as_str(), self.crv.as_deref()) {
            ("oct", _) => Algorithm::Hs256,
            ("RSA", _) => Algorithm::Rs256,
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            _ => return Err("of another type"),
        };
        if !allowed.contains(&algorithm) {
            return Err("for an algorithm that is not configured");
        }
        if self
            .purpose
            .as_deref()
            .is_some_and(|purpose| purpose != "sig")
        {
            return Err("not for signatures");
        }
        let verifies = |operations: Vec<String>| operations.iter().any(|each| each == "verify");
        if !self.key_ops.is_none_or(verifies) {
            return Err("not for verifying");
        }
        if self
            .alg
            .as_deref()
            .is_some_and(|alg| alg != algorithm.name())
        {
            return Err("for another algorithm");
        }
        let key = match algorithm {
            Algorithm::Hs256 => {
                let secret = bytes(self.k.as_deref())?;
                if secret.len() < LEAST_SECRET_BYTES {
                    return Err("a secret of fewer than 256 bits");
                }
                DecodingKey::from_secret(&secret)
            }
            Algorithm::Rs256 => {
                let modulus = bytes(self.n.as_deref())?;
                let digits = modulus.iter().skip_while(|&&byte| byte == 0).count();
                if !RSA_BYTES.contains(&digits) {
                    return Err("an RSA key of fewer than 2048 or more than 4096 bits");
                }
                DecodingKey::from_rsa_raw_components(&modulus, &bytes(self.e.as_deref())?)
            }
            Algorithm::Es256 => {
                let (x, y) = (coordinate(self.x.as_ref())?, coordinate(self.y.as_ref())?);
                DecodingKey::from_ec_components(x, y).map_err(|_| "no point of P-256")?
            }
            Algorithm::EdDsa => DecodingKey::from_ed_components(coordinate(self.x.as_ref())?)
                .map_err(|_| "no Ed25519 key")?,
        };
        Ok(VerifyingKey {
            key_id: self.kid,
            algorithm,
            key,
        })
    }
}

fn bytes(text: Option<&str>) -> Result<Vec<u8>, &'static str> {
    let text = text.ok_or("incomplete")?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "not base64url")
}

/// A number of 256 bits, still in base64url. The verifier slices it unseen, so its length is checked here.
fn coordinate(text: Option<&String>) -> Result<&str, &'static str> {
    if bytes(text.map(String::as_str))?.len() != 32 {
        return Err("not of 256 bits");
    }
    Ok(text.map_or("", String::as_str))
}
