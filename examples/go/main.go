// Creates a user pool, assigns a domain to it, shows it, and watches its events:
//
//	buf generate && go run . 127.0.0.1:50051 people-login
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	userpoolv1 "example/gen/userpool/v1"
)

// Every call has 30 seconds, including retries and the time to connect, and gRPC
// retries it if it got no answer. A change must have a request_id, which keeps a
// retry from making it twice. Do not retry a change without one. A watch has no
// deadline: see the last rule.
const serviceConfig = `{"methodConfig": [{
	"name": [{"service": "userpool.v1.UserPoolService"}, {"service": "userpool.v1.UserPoolHistoryService"}],
	"timeout": "30s",
	"waitForReady": true,
	"retryPolicy": {
		"maxAttempts": 5,
		"initialBackoff": "0.1s",
		"maxBackoff": "5s",
		"backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE"]
	}
}, {
	"name": [{"service": "userpool.v1.UserPoolHistoryService", "method": "WatchUserPoolEvents"}],
	"waitForReady": true
}]}`

func main() {
	if len(os.Args) != 3 {
		log.Fatal("give the endpoint, HOST:PORT, and the domain prefix")
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, endpoint, domain string) error {
	connection, err := grpc.NewClient(endpoint,
		// With TLS: credentials.NewTLS(&tls.Config{RootCAs: …, Certificates: …}).
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig),
		// Detects a server that no longer responds.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 15 * time.Second, Timeout: 5 * time.Second}),
	)
	if err != nil {
		return err
	}
	defer connection.Close()
	pools := userpoolv1.NewUserPoolServiceClient(connection)

	created, err := pools.CreateUserPool(ctx, &userpoolv1.CreateUserPoolRequest{
		PoolName:  proto.String("example"),
		RequestId: proto.String(uuid.NewString()),
	})
	if err != nil {
		return err
	}
	id := created.GetUserPool().GetId()
	fmt.Printf("created %s\n", id)

	_, err = pools.CreateUserPoolDomain(ctx, &userpoolv1.CreateUserPoolDomainRequest{
		Domain:     proto.String(domain),
		UserPoolId: proto.String(id),
		RequestId:  proto.String(uuid.NewString()),
		// The call fails if the user pool has changed since.
		ExpectedRevision: proto.Int64(created.GetRevision()),
	})
	if err != nil {
		return err
	}

	described, err := pools.DescribeUserPool(ctx, &userpoolv1.DescribeUserPoolRequest{UserPoolId: proto.String(id)})
	if err != nil {
		return err
	}
	pool := described.GetUserPool()
	fmt.Printf("%s has the domain %s at revision %d\n", pool.GetName(), pool.GetDomain(), described.GetRevision())

	return watch(ctx, userpoolv1.NewUserPoolHistoryServiceClient(connection), id, described.GetRevision())
}

// watch prints the events of the user pool up to this revision. A program stores the
// position of the last event that it processed, and starts after it.
func watch(ctx context.Context, history userpoolv1.UserPoolHistoryServiceClient, id string, until int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	position := int64(0)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		events, err := history.WatchUserPoolEvents(ctx, &userpoolv1.WatchUserPoolEventsRequest{
			Filter: &userpoolv1.UserPoolEventFilter{UserPoolId: proto.String(id)},
			Start:  &userpoolv1.WatchUserPoolEventsRequest_AfterPosition{AfterPosition: position},
		})
		for err == nil {
			var sent *userpoolv1.WatchUserPoolEventsResponse
			if sent, err = events.Recv(); err != nil {
				break
			}
			pause = 100 * time.Millisecond
			if checkpoint := sent.GetCheckpoint(); checkpoint != nil {
				position = checkpoint.GetPosition()
			}
			if event := sent.GetEvent(); event != nil {
				position = event.GetPosition()
				fmt.Printf("event %d: %s\n", event.GetRevision(), event.GetType())
				if event.GetRevision() >= until {
					return nil
				}
			}
		}
		// The server is restarting, or ends an old connection. Any other status is final.
		if status.Code(err) != codes.Unavailable {
			return err
		}
		time.Sleep(pause)
	}
}
