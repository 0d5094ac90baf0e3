"""Formats of evidence other than packs and bundles, one package for each."""
