package example;

import io.grpc.CallCredentials;
import io.grpc.ChannelCredentials;
import io.grpc.CompositeChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.TlsChannelCredentials;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/** A connection with TLS and a token, which notices that it is lost. */
final class Connection {
  private Connection() {}

  /** Uses TLS if USERPOOL_CA names the authority, and the token of USERPOOL_TOKEN_FILE. */
  static ManagedChannel to(String endpoint) throws IOException {
    String ca = System.getenv("USERPOOL_CA");
    String token = System.getenv("USERPOOL_TOKEN_FILE");
    ChannelCredentials credentials = InsecureChannelCredentials.create();
    if (ca != null) {
      // With a client certificate: keyManager(certificate, key).
      credentials = TlsChannelCredentials.newBuilder().trustManager(new File(ca)).build();
      if (token != null) {
        credentials = CompositeChannelCredentials.create(credentials, new TokenFile(Path.of(token)));
      }
    }
    return Grpc.newChannelBuilder(endpoint, credentials)
        // Notices within 20 seconds that the server is gone, also during a watch.
        .keepAliveTime(15, TimeUnit.SECONDS)
        .keepAliveTimeout(5, TimeUnit.SECONDS)
        .build();
  }

  /** Reads the file for each call, because a token expires, and the file gets a new one. */
  private static final class TokenFile extends CallCredentials {
    private final Path path;

    TokenFile(Path path) {
      this.path = path;
    }

    @Override
    public void applyRequestMetadata(RequestInfo call, Executor executor, MetadataApplier applier) {
      try {
        Metadata metadata = new Metadata();
        metadata.put(
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER),
            "Bearer " + Files.readString(path).strip());
        applier.apply(metadata);
      } catch (IOException error) {
        applier.fail(Status.UNAUTHENTICATED.withCause(error));
      }
    }
  }
}
