//! The choice of instructions at run time.

use std::sync::OnceLock;

/// A set of instructions that a kernel is written for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SimdPath {
    /// x86-64 with AVX-512 F, BW, VL and VNNI.
    Avx512Vnni,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// 64-bit Arm.
    Neon,
    /// No more than the target that the crate was compiled for.
    #[default]
    Portable,
}

/// Best first.
const ALL: [SimdPath; 4] = [
    SimdPath::Avx512Vnni,
    SimdPath::Avx2,
    SimdPath::Neon,
    SimdPath::Portable,
];

impl SimdPath {
    /// The paths that this CPU can run, best first; [`SimdPath::Portable`] is always there and last.
    #[must_use]
    pub fn available() -> Vec<Self> {
        ALL.into_iter().filter(|path| path.is_available()).collect()
    }

    /// The first of [`SimdPath::available`]; the CPU is asked once per process.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<SimdPath> = OnceLock::new();
        *BEST.get_or_init(|| {
            ALL.into_iter()
                .find(|path| path.is_available())
                .unwrap_or(Self::Portable)
        })
    }

    /// `avx512vnni`, `avx2`, `neon` or `portable`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avx512Vnni => "avx512vnni",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Portable => "portable",
        }
    }

    /// The path of a [`SimdPath::name`]; None if there is no such path or this CPU cannot run it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.into_iter()
            .find(|path| path.name() == name && path.is_available())
    }

    /// Whether this CPU can run it. Cheap: the standard library keeps what the CPU said.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn is_available(self) -> bool {
        match self {
            Self::Avx512Vnni => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
            }
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Self::Neon => false,
            Self::Portable => true,
        }
    }

    /// Whether this CPU can run it. NEON belongs to every 64-bit Arm target that Rust supports with a standard library.
    #[cfg(target_arch = "aarch64")]
    pub(super) fn is_available(self) -> bool {
        match self {
            Self::Avx512Vnni | Self::Avx2 => false,
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            Self::Portable => true,
        }
    }

    /// Whether this CPU can run it.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub(super) fn is_available(self) -> bool {
        self == Self::Portable
    }
}
