package dev.sandpiper.agent.http;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// Where the PEM files of TLS are.
///
/// @param certificate the certificate chain, ours first
/// @param key its private key, without a password
/// @param clientCa when set, a client must show a certificate that one of these authorities has signed
public record TlsSettings(Path certificate, Path key, @Nullable Path clientCa) {}
