"""Run every benchmark: `python -m bench [--rounds N]`."""

from bench.verify import main

main()
