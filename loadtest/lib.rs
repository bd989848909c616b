//! fantail-loadtest.
