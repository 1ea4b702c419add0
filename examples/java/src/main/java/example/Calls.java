package example;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.AbstractStub;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** The details of errors, and retries that make no change twice. */
final class Calls {
  private Calls() {}

  /**
   * The detail of this type of an error. Decide by the code and the reason of an error, never by
   * its message.
   */
  static <D extends Message> Optional<D> detail(StatusRuntimeException error, Class<D> type) {
    try {
      for (var detail : StatusProto.fromThrowable(error).getDetailsList()) {
        if (detail.is(type)) {
          return Optional.of(detail.unpack(type));
        }
      }
      return Optional.empty();
    } catch (InvalidProtocolBufferException invalid) {
      throw new IllegalStateException(invalid);
    }
  }

  /**
   * Calls until there is an answer, at most 6 times. All attempts have the same request ID: if one
   * was carried out and only its answer was lost, the server answers the next one with the same
   * event. Never retry a change without a request ID.
   */
  static <S extends AbstractStub<S>, A> A retry(S stub, Function<S, A> call)
      throws InterruptedException {
    long pause = 100;
    for (int attempt = 1; ; attempt++) {
      try {
        return call.apply(stub.withDeadlineAfter(10, TimeUnit.SECONDS));
      } catch (StatusRuntimeException error) {
        Status.Code code = error.getStatus().getCode();
        boolean noAnswer = code == Status.Code.UNAVAILABLE || code == Status.Code.DEADLINE_EXCEEDED;
        // RESOURCE_EXHAUSTED with a delay is an overload. Without one, a limit is reached.
        var delay = detail(error, RetryInfo.class).map(RetryInfo::getRetryDelay);
        if (attempt == 6 || !noAnswer && delay.isEmpty()) {
          throw error;
        }
        sleep(delay.map(d -> 1_000 * d.getSeconds() + d.getNanos() / 1_000_000).orElse(0L) + pause);
        pause = Math.min(2 * pause, 5_000);
      }
    }
  }

  /** Takes half to all of the pause, so that clients that lost a server do not return together. */
  static void sleep(long pause) throws InterruptedException {
    Thread.sleep(ThreadLocalRandom.current().nextLong(pause / 2, pause));
  }
}
