//! Which tokens are good, what they mean, and that nothing else gets in.

mod issuer;

use issuer::*;
use mnemic_access::{Algorithm, Authenticator, Rate, Role, Rules, ScopeField, TokenRules};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Why a token is refused at [`NOW`].
fn refusal(authenticator: &Authenticator, token: &str) -> String {
    let refusal = authenticator
        .authenticate(Some(&bearer(token)), NOW)
        .expect_err("the token is to be refused");
    assert_eq!(refusal.reason, "UNAUTHENTICATED");
    refusal.message
}

fn is_good(authenticator: &Authenticator, token: &str) -> bool {
    authenticator
        .authenticate(Some(&bearer(token)), NOW)
        .is_ok()
}

#[test]
fn tokens_of_every_algorithm_say_who_is_calling() {
    let authenticator = authenticator(rules());
    for algorithm in Algorithm::ALL {
        let token = signed(
            algorithm,
            &claims_with(&json!({"role": ["x", "write", "read"]})),
        );
        let principal = authenticator
            .authenticate(Some(&bearer(&token)), NOW)
            .unwrap_or_else(|refusal| panic!("{}: {refusal}", algorithm.name()));
        assert_eq!(
            (principal.tenant.as_str(), principal.role),
            ("acme", Role::Write)
        );
        assert_eq!(principal.subject, "anna");
        assert!(principal.scope.is_empty());
    }
}

#[test]
fn a_signature_of_another_key_is_refused() {
    let authenticator = authenticator(rules());
    let other = jsonwebtoken::EncodingKey::from_ed_der(&bytes(keys::OTHER_ED_PRIVATE));
    let token = jsonwebtoken::encode(&header(Algorithm::EdDsa), &claims(), &other).expect("signed");
    assert!(refusal(&authenticator, &token).contains("signature"));
}

#[test]
fn claims_that_were_changed_after_signing_are_refused() {
    let authenticator = authenticator(rules());
    for algorithm in Algorithm::ALL {
        let token = signed(algorithm, &claims());
        let parts: Vec<&str> = token.split('.').collect();
        let stolen = text(
            claims_with(&json!({"role": "operator"}))
                .to_string()
                .as_bytes(),
        );
        let token = format!("{}.{stolen}.{}", parts[0], parts[2]);
        assert!(refusal(&authenticator, &token).contains("signature"));
    }
}

#[test]
fn no_token_chooses_how_it_is_verified() {
    let authenticator = authenticator(rules());
    for name in [
        "none", "None", "NONE", "", "hs256", "HS384", "PS256", "ES384",
    ] {
        for signature in [&b""[..], b"x"] {
            let token = forged(&json!({"alg": name}), &claims(), signature);
            assert!(
                refusal(&authenticator, &token).contains("not signed with one of"),
                "{name}"
            );
        }
    }
    // The public keys as the secrets of an HMAC: what a confused verifier would take.
    let public = [
        bytes(keys::RSA_MODULUS),
        bytes(keys::ED_X),
        keys::RSA_MODULUS.as_bytes().to_vec(),
    ];
    for (secret, kid) in public.iter().zip(["RS256", "EdDSA", "RS256"]) {
        let mut header = header(Algorithm::Hs256);
        for kid in [Some(kid.to_owned()), None] {
            header.kid = kid;
            let key = jsonwebtoken::EncodingKey::from_secret(secret);
            let token = jsonwebtoken::encode(&header, &claims(), &key).expect("signed");
            assert!(!is_good(&authenticator, &token));
        }
    }
}

#[test]
fn an_algorithm_that_is_not_configured_is_refused_although_its_key_is_there() {
    let authenticator = authenticator(TokenRules {
        algorithms: vec![Algorithm::EdDsa],
        ..rules()
    });
    assert!(is_good(
        &authenticator,
        &signed(Algorithm::EdDsa, &claims())
    ));
    let words = refusal(&authenticator, &signed(Algorithm::Hs256, &claims()));
    assert_eq!(words, "the token is not signed with one of EdDSA");
}

