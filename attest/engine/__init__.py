"""The verification engine: numbered steps over strict types, written from the specifications."""
