"""Run every benchmark: `python -m bench [--rounds N] [--megabytes N] [--full] [--packs N]`."""

import argparse

from bench import copies, many, packs, policy, sign, verify

parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
packs.add_options(parser)
many.add_options(parser)
args = parser.parse_args()
verify.measure(args.rounds)
packs.measure(args)
copies.measure(args)
many.measure(args)
sign.measure(args)
policy.measure(args.rounds)
