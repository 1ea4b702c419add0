"""The operations of later years than 2017, with boto3. Prints its checks."""

import boto3
from botocore.exceptions import ClientError

client = boto3.client("cognito-idp")
pool_id = client.create_user_pool(PoolName="people", UserPoolTags={"team": "a"})["UserPool"]["Id"]
arn = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/" + pool_id


def answer(response):
    """The members of an answer."""
    return {name: value for name, value in response.items() if name != "ResponseMetadata"}


def refused(text, call, **request):
    """Checks that a call is refused with InvalidParameterException and this text."""
    try:
        call(**request)
    except client.exceptions.InvalidParameterException as error:
        assert text in str(error), error
        return
    raise AssertionError("not refused")


assert answer(client.tag_resource(ResourceArn=arn, Tags={"stage": "test", "team": "b"})) == {}
assert answer(client.untag_resource(ResourceArn=arn, TagKeys=["team", "none"])) == {}
assert answer(client.list_tags_for_resource(ResourceArn=arn)) == {"Tags": {"stage": "test"}}
client.untag_resource(ResourceArn=arn, TagKeys=["stage"])
assert answer(client.list_tags_for_resource(ResourceArn=arn)) == {"Tags": {}}
refused("Invalid tag", client.tag_resource, ResourceArn=arn, Tags={"aws:a": "b"})
refused("Invalid resource ARN", client.list_tags_for_resource, ResourceArn=arn.replace("0:", "1:"))
try:
    client.list_tags_for_resource(ResourceArn=arn + "x")
except ClientError as error:
    assert error.response["Error"]["Code"] == "ResourceNotFoundException", error
print("tags: set, removed, listed")

attribute = {"Name": "plan", "AttributeDataType": "String", "Mutable": True}
assert answer(client.add_custom_attributes(UserPoolId=pool_id, CustomAttributes=[attribute])) == {}
schema = client.describe_user_pool(UserPoolId=pool_id)["UserPool"]["SchemaAttributes"]
assert schema[-1]["Name"] == "custom:plan" and len(schema) == 21, schema
refused(
    "custom:plan: Existing attribute already has name custom:plan.",
    client.add_custom_attributes,
    UserPoolId=pool_id,
    CustomAttributes=[attribute],
)
print("attributes: added once")

assert answer(client.get_user_pool_mfa_config(UserPoolId=pool_id)) == {"MfaConfiguration": "OFF"}
sms = {
    "SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::123456789012:role/sms", "ExternalId": "x"},
    "SmsAuthenticationMessage": "Use {####}.",
}
request = {
    "MfaConfiguration": "ON",
    "SmsMfaConfiguration": sms,
    "SoftwareTokenMfaConfiguration": {"Enabled": True},
}
assert answer(client.set_user_pool_mfa_config(UserPoolId=pool_id, **request)) == request
assert answer(client.get_user_pool_mfa_config(UserPoolId=pool_id)) == request
pool = client.describe_user_pool(UserPoolId=pool_id)["UserPool"]
assert pool["MfaConfiguration"] == "ON", pool
assert pool["SmsConfiguration"] == sms["SmsConfiguration"], pool
# AWS shows the factors in GetUserPoolMfaConfig alone.
assert not [name for name in pool if "oken" in name or "mfa" in name], pool
refused(
    "can't disable all MFAs with a required or optional configuration.",
    client.set_user_pool_mfa_config,
    UserPoolId=pool_id,
    MfaConfiguration="OPTIONAL",
)
print("mfa: both factors")

certificate = "arn:aws:acm:us-east-1:123456789012:certificate/%d"
made = client.create_user_pool_domain(Domain="people", UserPoolId=pool_id)
assert answer(made) == {}, made
name = "auth.example.com"
made = client.create_user_pool_domain(
    Domain=name,
    UserPoolId=pool_id,
    ManagedLoginVersion=1,
    CustomDomainConfig={"CertificateArn": certificate % 1},
)
host = made["CloudFrontDomain"]
assert answer(made) == {"ManagedLoginVersion": 1, "CloudFrontDomain": host}, made
config = {"CertificateArn": certificate % 2, "SecurityPolicy": "TLS_V1_2_2021"}
updated = client.update_user_pool_domain(
    Domain=name, UserPoolId=pool_id, ManagedLoginVersion=2, CustomDomainConfig=config
)
assert answer(updated) == {"ManagedLoginVersion": 2, "CloudFrontDomain": host}, updated
described = client.describe_user_pool_domain(Domain=name)["DomainDescription"]
assert described["CustomDomainConfig"] == config, described
assert described["ManagedLoginVersion"] == 2, described
pool = client.describe_user_pool(UserPoolId=pool_id)["UserPool"]
assert (pool["Domain"], pool["CustomDomain"]) == ("people", name), pool
for domain in ("people", name):
    client.delete_user_pool_domain(Domain=domain, UserPoolId=pool_id)
client.delete_user_pool(UserPoolId=pool_id)
print("domains: a prefix and a custom one")
