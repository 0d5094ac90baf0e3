"""Sign and verify evidence with identities instead of keys."""
