"""What each command of the write path does, a module a command.

A job composes rooms below it and reports through callbacks: it prints nothing and must not
import `commands`.
"""
