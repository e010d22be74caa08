"""What a visit costs, beside what would be used instead. `make bench` runs it all and writes docs/performance.md."""
