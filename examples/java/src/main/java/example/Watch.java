package example;

import com.google.protobuf.ByteString;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Iterator;
import java.util.function.Predicate;
import userpool.v1.UserPoolEventFilter;
import userpool.v1.UserPoolHistoryServiceGrpc.UserPoolHistoryServiceBlockingStub;
import userpool.v1.WatchUserPoolEventsRequest;
import userpool.v1.WatchUserPoolEventsResponse;

/** A watch that misses and repeats no event. */
final class Watch {
  private Watch() {}

  /** Where to resume a watch. A program stores it together with the results of the events. */
  static final class Bookmark {
    private long position;
    private ByteString hash = ByteString.EMPTY;
    private String logId = "";

    private void move(WatchUserPoolEventsResponse sent) {
      if (sent.hasEvent()) {
        position = sent.getEvent().getPosition();
        hash = sent.getEvent().getHash();
      } else {
        position = sent.getCheckpoint().getPosition();
        hash = sent.getCheckpoint().getHash();
        logId = sent.getCheckpoint().getLogId();
      }
    }
  }

  /**
   * Passes the events of the user pool after the bookmark, old and new, and checkpoints to the
   * consumer, until it returns false. Moves the bookmark.
   */
  static void events(
      UserPoolHistoryServiceBlockingStub history,
      String userPoolId,
      Bookmark bookmark,
      Predicate<WatchUserPoolEventsResponse> consumer)
      throws Exception {
    for (long pause = 100; ; pause = Math.min(2 * pause, 5_000)) {
      var filter = UserPoolEventFilter.newBuilder().setUserPoolId(userPoolId);
      var request =
          WatchUserPoolEventsRequest.newBuilder()
              .setFilter(filter)
              .setAfterPosition(bookmark.position)
              // The server refuses the watch (WRONG_LOG) if its history is now another one.
              .setAfterHash(bookmark.hash)
              .setLogId(bookmark.logId)
              .build();
      boolean started = false;
      // A watch has no deadline. The end of the context ends the call.
      try (var context = Context.current().withCancellation()) {
        Iterator<WatchUserPoolEventsResponse> call =
            context.call(() -> history.watchUserPoolEvents(request));
        while (call.hasNext()) {
          var sent = call.next();
          started = true;
          pause = 100;
          bookmark.move(sent);
          if (!consumer.test(sent)) {
            return;
          }
        }
      } catch (StatusRuntimeException error) {
        Status.Code code = error.getStatus().getCode();
        // The server restarts, or the connection was lost or is too old. Or the token, which was
        // accepted, has expired: the next call sends the new one. Any other status is final.
        boolean expired = started && code == Status.Code.UNAUTHENTICATED;
        if (code != Status.Code.UNAVAILABLE && !expired) {
          throw error;
        }
      }
      Calls.sleep(pause);
    }
  }
}
