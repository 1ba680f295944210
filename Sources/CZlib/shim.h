// `deflateInit2` is a macro, which Swift cannot call.
#pragma once
#include <string.h>
#include <zlib.h>

/// Starts a gzip stream; the result is zlib's.
static inline int weir_deflate_begin(z_stream *stream, int level) {
    memset(stream, 0, sizeof *stream);
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

/// Starts reading a gzip or zlib stream; the result is zlib's.
static inline int weir_inflate_begin(z_stream *stream) {
    memset(stream, 0, sizeof *stream);
    return inflateInit2(stream, 15 + 32);
}
