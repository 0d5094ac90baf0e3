"""`--repo`: in whose `.sei` artefacts are written, signed and verified."""

from __future__ import annotations

import argparse


def add_repository_option(parser: argparse.ArgumentParser) -> None:
    """Declare the option."""
    parser.add_argument(
        "--repo",
        metavar="DIR",
        default=".",
        type=_folder,
        help="repository (default: the current folder)",
    )


def _folder(text: str) -> str:
    # As of a variable that is not set; it must not stand for the current folder.
    if not text:
        raise argparse.ArgumentTypeError("names no folder")
    return text
