// The AWS SDK for Java, unmodified. "create" creates one user pool, "endpoint URL" does so at
// that endpoint, "check" prints its checks.

import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.services.cognitoidentityprovider.CognitoIdentityProviderClient;
import software.amazon.awssdk.services.cognitoidentityprovider.model.InvalidParameterException;
import software.amazon.awssdk.services.cognitoidentityprovider.model.ResourceNotFoundException;
import software.amazon.awssdk.services.cognitoidentityprovider.model.SchemaAttributeType;
import software.amazon.awssdk.services.cognitoidentityprovider.model.UserPoolType;
import software.amazon.awssdk.services.cognitoidentityprovider.model.VerifiedAttributeType;

public class Client {
    public static void main(String[] arguments) {
        var client = CognitoIdentityProviderClient.create();
        if (arguments[0].equals("endpoint")) {
            client = CognitoIdentityProviderClient.builder().endpointOverride(URI.create(arguments[1])).build();
        }
        UserPoolType created = client.createUserPool(request -> request
            .poolName("once")
            .autoVerifiedAttributes(VerifiedAttributeType.EMAIL)
            .userPoolTags(Map.of("team", "payments"))).userPool();
        if (!arguments[0].equals("check")) {
            return;
        }
        UserPoolType pool = client.describeUserPool(request -> request.userPoolId(created.id())).userPool();
        check(pool.name().equals("once") && pool.userPoolTags().equals(Map.of("team", "payments")), pool);
        check(pool.autoVerifiedAttributes().equals(List.of(VerifiedAttributeType.EMAIL)), pool);
        System.out.println("create, describe: equal");
        Duration age = Duration.between(pool.creationDate(), Instant.now()).abs();
        check(age.compareTo(Duration.ofMinutes(10)) < 0, pool.creationDate());
        System.out.println("dates: of type Instant");
        try {
            client.describeUserPool(request -> request.userPoolId("us-east-1_nope"));
            check(false, "not refused");
        } catch (ResourceNotFoundException error) {
            check(error.statusCode() == 400, error);
        }
        try {
            client.createUserPool(request -> request.poolName("a/b").schema(List.<SchemaAttributeType>of()));
            check(false, "not refused");
        } catch (InvalidParameterException error) {
            check(error.awsErrorDetails().errorMessage().startsWith("2 validation errors detected: "), error);
        }
        System.out.println("refusals: by class");
        long count = client.listUserPoolsPaginator(request -> request.maxResults(1)).userPools().stream().count();
        check(count == 1, count);
        client.deleteUserPool(request -> request.userPoolId(created.id()));
        System.out.println("list, delete");
        client.close();
    }

    static void check(boolean holds, Object found) {
        if (!holds) {
            throw new AssertionError(found);
        }
    }
}
