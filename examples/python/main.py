"""A short program that uses a client: ../README.md says how to run it, and shows what it prints."""

import contextlib
import sys
import uuid

import grpc
from google.rpc import error_details_pb2

from client import Bookmark, connect, detail, retry, watch
from userpool.v1 import (
    user_pool_event_pb2 as events_pb,
    user_pool_history_service_pb2_grpc as history_grpc,
    user_pool_service_pb2 as pb,
    user_pool_service_pb2_grpc as pools_grpc,
)


def request_id():
    return str(uuid.uuid4())


def run(channel):
    pools = pools_grpc.UserPoolServiceStub(channel)
    history = history_grpc.UserPoolHistoryServiceStub(channel)

    # A retry sends the same request again, as this does, and gets the same event.
    create = pb.CreateUserPoolRequest(pool_name="example", request_id=request_id())
    for attempt in ["created", "sent again"]:
        created = retry(pools.CreateUserPool, create)
        pool, revision, position = created.user_pool, created.revision, created.position
        print(f"{attempt}: {pool.id}, revision {revision}, position {position}")

    # All violations are reported at once, with the paths of their fields.
    policies = {"password_policy": {"minimum_length": 5}}
    invalid = pb.CreateUserPoolRequest(pool_name="a/b", policies=policies, request_id=request_id())
    try:
        retry(pools.CreateUserPool, invalid)
    except grpc.RpcError as error:
        info = detail(error, error_details_pb2.ErrorInfo)
        print(f"refused: {info.reason}")
        for key, value in sorted(info.metadata.items()):
            print(f"  {key}: {value}")
        for violation in detail(error, error_details_pb2.BadRequest).field_violations:
            print(f"  {violation.field} {violation.description}")

    # Changes the tags that it read, although another client changes them meanwhile.
    describe = pb.DescribeUserPoolRequest(user_pool_id=pool.id)
    read = retry(pools.DescribeUserPool, describe)
    tag(pools, pool, "payments")
    while True:
        tags = {**read.user_pool.user_pool_tags, "stage": "test"}
        update = pb.UpdateUserPoolRequest(
            user_pool_id=pool.id,
            user_pool_tags=tags,
            update_mask=["user_pool_tags"],
            # Without it, this would remove the tag of the other client.
            expected_revision=read.revision,
            request_id=request_id(),
        )
        try:
            updated = retry(pools.UpdateUserPool, update)
            print(f"updated: revision {updated.revision}, tags {', '.join(sorted(tags))}")
            break
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.ABORTED:
                raise
            print(f"{detail(error, error_details_pb2.ErrorInfo).reason}: reading again")
            read = retry(pools.DescribeUserPool, describe)

    # What was recorded until now, and then what was recorded since.
    bookmark = Bookmark()
    show(history, pool.id, bookmark)
    tag(pools, pool, "identity")
    show(history, pool.id, bookmark)


def tag(pools, pool, team):
    tags = {"team": team}
    request = pb.TagResourceRequest(resource_arn=pool.arn, tags=tags, request_id=request_id())
    retry(pools.TagResource, request)


def show(history, user_pool_id, bookmark):
    """Prints the events after the bookmark, until it has seen them all."""
    with contextlib.closing(watch(history, user_pool_id, bookmark)) as sent:
        for message in sent:
            if message.HasField("event"):
                event = message.event
                print(f"event {event.revision}: {events_pb.UserPoolEventType.Name(event.type)}")
            elif message.checkpoint.caught_up:
                print(f"caught up at position {message.checkpoint.position}")
                break


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("give the endpoint: HOST:PORT")
    with connect(sys.argv[1]) as channel:
        run(channel)
