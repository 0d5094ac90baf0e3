"""`python -m attest`: the command, where no script is on the path."""

from attest.cli.main import entry

if __name__ == "__main__":
    entry()
