"""Tools for agents, by the Model Context Protocol; the home of the package mcp.

A tool is a route of the service. It is asked as a client asks: in this process, or of a service
that runs. So a tool gives what the route gives, with its checks, limits and scopes.
"""
