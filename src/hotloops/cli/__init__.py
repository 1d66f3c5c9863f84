"""The command line: compare, selftest, config."""
