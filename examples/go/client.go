package main

// What a client of userpool needs: a connection, the details of errors, retries that make no
// change twice, and a watch that misses and repeats no event. main.go shows how to use it.

import (
	"context"
	"iter"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	pb "example/gen/userpool/v1"
)

// connect uses TLS if USERPOOL_CA names the authority, and the token of USERPOOL_TOKEN_FILE.
func connect(endpoint string) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{
		// Notices within 20 seconds that the server is gone, also during a watch.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 15 * time.Second, Timeout: 5 * time.Second}),
	}
	ca := os.Getenv("USERPOOL_CA")
	if ca == "" {
		return grpc.NewClient(endpoint, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	}
	// With a client certificate: credentials.NewTLS(&tls.Config{RootCAs: …, Certificates: …}).
	transport, err := credentials.NewClientTLSFromFile(ca, "")
	if err != nil {
		return nil, err
	}
	options = append(options, grpc.WithTransportCredentials(transport))
	if file := os.Getenv("USERPOOL_TOKEN_FILE"); file != "" {
		options = append(options, grpc.WithPerRPCCredentials(tokenFile(file)))
	}
	return grpc.NewClient(endpoint, options...)
}

// tokenFile is read for each call, because a token expires, and the file gets a new one.
type tokenFile string

func (file tokenFile) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token, err := os.ReadFile(string(file))
	return map[string]string{"authorization": "Bearer " + strings.TrimSpace(string(token))}, err
}

func (tokenFile) RequireTransportSecurity() bool { return true }

// detail returns the detail of this type of an error, or nil. Decide by the code and the reason of
// an error, never by its message.
func detail[D any](err error) *D {
	for _, any := range status.Convert(err).Details() {
		if found, ok := any.(*D); ok {
			return found
		}
	}
	return nil
}

// wait takes half to all of the pause, so that clients that lost a server do not return together.
func wait(ctx context.Context, pause time.Duration) {
	select {
	case <-time.After(pause/2 + rand.N(pause/2)):
	case <-ctx.Done():
	}
}

// retry calls until there is an answer, at most 6 times. All attempts have the same request ID: if
// one was carried out and only its answer was lost, the server answers the next one with the same
// event. Never retry a change without a request ID.
func retry[Q, A any](ctx context.Context, call func(context.Context, Q, ...grpc.CallOption) (A, error), request Q) (A, error) {
	pause := 100 * time.Millisecond
	for attempt := 1; ; attempt++ {
		limited, cancel := context.WithTimeout(ctx, 10*time.Second)
		answer, err := call(limited, request)
		cancel()
		noAnswer := status.Code(err) == codes.Unavailable || status.Code(err) == codes.DeadlineExceeded
		// RESOURCE_EXHAUSTED with a delay is an overload. Without one, a limit is reached.
		overload := detail[errdetails.RetryInfo](err)
		if attempt == 6 || ctx.Err() != nil || !noAnswer && overload == nil {
			return answer, err
		}
		wait(ctx, overload.GetRetryDelay().AsDuration()+pause)
		pause = min(2*pause, 5*time.Second)
	}
}

// A bookmark is where to resume a watch. A program stores it together with the results of the events.
type bookmark struct {
	position int64
	hash     []byte
	logID    string
}

func (mark *bookmark) move(sent *pb.WatchUserPoolEventsResponse) {
	if event := sent.GetEvent(); event != nil {
		mark.position, mark.hash = event.GetPosition(), event.GetHash()
	}
	if checkpoint := sent.GetCheckpoint(); checkpoint != nil {
		*mark = bookmark{checkpoint.GetPosition(), checkpoint.GetHash(), checkpoint.GetLogId()}
	}
}

// watch returns the events of the user pool after the bookmark, old and new, and checkpoints. It
// moves the bookmark. The watch ends when the caller leaves its loop.
func watch(
	ctx context.Context, history pb.UserPoolHistoryServiceClient, id string, mark *bookmark,
) iter.Seq2[*pb.WatchUserPoolEventsResponse, error] {
	return func(yield func(*pb.WatchUserPoolEventsResponse, error) bool) {
		// A watch has no deadline. Without cancel, the call would go on after the loop.
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
			call, err := history.WatchUserPoolEvents(ctx, &pb.WatchUserPoolEventsRequest{
				Filter: &pb.UserPoolEventFilter{UserPoolId: &id},
				Start:  &pb.WatchUserPoolEventsRequest_AfterPosition{AfterPosition: mark.position},
				// The server refuses the watch (WRONG_LOG) if its history is now another one.
				AfterHash: mark.hash,
				LogId:     mark.logID,
			})
			started := false
			for err == nil {
				var sent *pb.WatchUserPoolEventsResponse
				if sent, err = call.Recv(); err == nil {
					started, pause = true, 100*time.Millisecond
					mark.move(sent)
					if !yield(sent, nil) {
						return
					}
				}
			}
			// The server restarts, or the connection was lost or is too old. Or the token, which was
			// accepted, has expired: the next call sends the new one. Any other status is final.
			expired := started && status.Code(err) == codes.Unauthenticated
			if status.Code(err) != codes.Unavailable && !expired {
				yield(nil, err)
				return
			}
			wait(ctx, pause)
		}
	}
}
