package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.accounts.BadPathException;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.filesystem.Composition;
import dev.sandpiper.agent.filesystem.Composition.Source;
import dev.sandpiper.agent.filesystem.FileCallback;
import dev.sandpiper.agent.filesystem.FileFailure;
import dev.sandpiper.agent.filesystem.FileWork;
import dev.sandpiper.agent.filesystem.Uploads;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.Responses;
import dev.sandpiper.agent.http.Router;
import dev.sandpiper.agent.http.WholeBody;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// `POST /files/compose`: several files become one (contract, section 5.8). The body is
/// `{"source_paths":["/a","/b"],"destination":"/c","username":"user"}`, the last of them optional.
public final class ComposeRoute {
  private static final int MAX_BODY_BYTES = 1024 * 1024;

  private final Accounts accounts;
  private final FileWork work;
  private final Uploads uploads;

  private ComposeRoute(Accounts accounts, FileWork work, Uploads uploads) {
    this.accounts = accounts;
    this.work = work;
    this.uploads = uploads;
  }

  /// Adds the route.
  public static void register(Router router, Accounts accounts, FileWork work, Uploads uploads) {
    router.route("POST", "/files/compose", new ComposeRoute(accounts, work, uploads)::handle);
  }

  private record Request(List<String> sources, String destination, Optional<String> username) {}

  private void handle(HttpExchange exchange) {
    WholeBody.collect(
        exchange,
        MAX_BODY_BYTES,
        new WholeBody.Receiver() {
          @Override
          public void onBody(byte[] body) {
            try {
              compose(exchange, parse(body));
            } catch (Refusal refusal) {
              Errors.json(exchange, refusal.status(), refusal.getMessage());
            }
          }

          @Override
          public void onTooLong() {
            Errors.json(exchange, 413, "the body is longer than " + MAX_BODY_BYTES + " bytes");
          }
        });
  }

  private static Request parse(byte[] body) throws Refusal {
    List<String> sources = new ArrayList<>();
    String destination;
    Optional<String> username;
    try {
      if (!(Json.parse(body) instanceof Json.Members members)) {
        throw new Refusal(400, "invalid request body: not an object");
      }
      Json paths = members.find("source_paths");
      if (paths != null) {
        if (!(paths instanceof Json.Items items)) {
          throw new Refusal(400, "invalid request body: source_paths is not a list");
        }
        for (Json item : items.items()) {
          sources.add(text(item, "source_paths"));
        }
      }
      Json to = members.find("destination");
      destination = to == null ? "" : text(to, "destination");
      Json user = members.find("username");
      username = user == null ? Optional.empty() : Optional.of(text(user, "username"));
    } catch (Json.Malformed malformed) {
      throw new Refusal(400, "invalid request body: " + malformed.getMessage());
    }
    if (sources.isEmpty()) {
      throw new Refusal(400, "source_paths must not be empty");
    }
    if (destination.isEmpty()) {
      throw new Refusal(400, "destination is required");
    }
    return new Request(sources, destination, username);
  }

  private static String text(Json value, String name) throws Refusal {
    if (value instanceof Json.Text text) {
      return text.value();
    }
    throw new Refusal(400, "invalid request body: " + name + " is not text");
  }

  private void compose(HttpExchange exchange, Request request) throws Refusal {
    User user = FilesRequest.user(accounts, request.username);
    List<Source> sources = new ArrayList<>();
    for (String given : request.sources) {
      try {
        sources.add(new Source(given, accounts.resolve(given, user)));
      } catch (BadPathException bad) {
        throw new Refusal(
            400, "error resolving source path \"" + given + "\": " + bad.getMessage());
      }
    }
    String destination;
    try {
      destination = accounts.resolve(request.destination, user);
    } catch (BadPathException bad) {
      throw new Refusal(400, "error resolving destination path: " + bad.getMessage());
    }
    work.submit(
        user,
        () -> {
          Composition.compose(uploads, user, sources, destination);
          return destination;
        },
        new FileCallback<String>() {
          @Override
          public void done(String path) {
            exchange
                .eventLoop()
                .execute(() -> {
                  if (!exchange.isFinished()) {
                    StringBuilder json = new StringBuilder();
                    UploadAnswers.append(json, path, Map.of());
                    Responses.json(exchange, 200, json.toString());
                  }
                });
          }

          @Override
          public void failed(FileFailure failure) {
            exchange
                .eventLoop()
                .execute(() -> {
                  if (!exchange.isFinished()) {
                    Refusal refusal = Refusal.of(failure, null);
                    Errors.json(exchange, refusal.status(), refusal.getMessage());
                  }
                });
          }
        });
  }
}
