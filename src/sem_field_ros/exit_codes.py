"""Exit codes of `sem-field` and of the nodes' processes."""

DONE = 0
FAILED = 1  # it ran, but a node died or a part of the result is missing
REFUSED = 2  # a mistake that a user can mend, told in one line; nothing was done
INTERRUPTED = 130  # ended by Ctrl-C or SIGTERM, as a shell reports it
