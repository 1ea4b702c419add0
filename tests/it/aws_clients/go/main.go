// The AWS SDK for Go, unmodified. "create" creates one user pool, "endpoint URL" does so at
// that endpoint, "check" prints its checks, "terraform" makes the calls of Terraform's provider.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

func main() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	check(err)
	client := cognito.NewFromConfig(cfg)
	if os.Args[1] == "terraform" {
		provider := terraform{ctx, client}
		provider.runPool()
		provider.runDomain()
		return
	}
	if os.Args[1] == "endpoint" {
		client = cognito.NewFromConfig(cfg, func(o *cognito.Options) { o.BaseEndpoint = aws.String(os.Args[2]) })
	}
	created, err := client.CreateUserPool(ctx, &cognito.CreateUserPoolInput{
		PoolName:               aws.String("once"),
		AutoVerifiedAttributes: []types.VerifiedAttributeType{types.VerifiedAttributeTypeEmail},
		UserPoolTags:           map[string]string{"team": "payments"},
	})
	check(err)
	if os.Args[1] != "check" {
		return
	}
	id := created.UserPool.Id
	described, err := client.DescribeUserPool(ctx, &cognito.DescribeUserPoolInput{UserPoolId: id})
	check(err)
	pool := described.UserPool
	assert(*pool.Name == "once" && pool.UserPoolTags["team"] == "payments", pool)
	assert(pool.AutoVerifiedAttributes[0] == types.VerifiedAttributeTypeEmail, pool)
	assert(*pool.Policies.PasswordPolicy.MinimumLength == 8, pool)
	fmt.Println("create, describe: equal")
	assert(time.Since(*pool.CreationDate).Abs() < 10*time.Minute, pool.CreationDate)
	fmt.Println("dates: of type Time")

	_, err = client.DescribeUserPool(ctx, &cognito.DescribeUserPoolInput{UserPoolId: aws.String("us-east-1_nope")})
	var missing *types.ResourceNotFoundException
	assert(errors.As(err, &missing), err)
	_, err = client.CreateUserPool(ctx, &cognito.CreateUserPoolInput{
		PoolName: aws.String("a/b"),
		Schema:   []types.SchemaAttributeType{},
	})
	var invalid *types.InvalidParameterException
	assert(errors.As(err, &invalid), err)
	assert(strings.HasPrefix(invalid.ErrorMessage(), "2 validation errors detected: "), invalid)
	fmt.Println("refusals: by type")

	pages := cognito.NewListUserPoolsPaginator(client, &cognito.ListUserPoolsInput{MaxResults: aws.Int32(1)})
	count := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		check(err)
		count += len(page.UserPools)
	}
	assert(count == 1, count)
	_, err = client.DeleteUserPool(ctx, &cognito.DeleteUserPoolInput{UserPoolId: id})
	check(err)
	fmt.Println("list, delete")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func assert(holds bool, found any) {
	if !holds {
		log.Fatalf("found %v", found)
	}
}
