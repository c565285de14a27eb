"""The exit codes of all commands; ``docs/configuration.md`` has the same table."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended.

    What decides between 1 and 2 is who can mend it: 2 is mended by typing another command, 1 by
    seeing to what the command needs (a database, a disk, a network, a file that is damaged).

    Attributes:
        DONE: it did what was asked; inputs that could not be used are counted and told.
        FAILED: it could not run or finish, none of its inputs could be used, or it looked for
            faults and found some.
        USAGE: an option is wrong, or what is named is not there: a catalog, a file, a label, an
            item, a column.
        ITEMS_FAILED: done, with inputs that could not be used, under ``--fail-on-errors``.
        STOPPED: Ctrl-C or SIGTERM ended it in order; the number is the shell's for Ctrl-C.
    """

    DONE = 0
    FAILED = 1
    USAGE = 2
    ITEMS_FAILED = 3
    STOPPED = 130
