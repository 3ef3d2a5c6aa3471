"""What tests share: contract suites, a tiny bundle, running servers."""
