//! Words: segmentation, stemming and BM25.
