"""Whom an instance of Sigstore trusts: roots, profiles, and where they come from."""
