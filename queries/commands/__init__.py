"""The commands of the read path: options in, one call, words out.

A command holds no logic: a room below does the work. Only `cli` imports this room, and heavy
libraries are imported only inside a command, so that help is quick.
"""
