"""Sends every member that today's model of boto3 has, and compares what is shown. Prints its
checks."""

import json

import boto3

client = boto3.client("cognito-idp")

# What the server ignores, as AWS ignores members that it does not know.
IGNORED = {
    "KeyConfiguration": {"KeyType": "AWS_OWNED_KEY"},
    "IssuerConfiguration": {"Type": "ORIGINAL"},
    "DcrConfiguration": {"EnableStatus": "Disabled"},
    "AcrConfiguration": {"Level1": {"AcrValue": "low"}},
}
IGNORED_TRIGGER = {
    "LambdaVersion": "V1_0",
    "LambdaArn": "arn:aws:lambda:eu-west-1:123456789012:function:federate",
}
IGNORED_SMS = {"CallerArn": "arn:aws:iam::123456789012:role/service-role/pool-sms"}
# The paths of the members that no request here has.
UNSENT = {
    # Excluded by TemporaryPasswordValidityDays.
    "UpdateUserPool": {("AdminCreateUserConfig", "UnusedAccountValidityDays")},
    "CreateUserPool": set(),
}


def members(shape, path=()):
    """The paths of the members of a shape."""
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


def merged(value, more):
    """A value with the members of another one at every level."""
    if not (isinstance(value, dict) and isinstance(more, dict)):
        return more
    return {
        name: merged(value[name], more[name]) if name in value and name in more
        else more.get(name, value.get(name))
        for name in {**value, **more}
    }


def with_ignored(request):
    """The request with the members that are ignored."""
    request = merged(request, {"LambdaConfig": {"InboundFederation": IGNORED_TRIGGER}})
    return merged(merged(request, {"SmsConfiguration": {"EumsSms": IGNORED_SMS}}), IGNORED)


def check_complete(operation, request):
    """Checks that a request has every member of the operation, except the ignored ones."""
    known = members(client.meta.service_model.operation_model(operation).input_shape)
    ignored = {("LambdaConfig", "InboundFederation"), ("SmsConfiguration", "EumsSms")}
    taken = {path for path in known if path[0] not in IGNORED and path[:2] not in ignored}
    missing = taken - sent(request) - UNSENT[operation]
    assert not missing, missing
    return len(sent(request))


def refused(text, call, **request):
    """Checks that a call is refused with this text."""
    try:
        call(**request)
    except client.exceptions.InvalidParameterException as refusal:
        assert text in str(refusal), refusal
        return
    raise AssertionError("not refused")


with open("tests/it/data/create-user-pool-full.json") as file:
    request = json.load(file)
with open("tests/it/data/create-user-pool-today.json") as file:
    request = merged(request, json.load(file))
# The one in the example of 2017 excludes the other.
del request["AliasAttributes"]
names = dict(request, UsernameAttributes=["email"])
days = names["Policies"]["PasswordPolicy"]["TemporaryPasswordValidityDays"]
names["AdminCreateUserConfig"]["UnusedAccountValidityDays"] = days
UNSENT["CreateUserPool"] |= {("AliasAttributes",)}
count = check_complete("CreateUserPool", names)
created = client.create_user_pool(**with_ignored(names))["UserPool"]
pool_id = created["Id"]
described = client.describe_user_pool(UserPoolId=pool_id)["UserPool"]
assert described == created, (described, created)
for member, value in names.items():
    if member == "PoolName":
        assert described["Name"] == value
    elif member == "Schema":
        assert len(described["SchemaAttributes"]) > len(value)
    else:
        assert described[member] == value, (member, described[member], value)
arn = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/" + pool_id
assert described["Arn"] == arn, described
print("create: %s members, equal" % count)

update = {
    name: value
    for name, value in names.items()
    if name not in ("Schema", "UsernameAttributes", "UsernameConfiguration")
}
update = merged(update, {"UserPoolId": pool_id, "PoolName": "renamed", "UserPoolTier": "LITE"})
del update["AdminCreateUserConfig"]["UnusedAccountValidityDays"]
count = check_complete("UpdateUserPool", update)
client.update_user_pool(**update)
updated = client.describe_user_pool(UserPoolId=pool_id)["UserPool"]
expected = dict(described, Name="renamed", UserPoolTier="LITE")
del expected["LastModifiedDate"], updated["LastModifiedDate"]
assert updated == expected, (updated, expected)
print("update: %s members, equal" % count)

text = "The user pool cannot be deleted because deletion protection is activated. Deletion " \
    "protection must be inactivated first."
refused(text, client.delete_user_pool, UserPoolId=pool_id)
update["AdminCreateUserConfig"]["UnusedAccountValidityDays"] = days
text = "Please use TemporaryPasswordValidityDays in PasswordPolicy instead of " \
    "UnusedAccountValidityDays"
refused(text, client.update_user_pool, **update)
del update["AdminCreateUserConfig"]["UnusedAccountValidityDays"]
client.update_user_pool(**dict(update, DeletionProtection="INACTIVE"))
client.delete_user_pool(UserPoolId=pool_id)
print("refusals: as on AWS")
