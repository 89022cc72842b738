package dev.sandpiper.agent.accounts;

import java.util.Optional;

/// The account and the path that a request means, with the defaults of this moment. Thread-safe; blocks for no more than
/// two stat(2).
public final class Accounts {
  private final Users users;
  private final SandboxDefaults defaults;

  public Accounts(Users users, SandboxDefaults defaults) {
    this.users = users;
    this.defaults = defaults;
  }

  public Users users() {
    return users;
  }

  public SandboxDefaults defaults() {
    return defaults;
  }

  /// The account of the name, else the default one, else the agent's own.
  ///
  /// @throws UnknownUserException with the message `invalid username: '<u>'` or `invalid default user: '<u>'`
  public User user(Optional<String> requested) throws UnknownUserException {
    Optional<String> name = requested.or(() -> defaults.now().user());
    if (name.isEmpty()) {
      return users.self();
    }
    Optional<User> found = users.find(name.get());
    if (found.isPresent()) {
      return found.get();
    }
    User self = users.self(); // need not be in the file
    if (name.get().equals(self.name())) {
      return self;
    }
    throw new UnknownUserException(
        (requested.isPresent() ? "invalid username: '" : "invalid default user: '")
            + name.get()
            + "'");
  }

  /// The name of the account that requests get which name none.
  public String defaultUserName() {
    return defaults.now().user().orElseGet(() -> users.self().name());
  }

  /// Whether [#user] finds an account of this name.
  public boolean exists(String name) {
    return users.find(name).isPresent() || name.equals(users.self().name());
  }

  /// The absolute path that `path` means for this account: [Paths#resolve] with the default directory of now.
  public String resolve(String path, User user) throws BadPathException {
    return Paths.resolve(path, user, defaults.now().workdir());
  }
}
