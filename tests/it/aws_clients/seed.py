"""The calls that the documentation of boto3 shows, with every member of their requests.
The same for boto3 of today and of 2017. Prints its checks."""

import datetime
import json
import os

import boto3
from botocore.exceptions import ClientError

client = boto3.client(
    "cognito-idp",
    region_name="us-east-1",
    # boto3 of 2017 does not read the variable.
    endpoint_url=os.environ["AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"],
)


def members(shape, path=()):
    """The paths of the members that boto3 knows of a request."""
    if shape.type_name == "list":
        return members(shape.member, path)
    found = set()
    for name, member in shape.members.items() if shape.type_name == "structure" else ():
        found |= {path + (name,)} | members(member, path + (name,))
    return found


def sent(value, path=()):
    """The paths of the members of a request. The keys of tags are no members."""
    if isinstance(value, list):
        return set().union(*(sent(item, path) for item in value))
    found = set()
    if isinstance(value, dict) and path != ("UserPoolTags",):
        for name, nested in value.items():
            found |= {path + (name,)} | sent(nested, path + (name,))
    return found


def shows(found, expected):
    """Whether all members of a value are shown; others may have defaults."""
    if isinstance(expected, dict):
        return all(name in found and shows(found[name], expected[name]) for name in expected)
    return found == expected


def refused(error, call, **request):
    """Checks that a call is refused with this exception."""
    try:
        call(**request)
    except ClientError as refusal:
        assert refusal.response["Error"]["Code"] == error, refusal
        return refusal
    raise AssertionError("not refused")


def check(pool, request):
    """Checks that every member of the request is shown."""
    for member, value in request.items():
        if member == "PoolName":
            assert pool["Name"] == value, pool
        elif member == "Schema":
            shown = {attribute["Name"]: attribute for attribute in pool["SchemaAttributes"]}
            for attribute in value:
                name = attribute["Name"]
                prefix = "dev:custom:" if attribute.get("DeveloperOnlyAttribute") else "custom:"
                found = shown.get(name) or shown[prefix + name]
                for key, expected in attribute.items():
                    assert key == "Name" or found[key] == expected, (found, key)
        else:
            assert shows(pool[member], value), (member, pool[member], value)


ids, covered = [], set()
for name in ("full", "usernames"):
    # They differ in the members that exclude each other.
    with open("tests/it/data/create-user-pool-%s.json" % name) as file:
        request = json.load(file)
    created = client.create_user_pool(**request)["UserPool"]
    check(created, request)
    described = client.describe_user_pool(UserPoolId=created["Id"])["UserPool"]
    check(described, request)
    described.setdefault("UserPoolTags", {})
    created.setdefault("UserPoolTags", {})
    assert described == created
    assert isinstance(described["CreationDate"], datetime.datetime)
    ids.append(created["Id"])
    covered |= sent(request)
known = members(client.meta.service_model.operation_model("CreateUserPool").input_shape)
assert covered <= known, covered - known
if boto3.__version__ == "1.4.8":
    assert covered == known, known - covered
print("create, describe: %s members, equal" % len(covered))

pool_id = ids[0]
client.update_user_pool(UserPoolId=pool_id, UserPoolTags={"stage": "test"})
assert client.describe_user_pool(UserPoolId=pool_id)["UserPool"]["UserPoolTags"] == {"stage": "test"}
print("update: the settings are replaced")

client.create_user_pool_domain(Domain="from-boto3", UserPoolId=pool_id)
domain = client.describe_user_pool_domain(Domain="from-boto3")["DomainDescription"]
assert domain["UserPoolId"] == pool_id and domain["Status"] == "ACTIVE", domain
assert client.describe_user_pool_domain(Domain="free")["DomainDescription"] == {}
print("domain: assigned and described")

pages, token = [], None
while True:
    page = client.list_user_pools(MaxResults=1, **({"NextToken": token} if token else {}))
    pages.append([pool["Id"] for pool in page["UserPools"]])
    token = page.get("NextToken")
    if token is None:
        break
assert pages == [[id] for id in ids], pages
if client.can_paginate("list_user_pools"):
    paginator = client.get_paginator("list_user_pools")
    found = [pool["Id"] for page in paginator.paginate(MaxResults=1) for pool in page["UserPools"]]
    assert found == ids, found
print("list: in pages")

error = refused("InvalidParameterException", client.delete_user_pool, UserPoolId=pool_id)
assert "It has a domain configured" in str(error), error
refused("ResourceNotFoundException", client.describe_user_pool, UserPoolId="us-east-1_nope")
try:
    client.describe_user_pool(UserPoolId="us-east-1_nope")
except client.exceptions.ResourceNotFoundException as error:
    print("refusals: by class")

client.delete_user_pool_domain(Domain="from-boto3", UserPoolId=pool_id)
for pool_id in ids:
    client.delete_user_pool(UserPoolId=pool_id)
assert client.list_user_pools(MaxResults=1)["UserPools"] == []
print("delete: nothing is left")
