// Functions for zlib's initializers, which are macros that Swift cannot import. Only static inline functions; no state.
#ifndef CLAIRO_CZLIB_SHIM_H
#define CLAIRO_CZLIB_SHIM_H

#include <zlib.h>

// 15 bits of window, plus 16 for the gzip format (zlib.h, deflateInit2 and inflateInit2).
static inline int clairo_zlib_start_gzip(z_stream *stream) {
    return deflateInit2(stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}
static inline int clairo_zlib_start_gunzip(z_stream *stream) { return inflateInit2(stream, 15 + 16); }

#endif