#[test]
fn a_token_without_a_key_id_fits_every_key_of_its_algorithm_and_another_id_fits_none() {
    let authenticator = authenticator(rules());
    let mut header = header(Algorithm::Es256);
    let mut sign = |kid: Option<&str>| {
        header.kid = kid.map(str::to_owned);
        jsonwebtoken::encode(&header, &claims(), &private(Algorithm::Es256)).expect("signed")
    };
    assert!(is_good(&authenticator, &sign(None)));
    assert!(!authenticator.wait_for_unknown_key(std::time::Duration::ZERO));
    assert!(refusal(&authenticator, &sign(Some("next"))).contains("not in the issuer's key set"));
    assert!(authenticator.wait_for_unknown_key(std::time::Duration::ZERO));
    assert!(!authenticator.wait_for_unknown_key(std::time::Duration::ZERO));
}

#[test]
fn a_token_is_good_from_nbf_to_exp_give_or_take_the_leeway() {
    let authenticator = authenticator(rules());
    let token = signed(
        Algorithm::EdDsa,
        &claims_with(&json!({"nbf": NOW_SECONDS + 20, "exp": NOW_SECONDS as f64 + 60.5})),
    );
    let at = |seconds: f64| {
        let now = NOW + (seconds * 1e6) as i64;
        let answer = authenticator.authenticate(Some(&bearer(&token)), now);
        answer.map(|_| ()).map_err(|refusal| refusal.message)
    };
    // Twice: at first it is verified, then remembered.
    for _ in 0..2 {
        assert_eq!(at(9.9), Err("the token is not good yet".to_owned()));
        assert_eq!(at(10.0), Ok(()));
        assert_eq!(at(70.4), Ok(()));
        assert_eq!(at(70.5), Err("the token has expired".to_owned()));
    }
}

#[test]
fn claims_that_are_missing_or_mean_nothing_are_refused_by_name() {
    let authenticator = authenticator(rules());
    for (changes, words) in [
        (json!({"exp": null}), "`exp` must be given"),
        (json!({"exp": "tomorrow"}), "`exp` is no time"),
        (json!({"nbf": [1]}), "signature or form is wrong"),
        (json!({"tenant": null}), "no claim `tenant`"),
        (json!({"tenant": 7}), "`tenant` names no tenant"),
        (json!({"tenant": "Acme"}), "`tenant` names no tenant"),
        (json!({"tenant": "other"}), "a tenant that is not here"),
        (json!({"role": null}), "no claim `role`"),
        (json!({"role": "root"}), "`role` means no role here"),
        (json!({"role": {"read": true}}), "`role` means no role here"),
        (json!({"sub": 7}), "`sub` is no text"),
        (
            json!({"sub": "x".repeat(257)}),
            "`sub` is no text, or too long",
        ),
        (json!({"aud": "somebody else"}), "not for this server"),
        (json!({"exp": NOW_SECONDS - 11}), "has expired"),
        (json!({"exp": -1e300}), "has expired"),
    ] {
        let found = refusal(
            &authenticator,
            &signed(Algorithm::Hs256, &claims_with(&changes)),
        );
        assert!(found.contains(words), "{changes}: {found}");
    }
}

#[test]
fn issuer_and_audience_are_those_of_the_rules() {
    let authenticator = authenticator(TokenRules {
        issuer: Some("https://issuer.test".to_owned()),
        audiences: vec!["mnemic".to_owned(), "memory".to_owned()],
        ..rules()
    });
    let good = |issuer: Value, audience: Value| {
        let changes = json!({"iss": issuer, "aud": audience});
        is_good(
            &authenticator,
            &signed(Algorithm::Hs256, &claims_with(&changes)),
        )
    };
    assert!(good(json!("https://issuer.test"), json!("mnemic")));
    assert!(good(json!("https://issuer.test"), json!(["x", "memory"])));
    for (issuer, audience) in [
        (json!(null), json!("mnemic")),
        (json!("https://issuer.test/"), json!("mnemic")),
        (json!(["https://issuer.test"]), json!("mnemic")),
        (json!("https://issuer.test"), json!(null)),
        (json!("https://issuer.test"), json!([])),
        (json!("https://issuer.test"), json!("mnemic ")),
        (json!("https://issuer.test"), json!({"mnemic": 1})),
    ] {
        assert!(
            !good(issuer.clone(), audience.clone()),
            "{issuer} {audience}"
        );
    }
}

