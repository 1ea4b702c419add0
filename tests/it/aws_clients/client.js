// The AWS SDK for JavaScript, unmodified. "create" creates one user pool, "check" prints its checks.

const assert = require("node:assert");
const {
  CognitoIdentityProviderClient,
  CreateUserPoolCommand,
  DeleteUserPoolCommand,
  DescribeUserPoolCommand,
  InvalidParameterException,
  ResourceNotFoundException,
  paginateListUserPools,
} = require("@aws-sdk/client-cognito-identity-provider");
const full = require("../data/create-user-pool-full.json");

async function main() {
  const client = new CognitoIdentityProviderClient({});
  if (process.argv[2] === "create") {
    await client.send(new CreateUserPoolCommand({ PoolName: "once" }));
    return;
  }
  const created = (await client.send(new CreateUserPoolCommand(full))).UserPool;
  const described = (await client.send(new DescribeUserPoolCommand({ UserPoolId: created.Id }))).UserPool;
  for (const [member, value] of Object.entries(full)) {
    if (!["PoolName", "Schema"].includes(member)) {
      assert.deepStrictEqual(described[member], value, member);
    }
  }
  console.log("create, describe: equal");
  assert(described.CreationDate instanceof Date);
  assert(Math.abs(Date.now() - described.CreationDate.getTime()) < 600_000);
  console.log("dates: instances of Date");
  const refused = (command) =>
    client.send(command).then(
      () => assert.fail("not refused"),
      (error) => error,
    );
  const missing = await refused(new DescribeUserPoolCommand({ UserPoolId: "us-east-1_nope" }));
  assert(missing instanceof ResourceNotFoundException, missing);
  const invalid = await refused(new CreateUserPoolCommand({ PoolName: "a/b", Schema: [] }));
  assert(invalid instanceof InvalidParameterException, invalid);
  assert(invalid.message.startsWith("2 validation errors detected: "), invalid.message);
  console.log("refusals: by class");
  const ids = [];
  for await (const page of paginateListUserPools({ client, pageSize: 1 }, { MaxResults: 1 })) {
    ids.push(...page.UserPools.map((pool) => pool.Id));
  }
  assert.deepStrictEqual(ids, [created.Id]);
  await client.send(new DeleteUserPoolCommand({ UserPoolId: created.Id }));
  console.log("list, delete");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
