"""Metrics for Prometheus: computed from the ledger when they are asked for, by any process."""