#[test]
fn claims_may_lie_deeper_and_mean_what_the_rules_say() {
    let mut rules = rules();
    rules.claims.tenant = "https://acme.test/tenant".to_owned();
    rules.claims.role = "realm_access.roles".to_owned();
    rules.claims.roles = vec![("memory.editor".to_owned(), Role::Write)];
    rules.claims.default_role = Some(Role::Read);
    rules.claims.scope = vec![
        (ScopeField::User, "sub".to_owned()),
        (ScopeField::App, "azp".to_owned()),
    ];
    let authenticator = authenticator(rules);
    let claims = |roles: Value, azp: Value| {
        claims_with(&json!({
            "tenant": null, "role": null, "azp": azp,
            "https://acme.test/tenant": "acme", "realm_access": {"roles": roles},
        }))
    };
    let sign = |roles, azp| signed(Algorithm::Rs256, &claims(roles, azp));
    let principal = |token: String| {
        authenticator
            .authenticate(Some(&bearer(&token)), NOW)
            .expect("good")
    };
    let editor = principal(sign(json!("openid memory.editor"), json!("web")));
    assert_eq!(editor.role, Role::Write);
    let ids: Vec<_> = editor.scope.pairs().collect();
    assert_eq!(ids, [("user_id", "anna"), ("app_id", "web")]);
    // The names of the roles mean nothing once others do.
    assert_eq!(
        principal(sign(json!(["admin"]), json!("web"))).role,
        Role::Read
    );
    assert!(refusal(&authenticator, &sign(json!([]), json!(null))).contains("no claim `azp`"));
    assert!(refusal(&authenticator, &sign(json!([]), json!(""))).contains("`azp` holds no id"));
}

#[test]
fn extensions_that_must_be_understood_are_refused() {
    let authenticator = authenticator(rules());
    let mut header = header(Algorithm::Hs256);
    header.crit = Some(vec!["b64".to_owned()]);
    let token =
        jsonwebtoken::encode(&header, &claims(), &private(Algorithm::Hs256)).expect("signed");
    assert!(refusal(&authenticator, &token).contains("crit"));
}

#[test]
fn another_key_set_and_a_removed_tenant_count_at_once() {
    let authenticator = authenticator(rules());
    let token = signed(Algorithm::EdDsa, &claims());
    assert!(is_good(&authenticator, &token));
    assert_eq!(authenticator.cached_tokens(), 1);
    authenticator.remove_tenant("acme");
    assert!(!is_good(&authenticator, &token));
    authenticator.insert_tenant("acme");
    assert!(is_good(&authenticator, &token));
    let mut without = key_set();
    without["keys"].as_array_mut().expect("a list").remove(2);
    assert_eq!(authenticator.set_key_set(&without.to_string()), Ok(3));
    assert!(!is_good(&authenticator, &token));
}

#[test]
fn a_key_set_that_is_refused_changes_nothing() {
    let authenticator = authenticator(rules());
    let token = signed(Algorithm::EdDsa, &claims());
    let weak = json!({"kty": "RSA", "n": text(&[255; 128]), "e": "AQAB"});
    for (document, words) in [
        (json!([]), "no JSON object"),
        (json!({"keys": {}}), "no JSON object"),
        (json!({"keys": []}), "no usable key among 0"),
        (json!({"keys": [7]}), "keys[0] is not a key"),
        (
            json!({"keys": [{"kty": "OKP", "crv": "X25519", "x": "AA"}]}),
            "keys[0] is of another type",
        ),
        (
            json!({"keys": [{"kty": "oct", "k": "AAAA"}]}),
            "fewer than 256 bits",
        ),
        (json!({"keys": [weak]}), "fewer than 2048"),
        (
            json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}]}),
            "not of 256 bits",
        ),
        (
            json!({"keys": [{"kty": "EC", "crv": "P-256", "x": keys::EC_X}]}),
            "incomplete",
        ),
        (
            json!({"keys": [{"kty": "RSA", "use": "enc", "n": keys::RSA_MODULUS, "e": "AQAB"}]}),
            "not for signatures",
        ),
        (
            json!({"keys": [{"kty": "RSA", "alg": "RS512", "n": keys::RSA_MODULUS, "e": "AQAB"}]}),
            "another algorithm",
        ),
        (json!({"keys": vec![json!({}); 65]}), "64 are the most"),
    ] {
        let error = authenticator
            .set_key_set(&document.to_string())
            .expect_err("refused");
        assert!(error.to_string().contains(words), "{document}: {error}");
        assert!(is_good(&authenticator, &token));
    }
    assert!(authenticator.set_key_set("{").is_err());
}

