"""Target in, result or report out: what the command line and the library call."""
