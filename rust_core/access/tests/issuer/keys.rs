//! Keys made for these tests, in base64url. They open nothing.

/// PKCS#1, of 2048 bits.
pub(crate) const RSA_PRIVATE: &str = "MIIEogIBAAKCAQEAvrXKESnOjJNLqnCArbgw4935cRHGrlz4t4109bKqqUKPXivQFas8Jst8lYkdunCBLkFlHqAAzuHnmDRq-Vwn\
    Hk3AS4_cJ70fu72ljbuIBM31w3Rsk2foBZuf3zoSz_idLeakLT6Ru7bkKZtz5DDbHMsUQVSVKBE0CcoVzI53zXCZDGLIXx3u9fR0\
    yAq7v_aLBuA2PF6vb50atNZi4XE63FiLVViyELUtKRfN7DU0VcjfPpG2zO2lD9wnq8TqKnR2yvamFlUHza22bTVoqojdYoiZKhU2\
    q9Wh74AA2Ofy3QV2CtVxnJ-QiFiQZFUdoKz-W12NFVqaar7VSzt3FwUrzQIDAQABAoIBAF8mYCz0COPGUcg13V3POkVWaK_rSI-\
    SP12FLEex3sgYN2OqxGUrTBWnDP-mq7hrjWhApG0FM6IEwAIGlSDYw4OxEzIgEp2ZFI4c7s6qNBEBmY7tNYbOHss9fCRp2xz8U5-\
    lJWCViSx48Zl4v_eoEIprIC4AP3MAMlB4DSxEIK3UlWuYx8kBYpYvw0AZO6aRIqqN7PoaoRwybuontl4hooUazbbMyBh9hXnBcPs\
    IlP8J2mllnEj6wPLcQ7Yj4yhb4tXIHS5QsaOs1wbd21GjvnHxesJhBDkcirb39BJwe4oPhhanGIhoKcjyls9ycyDTUy3u9hbE2bw\
    F95nza8vZ69kCgYEA3WzGM1xYd1S2TyDq2w8AVpaohb30vl2S3_BnVDGbP02VcUoxXJiVQ9Coetoy4zzquwCpZeSijA9y_f8glGt\
    2GLrwNfAuL3TrQpCEowdVgO81iLTixTZH1eDFoqUFO7o1d9IlkBlrkrLCjZysXqbW0nvMrGMYjQvKS5NH1_aP5a8CgYEA3H05X_4\
    0oTzajE-LA8iNiLrvXeEsvSwBV68SHtD4GOlV_LvrArBPZ2LPKgKaxGiwGCjMunTV4QqUTB6rfxEZLlaXIVozj2QftXUmYZV9vPS\
    5-\
    1XtyrYbke_sL118WzNy9wxpTIq6tyCyVsGC3RvD0dPOKir6MRC6WqZf9uHnoUMCgYBQAX2cEUHl3DYDYWF6xXDZ2JYLvRcxsZ3gT\
    H0JbuMpfF8DEEvFqVxFpJ87xJuef-RQrWyH5JTXBr4GCKk895c0WFdzJdWKUDSxWIaUYZIDhGtTegh2Oaa7IPxISFgbvKyVHtlzt\
    7umxfCGOpYNnTsB0rmhkCzOyfPOWukan3xfAQKBgCC3A9hWY4C5AsRm2P2KuFVdRz7qtjSrXtefxlSENQudM4D4cPpJJr70TkCxe\
    j1COz6abyYLR-DILRDOTCviYZYaivoL5DKWbI4D_9ni0HFE7oN4UHwPYS_aJXUxrc3qaFh3ovgUbXfWhh-\
    RPtWH1RpBDwn6rnyxOrVQklSTWEb5AoGAD1OOO-sQD4spP-vjdXs-Xl5O5hkyjhrlOak4SZH3ekpV121tIVqhkbn37GS1ObRBsfF\
    wOyj3Kk7mjyMOz5zCsoB6oOyYUuT035mvypFDlgGLBYz31PRiTDnmRRfI3dIgKMBUaQ3nFC_7tSNhX5edTnZj-\
    B6VVp1Y6RyOF4zBPzw";
/// `n` of its public key; `e` is `AQAB`.
pub(crate) const RSA_MODULUS: &str = "vrXKESnOjJNLqnCArbgw4935cRHGrlz4t4109bKqqUKPXivQFas8Jst8lYkdunCBLkFlHqAAzuHnmDRq-VwnHk3AS4_cJ70fu72l\
    jbuIBM31w3Rsk2foBZuf3zoSz_idLeakLT6Ru7bkKZtz5DDbHMsUQVSVKBE0CcoVzI53zXCZDGLIXx3u9fR0yAq7v_aLBuA2PF6v\
    b50atNZi4XE63FiLVViyELUtKRfN7DU0VcjfPpG2zO2lD9wnq8TqKnR2yvamFlUHza22bTVoqojdYoiZKhU2q9Wh74AA2Ofy3QV2\
    CtVxnJ-QiFiQZFUdoKz-W12NFVqaar7VSzt3FwUrzQ";
/// PKCS#8, of P-256.
pub(crate) const EC_PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgkorKEc2awFRF8M7JCR_1ElpeYT4ZpJG1oLoiGZ65Sc-\
    hRANCAAQA5BtbYcePDq4M2XdMtvWw18IpjBfvWulhA9jNZYQHC8Kx90LXj5vJTYvb5kdSpQg1N1O8Pp3UXVi5sGwflXxB";
/// `x` of its public key.
pub(crate) const EC_X: &str = "AOQbW2HHjw6uDNl3TLb1sNfCKYwX71rpYQPYzWWEBws";
/// `y` of its public key.
pub(crate) const EC_Y: &str = "wrH3QtePm8lNi9vmR1KlCDU3U7w-ndRdWLmwbB-VfEE";
/// PKCS#8, of Ed25519.
pub(crate) const ED_PRIVATE: &str =
    "MC4CAQAwBQYDK2VwBCIEIE3i58jod1VG1vI27Et8NeMuhh08dLFjQ2dWYSMntb6r";
/// `x` of its public key.
pub(crate) const ED_X: &str = "QB2_9_fktbwEUA8vgUcXGdZDtXfravfeb1YmYpIABAo";
/// PKCS#8, of Ed25519; no key set has it.
pub(crate) const OTHER_ED_PRIVATE: &str =
    "MC4CAQAwBQYDK2VwBCIEIKMG42zns4tDX2JM2_1GFw2UbjuZqaj__x_q-X0AJiCq";
