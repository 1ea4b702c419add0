"""Creates a user pool, assigns a domain to it, shows it, and watches its events:

    pip install -r requirements.txt
    python -m grpc_tools.protoc -I ../../proto --python_out=. --grpc_python_out=. \\
        $(cd ../../proto && echo userpool/v1/*.proto)
    python client.py 127.0.0.1:50051 people-login
"""

import json
import sys
import time
import uuid

import grpc

from userpool.v1 import (
    user_pool_event_pb2 as event_pb,
    user_pool_history_service_pb2 as history_pb,
    user_pool_history_service_pb2_grpc as history_grpc,
    user_pool_service_pb2 as pools_pb,
    user_pool_service_pb2_grpc as pools_grpc,
)

# gRPC retries a call that got no answer. A change must have a request_id, which keeps
# a retry from making it twice. Do not retry a change without one.
SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [
                {"service": "userpool.v1.UserPoolService"},
                {"service": "userpool.v1.UserPoolHistoryService"},
            ],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
OPTIONS = [
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    # Detects a server that no longer responds.
    ("grpc.keepalive_time_ms", 15_000),
    ("grpc.keepalive_timeout_ms", 5_000),
]
# For every call except the watch: seconds, including retries and the time to connect.
DEADLINE = {"timeout": 30, "wait_for_ready": True}


def run(endpoint, domain):
    # With TLS: grpc.secure_channel(endpoint, grpc.ssl_channel_credentials(…), OPTIONS).
    with grpc.insecure_channel(endpoint, OPTIONS) as channel:
        pools = pools_grpc.UserPoolServiceStub(channel)
        create = pools_pb.CreateUserPoolRequest(pool_name="example", request_id=str(uuid.uuid4()))
        created = pools.CreateUserPool(create, **DEADLINE)
        pool_id = created.user_pool.id
        print(f"created {pool_id}")

        assign = pools_pb.CreateUserPoolDomainRequest(
            domain=domain,
            user_pool_id=pool_id,
            request_id=str(uuid.uuid4()),
            # The call fails if the user pool has changed since.
            expected_revision=created.revision,
        )
        pools.CreateUserPoolDomain(assign, **DEADLINE)

        describe = pools_pb.DescribeUserPoolRequest(user_pool_id=pool_id)
        described = pools.DescribeUserPool(describe, **DEADLINE)
        pool = described.user_pool
        print(f"{pool.name} has the domain {pool.domain} at revision {described.revision}")

        for event in watch(history_grpc.UserPoolHistoryServiceStub(channel), pool_id):
            print(f"event {event.revision}: {event_pb.UserPoolEventType.Name(event.type)}")
            if event.revision >= described.revision:
                break


def watch(history, pool_id, position=0):
    """Yields the events of the user pool after this position, old and new. A program stores
    the position of the last event that it processed, and starts after it."""
    pause = 0.1
    while True:
        request = history_pb.WatchUserPoolEventsRequest(
            filter=history_pb.UserPoolEventFilter(user_pool_id=pool_id), after_position=position
        )
        try:
            for sent in history.WatchUserPoolEvents(request, wait_for_ready=True):
                pause = 0.1
                if sent.HasField("event"):
                    position = sent.event.position
                    yield sent.event
                else:
                    position = sent.checkpoint.position
        except grpc.RpcError as error:
            # The server is restarting, or ends an old connection. Any other status is final.
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 5)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("give the endpoint, HOST:PORT, and the domain prefix")
    run(*sys.argv[1:])
