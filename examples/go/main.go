// A short program that uses a client: ../README.md says how to run it, and shows what it prints.
package main

import (
	"context"
	"fmt"
	"log"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "example/gen/userpool/v1"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("give the endpoint: HOST:PORT")
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, endpoint string) error {
	connection, err := connect(endpoint)
	if err != nil {
		return err
	}
	defer connection.Close()
	pools, history := pb.NewUserPoolServiceClient(connection), pb.NewUserPoolHistoryServiceClient(connection)

	// A retry sends the same request again, as this does, and gets the same event.
	create := &pb.CreateUserPoolRequest{PoolName: proto.String("example"), RequestId: requestID()}
	var pool *pb.UserPool
	for _, attempt := range []string{"created", "sent again"} {
		created, err := retry(ctx, pools.CreateUserPool, create)
		if err != nil {
			return err
		}
		pool = created.GetUserPool()
		fmt.Printf("%s: %s, revision %d, position %d\n",
			attempt, pool.GetId(), created.GetRevision(), created.GetPosition())
	}

	// All violations are reported at once, with the paths of their fields.
	_, err = retry(ctx, pools.CreateUserPool, &pb.CreateUserPoolRequest{
		PoolName:  proto.String("a/b"),
		Policies:  &pb.UserPoolPolicies{PasswordPolicy: &pb.PasswordPolicy{MinimumLength: proto.Int32(5)}},
		RequestId: requestID(),
	})
	info := detail[errdetails.ErrorInfo](err)
	fmt.Printf("refused: %s\n", info.GetReason())
	for _, key := range slices.Sorted(maps.Keys(info.GetMetadata())) {
		fmt.Printf("  %s: %s\n", key, info.GetMetadata()[key])
	}
	for _, violation := range detail[errdetails.BadRequest](err).GetFieldViolations() {
		fmt.Printf("  %s %s\n", violation.GetField(), violation.GetDescription())
	}

	// Changes the tags that it read, although another client changes them meanwhile.
	describe := &pb.DescribeUserPoolRequest{UserPoolId: pool.Id}
	read, err := retry(ctx, pools.DescribeUserPool, describe)
	if err != nil {
		return err
	}
	tag := func(key, value string) error {
		_, err := retry(ctx, pools.TagResource, &pb.TagResourceRequest{
			ResourceArn: pool.Arn, Tags: map[string]string{key: value}, RequestId: requestID(),
		})
		return err
	}
	if err := tag("team", "payments"); err != nil {
		return err
	}
	for {
		tags := map[string]string{"stage": "test"}
		maps.Copy(tags, read.GetUserPool().GetUserPoolTags())
		updated, err := retry(ctx, pools.UpdateUserPool, &pb.UpdateUserPoolRequest{
			UserPoolId:   pool.Id,
			UserPoolTags: tags,
			UpdateMask:   []string{"user_pool_tags"},
			// Without it, this would remove the tag of the other client.
			ExpectedRevision: proto.Int64(read.GetRevision()),
			RequestId:        requestID(),
		})
		if err == nil {
			keys := strings.Join(slices.Sorted(maps.Keys(tags)), ", ")
			fmt.Printf("updated: revision %d, tags %s\n", updated.GetRevision(), keys)
			break
		}
		if status.Code(err) != codes.Aborted {
			return err
		}
		fmt.Printf("%s: reading again\n", detail[errdetails.ErrorInfo](err).GetReason())
		if read, err = retry(ctx, pools.DescribeUserPool, describe); err != nil {
			return err
		}
	}

	// What was recorded until now, and then what was recorded since.
	var mark bookmark
	if err := show(ctx, history, pool.GetId(), &mark); err != nil {
		return err
	}
	if err := tag("team", "identity"); err != nil {
		return err
	}
	return show(ctx, history, pool.GetId(), &mark)
}

// show prints the events of the user pool after the bookmark, until it has seen them all.
func show(ctx context.Context, history pb.UserPoolHistoryServiceClient, id string, mark *bookmark) error {
	for sent, err := range watch(ctx, history, id, mark) {
		if err != nil {
			return err
		}
		if event := sent.GetEvent(); event != nil {
			fmt.Printf("event %d: %s\n", event.GetRevision(), event.GetType())
		}
		if checkpoint := sent.GetCheckpoint(); checkpoint.GetCaughtUp() {
			fmt.Printf("caught up at position %d\n", checkpoint.GetPosition())
			break
		}
	}
	return nil
}

func requestID() *string { return proto.String(uuid.NewString()) }
