package dev.sandpiper.agent.auth;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class SignedUrlsTest {
  private static final String TOKEN = "0tQG31xiMp0IOQfaz9dcwi72L1CPo8e0";
  private static final String VECTOR = "v1_gUtH/s9YCJWgCizjfUxuWfhFE4QSydOWEIIvfLwDr6E";
  private static final Instant NOW = Instant.ofEpochSecond(1_800_000_000);

  private final SignedUrls urls = new SignedUrls(AccessToken.of(TOKEN));

  private @Nullable String read(@Nullable String signature, @Nullable String expiration) {
    return urls.check(null, signature, expiration, "hello.txt", SignedUrls.READ, "user", NOW);
  }

  private static String sign(String text) throws Exception {
    byte[] hash =
        MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
    return "v1_" + Base64.getEncoder().withoutPadding().encodeToString(hash);
  }

  @Test
  void theContractsVectorIsAllowed() {
    assertThat(read(VECTOR, null)).isNull();
  }

  @Test
  void everyOtherThingThatWasSignedIsRefused() {
    assertThat(urls.check(null, VECTOR, null, "hello.txt", SignedUrls.WRITE, "user", NOW))
        .isEqualTo("invalid signature");
    assertThat(urls.check(null, VECTOR, null, "./hello.txt", SignedUrls.READ, "user", NOW))
        .isEqualTo("invalid signature");
    assertThat(urls.check(null, VECTOR, null, "hello.txt", SignedUrls.READ, null, NOW))
        .isEqualTo("invalid signature");
    assertThat(read(VECTOR + "=", null)).isEqualTo("invalid signature");
    assertThat(read("", null)).isEqualTo("invalid signature");
    assertThat(read(VECTOR, "1800000001")).isEqualTo("invalid signature");
  }

  @Test
  void theHeaderDecidesBeforeTheSignature() {
    assertThat(urls.check(TOKEN, "nonsense", null, "x", SignedUrls.READ, null, NOW)).isNull();
    for (String wrong : new String[] {"", TOKEN + "x", TOKEN.substring(1)}) {
      assertThat(urls.check(wrong, VECTOR, null, "hello.txt", SignedUrls.READ, "user", NOW))
          .isEqualTo("access token present in header but does not match");
    }
  }

  @Test
  void withoutASignatureItIsMissing() {
    assertThat(read(null, "1")).isEqualTo("missing signature query parameter");
  }

  @Test
  void aSignatureHoldsUntilItsSecondIsOver() throws Exception {
    String text = "hello.txt:read:user:" + TOKEN + ":";
    assertThat(read(sign(text + "1800000000"), "1800000000")).isNull();
    assertThat(read(sign(text + "1799999999"), "1799999999"))
        .isEqualTo("signature is already expired");
    assertThat(read(sign(text + "1"), "2"))
        .as("the hash is looked at first")
        .isEqualTo("invalid signature");
    assertThat(read(sign(text + "1800000000"), "+01800000000"))
        .as("the number is what was signed")
        .isNull();
  }

  @Test
  void absentPathAndUserAreEmpty() throws Exception {
    String signature = sign(":write::" + TOKEN);
    assertThat(urls.check(null, signature, null, null, SignedUrls.WRITE, null, NOW)).isNull();
    assertThat(urls.check(null, signature, null, "", SignedUrls.WRITE, "", NOW)).isNull();
  }

  @Test
  void anOpenAgentAsksForNothing() {
    var open = new SignedUrls(AccessToken.open());
    assertThat(open.check("any", null, null, "x", SignedUrls.READ, null, NOW)).isNull();
  }

  @Test
  void anAgentThatAwaitsItsTokenTakesNoSignature() throws Exception {
    var awaiting = new SignedUrls(AccessToken.awaited());
    assertThat(awaiting.check(null, sign("x:read::"), null, "x", SignedUrls.READ, null, NOW))
        .isNotNull();
    assertThat(awaiting.check("", null, null, "x", SignedUrls.READ, null, NOW)).isNotNull();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "soon", "1.5", "1e3", " 1", "٣", "9223372036854775808", "+", "-"})
  void anExpirationThatIsNoNumberIsNamed(String expiration) {
    assertThat(SignedUrls.expirationProblem(expiration))
        .startsWith("Invalid format for parameter signature_expiration:");
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "-1", "+7", "1800000000", "9223372036854775807"})
  void numbersAreExpirations(String expiration) {
    assertThat(SignedUrls.expirationProblem(expiration)).isNull();
  }
}
