"""Who must have signed: the policy as data, and the decision over verified values."""
