"""An unmodified boto3 as the client of userpool: every call of boto3's documentation works.

    pip install boto3
    userpool serve --aws-listen 127.0.0.1:4566
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER=http://127.0.0.1:4566 \
        AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any \
        python client.py

A call whose answer is lost is tried again by boto3, and the server answers what it answered
the first time: no user pool is created twice.
"""

import boto3

client = boto3.client("cognito-idp")

pool = client.create_user_pool(
    PoolName="example",
    AutoVerifiedAttributes=["email"],
    UserPoolTags={"team": "payments"},
)["UserPool"]
print("created", pool["Id"])

try:
    client.create_user_pool_domain(Domain="example-login", UserPoolId=pool["Id"])
except client.exceptions.InvalidParameterException as error:
    # The text is Cognito's.
    raise SystemExit(error)

described = client.describe_user_pool(UserPoolId=pool["Id"])["UserPool"]
print(described["Name"], "has the domain", described["Domain"])

client.delete_user_pool_domain(Domain="example-login", UserPoolId=pool["Id"])
client.delete_user_pool(UserPoolId=pool["Id"])
print("deleted")