#[test]
fn all_tokens_of_a_subject_take_from_one_bucket() {
    let authenticator = Authenticator::new(Rules {
        tokens: Some(rules()),
        rate: Some(Rate {
            requests_per_second: 1.0,
            burst: 2,
        }),
        ..Rules::default()
    });
    authenticator
        .set_key_set(&key_set().to_string())
        .expect("usable");
    authenticator.insert_tenant("acme");
    let call = |subject: &str, salt: i64| {
        let claims = claims_with(&json!({"sub": subject, "salt": salt}));
        let token = signed(Algorithm::Hs256, &claims);
        let principal = authenticator
            .authenticate(Some(&bearer(&token)), NOW)
            .expect("good");
        authenticator.admit(&principal, NOW)
    };
    assert_eq!(call("anna", 1), Ok(()));
    assert_eq!(call("anna", 2), Ok(()));
    let refusal = call("anna", 3).expect_err("the burst is used up");
    assert_eq!(refusal.reason, "QUOTA_EXCEEDED");
    assert!(
        refusal
            .retry_after_micros
            .is_some_and(|wait| (1..=1_000_001).contains(&wait))
    );
    assert_eq!(call("ben", 1), Ok(()));
}

#[test]
fn the_memory_of_verified_tokens_is_bounded() {
    let authenticator = authenticator(rules());
    for salt in 0..20_000 {
        let token = signed(Algorithm::Hs256, &claims_with(&json!({"salt": salt})));
        assert!(is_good(&authenticator, &token));
    }
    assert!(
        authenticator.cached_tokens() <= 16_384,
        "{}",
        authenticator.cached_tokens()
    );
}

#[test]
fn a_huge_token_is_refused_unread() {
    let authenticator = authenticator(rules());
    let token = signed(
        Algorithm::Hs256,
        &claims_with(&json!({"padding": "x".repeat(9000)})),
    );
    assert!(refusal(&authenticator, &token).contains("longer than 8192 bytes"));
    let nested = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
    let deep = format!(
        "{}.{}.x",
        text(br#"{"alg":"HS256"}"#),
        text(nested.as_bytes())
    );
    assert!(!is_good(&authenticator, &deep));
    let header = format!("{}.e30.x", text(nested.as_bytes()));
    assert!(refusal(&authenticator, &header).contains("neither an API key"));
}

proptest! {
    #[test]
    fn whatever_comes_is_refused_without_a_panic(header in prop::collection::vec(any::<u8>(), 0..300)) {
        let authenticator = authenticator(rules());
        prop_assert!(authenticator.authenticate(Some(&header), NOW).is_err());
        let mut bearer = b"Bearer ".to_vec();
        bearer.extend(header);
        prop_assert!(authenticator.authenticate(Some(&bearer), NOW).is_err());
    }

    #[test]
    fn a_token_with_any_byte_changed_is_refused(
        which in 0..4usize, place in any::<prop::sample::Index>(), byte in b'-'..=b'z',
    ) {
        let authenticator = authenticator(rules());
        let token = signed(Algorithm::ALL[which], &claims());
        let mut changed = token.clone().into_bytes();
        let place = place.index(changed.len());
        prop_assume!(changed[place] != byte);
        changed[place] = byte;
        let changed = String::from_utf8(changed).expect("text");
        prop_assert!(!is_good(&authenticator, &changed), "{}", changed);
    }

    #[test]
    fn headers_and_claims_of_any_shape_are_refused_without_a_signature(
        names in prop::collection::vec("[a-z]{1,6}", 0..6), algorithm in "[A-Za-z0-9]{0,6}", signature in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let authenticator = authenticator(rules());
        let extra: serde_json::Map<String, Value> = names.into_iter().map(|name| (name, json!(1))).collect();
        let mut header = Value::Object(extra.clone());
        header["alg"] = json!(algorithm);
        let mut claims = claims();
        claims.as_object_mut().expect("an object").extend(extra);
        prop_assert!(!is_good(&authenticator, &forged(&header, &claims, &signature)));
    }
}
