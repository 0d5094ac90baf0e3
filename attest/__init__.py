"""Sign and verify evidence with identities instead of keys."""

__version__ = "0.1.0"
