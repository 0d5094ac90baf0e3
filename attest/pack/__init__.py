"""Evidence Packs: read, check, build and change them."""
