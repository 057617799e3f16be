"""The Docker Engine HTTP API on a unix socket: HTTP only, every decision is the engine's.

``app.make_app(engine)`` gives the aiohttp application, ``serve.main(argv)`` is ``containerlab serve``.
Routes are grouped by noun, one module each; ``streams`` carries what isn't a plain JSON answer.
"""
