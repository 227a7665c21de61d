//! Vectors: quantisation, SIMD kernels and the exact scan.
