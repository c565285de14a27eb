"""The commands of the write path: options in, one call, words out; console and configuration.

A command holds no logic: a module in `jobs` does the work. It must not be imported by any other
room of this package, and imports heavy libraries only inside a command, so that help is quick.
"""
