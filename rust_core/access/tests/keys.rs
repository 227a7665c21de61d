//! API keys, roles and restrictions.

use std::thread;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mnemic_access::{
    ApiKey, Authenticator, METHODS, Principal, Rate, Restriction, Role, Rules, ScopeIds,
    hash_secret, least_role,
};
use proptest::prelude::*;

const NOW: i64 = 1_767_225_600_000_000;
const MINUTE: i64 = 60_000_000;

fn secret(number: u8) -> String {
    format!("mnk_{}", URL_SAFE_NO_PAD.encode([number; 32]))
}

fn key(number: u8, role: Role) -> ApiKey {
    ApiKey {
        key_id: format!("key-{number}"),
        hash: hash_secret(secret(number).as_bytes()),
        tenant: format!("tenant-{number}"),
        role,
        scope: Restriction::default(),
        expire_micros: None,
        requests_per_second: None,
        request_burst: None,
    }
}

fn keyed() -> Authenticator {
    Authenticator::new(Rules {
        keys: true,
        ..Rules::default()
    })
}

fn enter(
    authenticator: &Authenticator,
    header: &str,
    now: i64,
) -> Result<std::sync::Arc<Principal>, String> {
    let answer = authenticator.authenticate(Some(header.as_bytes()), now);
    answer.map_err(|refusal| {
        assert_eq!(refusal.reason, "UNAUTHENTICATED");
        assert!(!refusal.to_string().contains(&secret(1)[4..]));
        refusal.message
    })
}

#[test]
fn without_authentication_everyone_is_an_operator() {
    let authenticator = Authenticator::open();
    assert!(authenticator.is_open());
    for header in [None, Some(&b"Bearer mnk_nonsense"[..])] {
        let principal = authenticator.authenticate(header, NOW).expect("everyone");
        assert_eq!(
            (principal.tenant.as_str(), principal.role),
            ("default", Role::Operator)
        );
        assert_eq!(authenticator.admit(&principal, NOW), Ok(()));
        assert_eq!(
            authenticator.permit(&principal, "/mnemic.v1.AdminService/ListTenants"),
            Ok(())
        );
    }
}

#[test]
fn a_key_says_who_is_calling_until_it_is_removed() {
    let authenticator = keyed();
    assert!(!authenticator.is_open());
    authenticator.insert_key(key(1, Role::Write));
    authenticator.insert_key(key(2, Role::Read));
    for header in [
        format!("Bearer {}", secret(1)),
        format!("bEARER   {}  ", secret(1)),
    ] {
        let principal = enter(&authenticator, &header, NOW).expect("good");
        assert_eq!(
            (principal.tenant.as_str(), principal.role),
            ("tenant-1", Role::Write)
        );
        assert_eq!(principal.subject, "key-1");
    }
    assert!(authenticator.remove_key("key-1"));
    assert!(!authenticator.remove_key("key-1"));
    let words = enter(&authenticator, &format!("Bearer {}", secret(1)), NOW);
    assert_eq!(
        words.map(|_| ()),
        Err("there is no such API key, or it was revoked".to_owned())
    );
    assert!(enter(&authenticator, &format!("Bearer {}", secret(2)), NOW).is_ok());
    assert_eq!(authenticator.key_count(), 1);
}

#[test]
fn an_expired_key_is_worthless_from_that_moment() {
    let authenticator = keyed();
    authenticator.insert_key(ApiKey {
        expire_micros: Some(NOW),
        ..key(1, Role::Read)
    });
    let header = format!("Bearer {}", secret(1));
    assert!(enter(&authenticator, &header, NOW - 1).is_ok());
    assert_eq!(
        enter(&authenticator, &header, NOW).map(|_| ()),
        Err("this API key has expired".to_owned())
    );
}

#[test]
fn what_is_no_credential_is_refused() {
    let authenticator = keyed();
    authenticator.insert_key(key(1, Role::Read));
    let missing = authenticator
        .authenticate(None, NOW)
        .expect_err("nothing was sent");
    assert_eq!(missing.reason, "UNAUTHENTICATED");
    for header in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        secret(1),
        format!("Basic {}", secret(1)),
        format!("Bearer {} {}", secret(1), secret(1)),
        format!("Bearer {}x", secret(1)),
        format!("Bearer {}", &secret(1)[..46]),
        format!("Bearer {}", secret(2)),
        "Bearer a.b.c".to_owned(),
    ] {
        assert!(enter(&authenticator, &header, NOW).is_err(), "{header}");
    }
}

#[test]
fn a_key_that_is_changed_is_held_once() {
    let authenticator = keyed();
    authenticator.insert_key(key(1, Role::Read));
    authenticator.insert_key(ApiKey {
        hash: hash_secret(secret(9).as_bytes()),
        ..key(1, Role::Admin)
    });
    assert!(enter(&authenticator, &format!("Bearer {}", secret(1)), NOW).is_err());
    let principal = enter(&authenticator, &format!("Bearer {}", secret(9)), NOW).expect("good");
    assert_eq!(principal.role, Role::Admin);
    assert_eq!(authenticator.key_count(), 1);
}

