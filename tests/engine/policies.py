"""Policies that ask for more than one thing."""

from dataclasses import replace

from attest.policy.model import Policy


def all_of(*policies: Policy) -> Policy:
    """A policy that is met by whatever meets every line of several."""
    signers = {rule.name: rule for item in policies for rule in item.rules.signers}
    lines = tuple(line for item in policies for line in item.rules.require)
    return Policy(rules=replace(policies[0].rules, signers=tuple(signers.values()), require=lines))
