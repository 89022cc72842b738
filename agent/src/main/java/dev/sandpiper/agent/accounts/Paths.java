package dev.sandpiper.agent.accounts;

import java.util.Optional;

/// What a path of a request means (E2B contract, section 3.6); the file system is not asked.
public final class Paths {
  private Paths() {}

  /// The absolute path. Empty: the default directory, else the home. `~` and `~/x`: the home. Absolute paths are taken as
  /// written; relative ones are below the home, also where there is a default directory, and cleaned.
  ///
  /// @param path as the caller wrote it
  /// @param workdir the default directory, which may itself begin with `~` or be relative
  /// @throws BadPathException for another account's home (`~name`), and for a NUL, which no path can hold
  public static String resolve(String path, User user, Optional<String> workdir)
      throws BadPathException {
    if (path.indexOf('\0') >= 0) {
      throw new BadPathException(
          "path '" + path.replace("\0", "\\0") + "' holds a NUL character, which no path can");
    }
    if (!path.isEmpty()) {
      return expand(path, user);
    }
    return workdir.isPresent() && !workdir.get().isEmpty()
        ? expand(workdir.get(), user)
        : user.home();
  }

  private static String expand(String path, User user) throws BadPathException {
    if (path.charAt(0) == '~') {
      if (path.length() == 1) {
        return user.home();
      }
      if (path.charAt(1) != '/' && path.charAt(1) != '\\') {
        throw new BadPathException(
            "failed to expand path '"
                + path
                + "' for user '"
                + user.name()
                + "': cannot expand user-specific home dir");
      }
      return clean(user.home() + "/" + path.substring(2));
    }
    return path.charAt(0) == '/' ? path : clean(user.home() + "/" + path);
  }

  /// Removes `.`, `..` and doubled slashes without asking the file system.
  public static String clean(String path) {
    StringBuilder cleaned = new StringBuilder(path.length());
    for (String part : path.split("/", -1)) {
      switch (part) {
        case "", "." -> {}
        case ".." -> cleaned.setLength(Math.max(0, cleaned.lastIndexOf("/")));
        default -> cleaned.append('/').append(part);
      }
    }
    return cleaned.isEmpty() ? "/" : cleaned.toString();
  }
}
