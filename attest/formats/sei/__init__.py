"""`.sei` artefacts: evidence in a repository's `.sei/`, each file beside a signature by a key."""