#[test]
fn uses_are_told_once_and_to_the_minute() {
    let authenticator = keyed();
    authenticator.insert_key(key(1, Role::Read));
    authenticator.insert_key(key(2, Role::Read));
    let header = format!("Bearer {}", secret(1));
    for offset in [1, 2, 59_000_000] {
        assert!(enter(&authenticator, &header, NOW + offset).is_ok());
    }
    assert_eq!(authenticator.take_uses(), [("key-1".to_owned(), NOW)]);
    assert_eq!(authenticator.take_uses(), []);
    assert!(enter(&authenticator, &header, NOW + MINUTE).is_ok());
    assert_eq!(
        authenticator.take_uses(),
        [("key-1".to_owned(), NOW + MINUTE)]
    );
}

#[test]
fn a_key_has_its_own_rate_and_else_the_default_one() {
    let authenticator = Authenticator::new(Rules {
        keys: true,
        rate: Some(Rate {
            requests_per_second: 1.0,
            burst: 1,
        }),
        ..Rules::default()
    });
    authenticator.insert_key(key(1, Role::Read));
    authenticator.insert_key(ApiKey {
        request_burst: Some(5),
        ..key(2, Role::Read)
    });
    let passed = |number| {
        let principal =
            enter(&authenticator, &format!("Bearer {}", secret(number)), NOW).expect("good");
        (0..10)
            .filter(|_| authenticator.admit(&principal, NOW).is_ok())
            .count()
    };
    assert_eq!((passed(1), passed(2)), (1, 5));
}

#[test]
fn threads_share_a_bucket_without_losing_count() {
    let authenticator = keyed();
    authenticator.insert_key(ApiKey {
        requests_per_second: Some(0.001),
        request_burst: Some(1000),
        ..key(1, Role::Read)
    });
    let principal = enter(&authenticator, &format!("Bearer {}", secret(1)), NOW).expect("good");
    let passed: usize = thread::scope(|scope| {
        let count = || {
            (0..1000)
                .filter(|_| authenticator.admit(&principal, NOW).is_ok())
                .count()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("it ends"))
            .sum()
    });
    assert_eq!(passed, 1000);
}

#[test]
fn every_method_asks_for_its_role_and_passes_from_there_on() {
    let authenticator = keyed();
    for (number, role) in (1..).zip(Role::ALL) {
        authenticator.insert_key(key(number, role));
        let principal =
            enter(&authenticator, &format!("Bearer {}", secret(number)), NOW).expect("good");
        for (service, method, least) in METHODS {
            let path = format!("{service}{method}");
            assert_eq!(least_role(&path), Some(least));
            match authenticator.permit(&principal, &path) {
                Ok(()) => assert!(role >= least, "{path} {role}"),
                Err(refusal) => {
                    assert!(role < least, "{path} {role}");
                    assert_eq!(refusal.reason, "PERMISSION_DENIED");
                    assert!(
                        refusal
                            .metadata
                            .contains(&("least_role", least.to_string()))
                    );
                }
            }
        }
    }
}

#[test]
fn who_is_restricted_to_a_scope_administers_nothing() {
    let authenticator = keyed();
    let scope = Restriction {
        user_id: Some("anna".to_owned()),
        ..Restriction::default()
    };
    authenticator.insert_key(ApiKey {
        scope,
        ..key(1, Role::Operator)
    });
    let principal = enter(&authenticator, &format!("Bearer {}", secret(1)), NOW).expect("good");
    for (service, method, least) in METHODS {
        let is_permitted = authenticator
            .permit(&principal, &format!("{service}{method}"))
            .is_ok();
        assert_eq!(is_permitted, least <= Role::Write, "{method}");
    }
}

fn ids() -> impl Strategy<Value = [Option<String>; 4]> {
    prop::array::uniform4(prop::option::of("[ab]"))
}

proptest! {
    #[test]
    fn a_restriction_allows_what_carries_each_of_its_ids(wanted in ids(), carried in ids()) {
        let [user_id, agent_id, session_id, app_id] = wanted.clone();
        let restriction = Restriction { user_id, agent_id, session_id, app_id };
        let scope = ScopeIds {
            user_id: carried[0].as_deref(),
            agent_id: carried[1].as_deref(),
            session_id: carried[2].as_deref(),
            app_id: carried[3].as_deref(),
        };
        let expected = wanted.iter().zip(&carried).all(|(wanted, carried)| wanted.is_none() || wanted == carried);
        prop_assert_eq!(restriction.allows(scope), expected);
        prop_assert_eq!(restriction.is_empty(), wanted.iter().all(Option::is_none));
    }
}
