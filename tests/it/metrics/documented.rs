//! Every metric is documented.
