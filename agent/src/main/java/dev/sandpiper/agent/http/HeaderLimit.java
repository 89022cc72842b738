package dev.sandpiper.agent.http;

import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpHeadersFactory;
import io.netty.handler.codec.http.TooLongHttpHeaderException;

/// Bounds how many headers a request may have. The limit on their bytes alone is none on memory: a megabyte of lines of
/// four bytes makes objects of forty, and a few clients that send such a thing made the agent run out of heap.
final class HeaderLimit {
  /// Ten times what anybody sends.
  static final int MAX_HEADERS = 1000;

  private HeaderLimit() {}

  /// HTTP/1.x: headers and trailers that refuse one too many while they are read.
  static HttpDecoderConfig on(HttpDecoderConfig config) {
    var limited = new Factory();
    return config.setHeadersFactory(limited).setTrailersFactory(limited);
  }

  private static final class Factory implements HttpHeadersFactory {
    @Override
    public HttpHeaders newHeaders() {
      return new Limited();
    }

    @Override
    public HttpHeaders newEmptyHeaders() {
      return new Limited();
    }
  }

  /// Checks names and values as its parent does by default. What must not be a trailer the decoder has left out already.
  private static final class Limited extends DefaultHttpHeaders {
    @Override
    public HttpHeaders add(String name, Object value) {
      requireRoom();
      return super.add(name, value);
    }

    @Override
    public HttpHeaders add(CharSequence name, Object value) {
      requireRoom();
      return super.add(name, value);
    }

    private void requireRoom() {
      if (size() >= MAX_HEADERS) {
        throw new TooLongHttpHeaderException("more than " + MAX_HEADERS + " headers");
      }
    }
  }
}
