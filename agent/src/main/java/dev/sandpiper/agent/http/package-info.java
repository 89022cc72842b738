/// One TCP port, several wire protocols, one kind of request.
///
/// [HttpServer][dev.sandpiper.agent.http.HttpServer] binds the port. Each connection is sniffed: HTTP/1.0 and 1.1, or
/// HTTP/2 by its preface (with TLS, by ALPN). Whatever came in, a handler sees one
/// [HttpExchange][dev.sandpiper.agent.http.HttpExchange]: a request whose body is pulled, and a response that says when
/// it can take no more. Features register their routes with a [Router][dev.sandpiper.agent.http.Router]; filters stand
/// in front of every route.
///
/// Threads: a connection lives on one event loop. Every callback of an exchange runs there and must not block; every
/// method of an exchange is called there, except where its comment says otherwise.
@NullMarked
package dev.sandpiper.agent.http;

import org.jspecify.annotations.NullMarked;
