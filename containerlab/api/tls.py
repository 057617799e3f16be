"""The API over TCP, for who has a certificate: mutual TLS in front of the engine's own unix socket.

Each connection is decrypted here and goes on to that socket, so that what the engine sees is a client like any other.
TLS is done by hand on memory buffers, because an attached client that has no more input sends ``close_notify`` and
still waits for output; asyncio's own TLS would then drop the connection. Such a stream ends with the engine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ssl
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

from containerlab.errors import InvalidParameter

__all__ = ["Endpoint", "add_options", "serve_tls", "tls_context"]

_CHUNK = 64 * 1024
_HANDSHAKE_SECONDS = 10.0
_CONNECTIONS = 256


@dataclass(frozen=True)
class Endpoint:
    """Where to listen, and the certificates."""

    address: str
    port: int
    context: ssl.SSLContext


def add_options(parser: argparse.ArgumentParser) -> None:
    """``--tcp`` and the three files that it needs; their names are dockerd's."""
    parser.add_argument("--tcp", metavar="ADDRESS:PORT", help="listen there too, with mutual TLS")
    parser.add_argument("--tlscacert", type=Path, metavar="FILE", help="who signs the clients' certificates")
    parser.add_argument("--tlscert", type=Path, metavar="FILE", help="the engine's certificate")
    parser.add_argument("--tlskey", type=Path, metavar="FILE", help="its key")


def tls_context(options: argparse.Namespace) -> Endpoint | None:
    """What ``--tcp`` asks for; None without it. Raises InvalidParameter."""
    files = (options.tlscacert, options.tlscert, options.tlskey)
    if options.tcp is None:
        if any(files):
            raise InvalidParameter("--tlscacert, --tlscert and --tlskey belong to --tcp")
        return None
    if not all(files):
        raise InvalidParameter(
            "--tcp needs --tlscacert, --tlscert and --tlskey",
            hint="Whoever reaches this API is root of what it runs: over TCP it asks for certificates on both sides.",
        )
    address, _, port = options.tcp.removeprefix("tcp://").rpartition(":")
    if not address or not port.isdigit() or not 0 <= int(port) < 65536:
        raise InvalidParameter(f"--tcp {options.tcp}: ADDRESS:PORT is expected, as in 127.0.0.1:2376")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(options.tlscacert)
        context.load_cert_chain(options.tlscert, options.tlskey)
    except (OSError, ssl.SSLError) as error:
        raise InvalidParameter(f"--tcp: the certificates can't be read: {error}") from error
    return Endpoint(address.strip("[]"), int(port), context)


async def serve_tls(endpoint: Endpoint, engine: Path) -> asyncio.Server:
    """Listen; every client with a good certificate is joined to the unix socket ``engine``. Raises OSError."""
    gate = asyncio.Semaphore(_CONNECTIONS)

    async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if gate.locked():
            writer.transport.abort()
            return
        async with gate:
            with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
                await _Session(endpoint.context, reader, writer).join(engine)
            writer.transport.abort()

    return await asyncio.start_server(joined, endpoint.address, endpoint.port)


class _Session:
    """One client: its socket, and TLS's state between the encrypted and the plain side."""

    def __init__(self, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def join(self, engine: Path) -> None:
        """Shake hands, then copy both ways until the engine has no more to say."""
        async with asyncio.timeout(_HANDSHAKE_SECONDS):
            await self._handshake()
        reader, writer = await asyncio.open_unix_connection(engine)
        upload = asyncio.ensure_future(self._to_engine(writer))
        try:
            await self._to_client(reader)
        finally:
            upload.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError, ssl.SSLError):
                await upload
            writer.transport.abort()

    async def _handshake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                self._feed(await self._reader.read(_CHUNK))
            except ssl.SSLError:
                await self._flush()  # the alert tells the client why
                raise
        await self._flush()

    async def _to_engine(self, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                plain = self._tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                await self._flush()
                self._feed(await self._reader.read(_CHUNK))
                continue
            except ssl.SSLZeroReturnError:
                plain = b""
            if not plain:
                # close_notify: no more input, and the output goes on.
                writer.write_eof()
                return
            writer.write(plain)
            await writer.drain()

    async def _to_client(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            self._tls.write(data)
            await self._flush()
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        await self._flush()
        self._writer.write_eof()

    def _feed(self, data: bytes) -> None:
        if not data:
            raise ConnectionResetError("the client left")
        self._incoming.write(data)

    def _flush(self) -> Awaitable[None]:
        self._writer.write(self._outgoing.read())
        return self._writer.drain()
