"""Run every benchmark: `python -m bench [--rounds N] [--megabytes N] [--full]`."""

import argparse

from bench import packs, verify

parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
packs.add_options(parser)
args = parser.parse_args()
verify.measure(args.rounds)
packs.measure(args)
