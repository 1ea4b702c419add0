"""What a client of userpool needs: a connection, the details of errors, retries that make no
change twice, and a watch that misses and repeats no event. main.py shows how to use it."""

import dataclasses
import os
import pathlib
import random
import time

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from userpool.v1 import user_pool_history_service_pb2 as pb

OPTIONS = [
    # Notices within 20 seconds that the server is gone, also during a watch.
    ("grpc.keepalive_time_ms", 15_000),
    ("grpc.keepalive_timeout_ms", 5_000),
]


def connect(endpoint):
    """Uses TLS if USERPOOL_CA names the authority, and the token of USERPOOL_TOKEN_FILE."""
    ca, token_file = os.environ.get("USERPOOL_CA"), os.environ.get("USERPOOL_TOKEN_FILE")
    if not ca:
        return grpc.insecure_channel(endpoint, OPTIONS)
    # With a client certificate: ssl_channel_credentials(ca, key, certificate).
    credentials = grpc.ssl_channel_credentials(pathlib.Path(ca).read_bytes())
    if token_file:

        def send_token(_context, callback):
            # Read for each call, because a token expires, and the file gets a new one.
            token = pathlib.Path(token_file).read_text().strip()
            callback([("authorization", f"Bearer {token}")], None)

        token = grpc.metadata_call_credentials(send_token)
        credentials = grpc.composite_channel_credentials(credentials, token)
    return grpc.secure_channel(endpoint, credentials, OPTIONS)


def detail(error, kind):
    """The detail of this type of an error, or None. Decide by the code and the reason of an
    error, never by its message."""
    status = rpc_status.from_call(error)
    for packed in status.details if status else []:
        found = kind()
        if packed.Unpack(found):
            return found
    return None


def wait(pause):
    """Takes half to all of the pause, so that clients that lost a server do not return together."""
    time.sleep(random.uniform(pause / 2, pause))


def retry(call, request):
    """Calls until there is an answer, at most 6 times. All attempts have the same request ID: if
    one was carried out and only its answer was lost, the server answers the next one with the
    same event. Never retry a change without a request ID."""
    pause = 0.1
    for last in [False] * 5 + [True]:
        try:
            return call(request, timeout=10)
        except grpc.RpcError as error:
            codes = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
            # RESOURCE_EXHAUSTED with a delay is an overload. Without one, a limit is reached.
            overload = detail(error, error_details_pb2.RetryInfo)
            if last or not (error.code() in codes or overload):
                raise
            delay = overload.retry_delay.ToTimedelta().total_seconds() if overload else 0
        wait(delay + pause)
        pause = min(2 * pause, 5)


@dataclasses.dataclass
class Bookmark:
    """Where to resume a watch. A program stores it together with the results of the events."""

    position: int = 0
    hash: bytes = b""
    log_id: str = ""

    def move(self, sent):
        message = getattr(sent, sent.WhichOneof("content"))
        self.position, self.hash = message.position, message.hash
        if sent.HasField("checkpoint"):
            self.log_id = message.log_id


def watch(history, user_pool_id, bookmark):
    """Yields the events of the user pool after the bookmark, old and new, and checkpoints. Moves
    the bookmark. Close it to end the watch."""
    pause = 0.1
    while True:
        # A watch has no deadline.
        call = history.WatchUserPoolEvents(
            pb.WatchUserPoolEventsRequest(
                filter={"user_pool_id": user_pool_id},
                after_position=bookmark.position,
                # The server refuses the watch (WRONG_LOG) if its history is now another one.
                after_hash=bookmark.hash,
                log_id=bookmark.log_id,
            )
        )
        started = False
        try:
            for sent in call:
                started, pause = True, 0.1
                bookmark.move(sent)
                yield sent
        except grpc.RpcError as error:
            # The server restarts, or the connection was lost or is too old. Or the token, which
            # was accepted, has expired: the next call sends the new one. Any other status is final.
            expired = started and error.code() == grpc.StatusCode.UNAUTHENTICATED
            if error.code() != grpc.StatusCode.UNAVAILABLE and not expired:
                raise
        finally:
            # Without this, the call would go on after the loop of the caller.
            call.cancel()
        wait(pause)
        pause = min(2 * pause, 5)
