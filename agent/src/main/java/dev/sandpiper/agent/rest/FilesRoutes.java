package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.auth.SignedUrls;
import dev.sandpiper.agent.filesystem.FileWork;
import dev.sandpiper.agent.filesystem.Uploads;
import dev.sandpiper.agent.http.BadQueryException;
import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.Responses;
import dev.sandpiper.agent.http.Router;
import dev.sandpiper.agent.rest.UploadBody.Order;
import dev.sandpiper.agent.telemetry.Counters;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// `GET`, `HEAD` and `POST /files`: whole files down and up (contract, sections 5.5 to 5.7).
///
/// The user and the path are those of the query; `Authorization` does not matter here. Everything that touches a file runs
/// on [FileWork].
public final class FilesRoutes {
  /// What the routes use.
  ///
  /// @param uploadIdleLimit how long nothing of a body may come before its upload is given up
  /// @param counters of files that came or went whole
  public record Parts(
      Accounts accounts,
      SignedUrls signatures,
      FileWork work,
      Uploads uploads,
      Duration uploadIdleLimit,
      Counters counters) {}

  private final Parts parts;

  private FilesRoutes(Parts parts) {
    this.parts = parts;
  }

  /// Adds the routes.
  public static void register(Router router, Parts parts) {
    FilesRoutes routes = new FilesRoutes(parts);
    router.route("GET", "/files", exchange -> routes.answer(exchange, routes::download));
    router.route("POST", "/files", exchange -> routes.answer(exchange, routes::upload));
    router.route("HEAD", "/files", exchange -> routes.answer(exchange, routes::download));
  }

  private interface Step {
    void run(HttpExchange exchange) throws Refusal, BadQueryException;
  }

  private void answer(HttpExchange exchange, Step step) {
    try {
      step.run(exchange);
    } catch (Refusal refusal) {
      Errors.json(exchange, refusal.status(), refusal.getMessage());
    } catch (BadQueryException bad) {
      Responses.text(exchange, 400, bad.getMessage());
    }
  }

  private void download(HttpExchange exchange) throws Refusal, BadQueryException {
    FilesRequest request = FilesRequest.read(exchange, parts.signatures, SignedUrls.READ);
    User user = FilesRequest.user(parts.accounts, request.username());
    String path = FilesRequest.resolve(parts.accounts, request.path().orElse(""), user);
    new Download(exchange, parts.work, user, path, parts.counters).start();
  }

  private void upload(HttpExchange exchange) throws Refusal, BadQueryException {
    FilesRequest request = FilesRequest.read(exchange, parts.signatures, SignedUrls.WRITE);
    Headers headers = exchange.requestHeaders();
    boolean gzip = isGzip(headers);
    User user = FilesRequest.user(parts.accounts, request.username());
    Map<String, String> metadata = MetadataHeaders.read(headers);
    String boundary = boundary(headers.get("content-type", ""), request.path());
    Order order =
        new Order(
            parts.accounts,
            parts.uploads,
            user,
            request.path().filter(path -> !path.isEmpty()),
            metadata,
            headers.get("content-length"));
    UploadBody body = new UploadBody(order, boundary, gzip);
    new UploadCall(exchange, parts.work, user, body, parts.uploadIdleLimit, parts.counters).start();
  }

  private static boolean isGzip(Headers headers) throws Refusal {
    String coding = headers.get("content-encoding", "identity");
    return switch (coding.strip().toLowerCase(Locale.ROOT)) {
      case "", "identity" -> false;
      case "gzip" -> true;
      default ->
          throw new Refusal(
              400,
              "error decompressing request body: unsupported Content-Encoding: "
                  + coding
                  + ", supported: [gzip]");
    };
  }

  /// The boundary of a multipart body; null for a body that is the file itself.
  private static @Nullable String boundary(String contentType, Optional<String> path)
      throws Refusal {
    int semicolon = contentType.indexOf(';');
    String type =
        (semicolon < 0 ? contentType : contentType.substring(0, semicolon))
            .strip()
            .toLowerCase(Locale.ROOT);
    if (type.equals("application/octet-stream")) {
      if (path.isEmpty() || path.get().isEmpty()) {
        throw new Refusal(400, "path query parameter is required for raw body upload");
      }
      return null;
    }
    if (!type.startsWith("multipart/")) {
      throw new Refusal(
          400,
          "unsupported content type: "
              + contentType
              + ", expected multipart/form-data or application/octet-stream");
    }
    try {
      Optional<String> boundary = PartHead.parameter(contentType, "boundary");
      if (boundary.isEmpty()) {
        throw new Refusal(
            500, "error parsing multipart form: no multipart boundary param in Content-Type");
      }
      return boundary.get();
    } catch (MalformedMultipartException malformed) {
      throw new Refusal(500, "error parsing multipart form: " + malformed.getMessage());
    }
  }
}
