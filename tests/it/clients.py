"""A Python client that has only the server's address and a JSON file: it learns the
API by reflection. Run by python_client.rs; prints its checks."""

import json
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status

address, request_file = sys.argv[1:]
channel = grpc.insecure_channel(address)
pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
service = pool.FindServiceByName("userpool.v1.UserPoolService")


def call(method, request):
    """Calls a method with a dict in AWS's JSON form, and returns one."""
    descriptor = service.methods_by_name[method]
    message = message_factory.GetMessageClass(descriptor.input_type)()
    json_format.ParseDict(request, message, descriptor_pool=pool)
    answer = channel.unary_unary(
        f"/{service.full_name}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(descriptor.output_type).FromString,
    )(message, timeout=10)
    return json_format.MessageToDict(answer, descriptor_pool=pool)


def refusal(method, request):
    """Calls a method that is to be refused, and returns the error and its details."""
    try:
        call(method, request)
    except grpc.RpcError as error:
        details = {}
        for detail in rpc_status.from_call(error).details:
            for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest):
                if detail.Is(kind.DESCRIPTOR):
                    unpacked = kind()
                    detail.Unpack(unpacked)
                    details[kind.DESCRIPTOR.name] = unpacked
        return error, details
    raise AssertionError(f"{method} was not refused")


with open(request_file) as file:
    request = json.load(file)

created = call("CreateUserPool", request)["UserPool"]
call("CreateUserPoolDomain", {"Domain": "from-python", "UserPoolId": created["Id"]})
described = call("DescribeUserPool", {"UserPoolId": created["Id"]})["UserPool"]
assert described.pop("Domain") == "from-python", described
assert described == created
# The request is of 2017, and these are always shown since.
function = request["LambdaConfig"]["PreTokenGeneration"]
later = {
    "EmailConfiguration": {"EmailSendingAccount": "COGNITO_DEFAULT"},
    "LambdaConfig": {
        "PreTokenGenerationConfig": {"LambdaVersion": "V1_0", "LambdaArn": function}
    },
}
for member, value in request.items():
    if member not in ("PoolName", "Schema"):
        value = {**value, **later[member]} if member in later else value
        assert described[member] == value, member
print("create, assign, describe: equal to the request")

error, details = refusal("CreateUserPool", {"PoolName": "a/b", "MfaConfiguration": "ON"})
assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
assert details["ErrorInfo"].reason == "INVALID_REQUEST", details
assert details["BadRequest"].field_violations[0].field == "pool_name", details
print("refusal: details decoded")

# More violations than fit: still INVALID_ARGUMENT, not a header that is too large.
bad = [{"Name": "x" * 30 + str(number)} for number in range(50)]
error, details = refusal("CreateUserPool", {"PoolName": "people", "Schema": bad})
assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
info = details["ErrorInfo"].metadata
assert info["violations"] == "50", info
assert 0 < int(info["violations_listed"]) <= 50, info
print("many violations: reported within the limits of a header")

health = health_pb2_grpc.HealthStub(channel)
for name in ("", "userpool.v1.UserPoolService", "userpool.v1.UserPoolHistoryService"):
    answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING, name
print("health: serving")
