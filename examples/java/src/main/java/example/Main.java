package example;

import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.List;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import userpool.v1.CreateUserPoolRequest;
import userpool.v1.DescribeUserPoolRequest;
import userpool.v1.PasswordPolicy;
import userpool.v1.TagResourceRequest;
import userpool.v1.UpdateUserPoolRequest;
import userpool.v1.UserPool;
import userpool.v1.UserPoolHistoryServiceGrpc;
import userpool.v1.UserPoolPolicies;
import userpool.v1.UserPoolServiceGrpc;

/** A short program that uses a client: ../README.md says how to run it, and shows what it prints. */
public final class Main {
  private final UserPoolServiceGrpc.UserPoolServiceBlockingStub pools;
  private final UserPoolHistoryServiceGrpc.UserPoolHistoryServiceBlockingStub history;

  private Main(ManagedChannel channel) {
    pools = UserPoolServiceGrpc.newBlockingStub(channel);
    history = UserPoolHistoryServiceGrpc.newBlockingStub(channel);
  }

  public static void main(String[] arguments) throws Exception {
    ManagedChannel channel = Connection.to(arguments[0]);
    try {
      new Main(channel).run();
    } finally {
      channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
    }
  }

  private void run() throws Exception {
    UserPool pool = create();
    refuse();
    update(pool);
    // What was recorded until now, and then what was recorded since.
    var bookmark = new Watch.Bookmark();
    show(pool, bookmark);
    tag(pool, "identity");
    show(pool, bookmark);
  }

  /** A retry sends the same request again, as this does, and gets the same event. */
  private UserPool create() throws InterruptedException {
    var create =
        CreateUserPoolRequest.newBuilder().setPoolName("example").setRequestId(requestId()).build();
    UserPool pool = null;
    for (String attempt : List.of("created", "sent again")) {
      var created = Calls.retry(pools, stub -> stub.createUserPool(create));
      pool = created.getUserPool();
      var at = "revision %d, position %d".formatted(created.getRevision(), created.getPosition());
      System.out.printf("%s: %s, %s%n", attempt, pool.getId(), at);
    }
    return pool;
  }

  /** All violations are reported at once, with the paths of their fields. */
  private void refuse() throws InterruptedException {
    var password = PasswordPolicy.newBuilder().setMinimumLength(5);
    var request =
        CreateUserPoolRequest.newBuilder()
            .setPoolName("a/b")
            .setPolicies(UserPoolPolicies.newBuilder().setPasswordPolicy(password))
            .setRequestId(requestId())
            .build();
    try {
      Calls.retry(pools, stub -> stub.createUserPool(request));
    } catch (StatusRuntimeException error) {
      var info = Calls.detail(error, ErrorInfo.class).orElseThrow();
      System.out.println("refused: " + info.getReason());
      new TreeMap<>(info.getMetadataMap())
          .forEach((key, value) -> System.out.printf("  %s: %s%n", key, value));
      var invalid = Calls.detail(error, BadRequest.class).orElseThrow();
      for (var violation : invalid.getFieldViolationsList()) {
        System.out.printf("  %s %s%n", violation.getField(), violation.getDescription());
      }
    }
  }

  /** Changes the tags that it read, although another client changes them meanwhile. */
  private void update(UserPool pool) throws InterruptedException {
    var describe = DescribeUserPoolRequest.newBuilder().setUserPoolId(pool.getId()).build();
    var read = Calls.retry(pools, stub -> stub.describeUserPool(describe));
    tag(pool, "payments");
    while (true) {
      var tags = new TreeMap<>(read.getUserPool().getUserPoolTagsMap());
      tags.put("stage", "test");
      var update =
          UpdateUserPoolRequest.newBuilder()
              .setUserPoolId(pool.getId())
              .putAllUserPoolTags(tags)
              .addUpdateMask("user_pool_tags")
              // Without it, this would remove the tag of the other client.
              .setExpectedRevision(read.getRevision())
              .setRequestId(requestId())
              .build();
      try {
        var updated = Calls.retry(pools, stub -> stub.updateUserPool(update));
        var keys = String.join(", ", tags.keySet());
        System.out.printf("updated: revision %d, tags %s%n", updated.getRevision(), keys);
        return;
      } catch (StatusRuntimeException error) {
        if (error.getStatus().getCode() != Status.Code.ABORTED) {
          throw error;
        }
        var info = Calls.detail(error, ErrorInfo.class).orElseThrow();
        System.out.println(info.getReason() + ": reading again");
        read = Calls.retry(pools, stub -> stub.describeUserPool(describe));
      }
    }
  }

  private void tag(UserPool pool, String team) throws InterruptedException {
    var request =
        TagResourceRequest.newBuilder()
            .setResourceArn(pool.getArn())
            .putTags("team", team)
            .setRequestId(requestId())
            .build();
    Calls.retry(pools, stub -> stub.tagResource(request));
  }

  /** Prints the events after the bookmark, until it has seen them all. */
  private void show(UserPool pool, Watch.Bookmark bookmark) throws Exception {
    Watch.events(history, pool.getId(), bookmark, sent -> {
      if (sent.hasEvent()) {
        var event = sent.getEvent();
        System.out.printf("event %d: %s%n", event.getRevision(), event.getType());
      }
      var checkpoint = sent.getCheckpoint();
      if (checkpoint.getCaughtUp()) {
        System.out.printf("caught up at position %d%n", checkpoint.getPosition());
      }
      return !checkpoint.getCaughtUp();
    });
  }

  private static String requestId() {
    return UUID.randomUUID().toString();
  }
}
