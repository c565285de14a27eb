"""The service: classify, search and review over HTTP.

    app         what an ASGI server runs: routes, limits, errors, headers
    connections how long they may be idle
    engine      the opened catalog and its model, behind queues
    batching    requests that wait together become one forward pass
    decoding    uploads become pixels in other processes
    keys        who may do what
    problems    every error as an RFC 9457 document
    schemas     what goes over the wire
    routes/     one module a resource

FastAPI, uvicorn and pebble come with ``zeroshelf[serve]`` and are imported only here. Only
`commands` and `cli` import this room, and it must not import them.
"""
