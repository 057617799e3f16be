"""The one place where an error becomes an HTTP answer.

Docker's form is ``{"message": TEXT}`` with the status of the error's class; clients print the text as it is.
"""

from __future__ import annotations

import errno
import json
import logging

from aiohttp import web
from aiohttp.typedefs import Handler

from containerlab.errors import ContainerlabError, NotModified, StorageFull

__all__ = ["answer", "catch", "note_head", "status_and_message"]

_log = logging.getLogger(__name__)

_HEAD_SENT: web.RequestKey[bool] = web.RequestKey("head_sent", bool)


async def note_head(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler for ``on_response_prepare``: from here on no other answer can be given."""
    request[_HEAD_SENT] = True


@web.middleware
async def catch(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into Docker's error answer.

    In the middle of a stream there is no answer left to give: the connection is cut, so that the client
    sees an unexpected end and not a whole stream.
    """
    try:
        return await handler(request)
    except ConnectionError:
        raise
    except Exception as error:
        if _HEAD_SENT not in request:
            return answer(error)
        _log.warning("a stream of %s was cut: %s", request.path, error)
        raise ConnectionAbortedError(str(error)) from error


def answer(error: Exception) -> web.Response:
    """The response for ``error``; 304 goes without a body (RFC 9110, 15.4.5)."""
    status, message = status_and_message(error)
    if status == NotModified.status:
        return web.Response(status=status)
    return web.Response(
        status=status, body=json.dumps({"message": message}).encode() + b"\n", content_type="application/json"
    )


def status_and_message(error: Exception) -> tuple[int, str]:
    """HTTP status and text of ``error``; what nobody foresaw is logged with its traceback."""
    if isinstance(error, ContainerlabError):
        return error.status, str(error)
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return error.status, "request body too large"
    if isinstance(error, web.HTTPException):
        return _of_router(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull.status, f"no space left on device: {error.filename or 'the store'}"
    _log.error("unexpected error while answering a request", exc_info=error)
    return 500, f"{type(error).__name__}: {error}"


def _of_router(error: web.HTTPException) -> tuple[int, str]:
    """Docker says 404 both for an unknown path and for a method that the path doesn't have."""
    if error.status in (404, 405):
        return 404, "page not found"
    return error.status, error.reason
