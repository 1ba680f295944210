// Intel's ISA-L, whose deflate costs a quarter of zlib's: used where its library is installed.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// One gzip member on its way.
typedef struct weir_igzip weir_igzip;

/// Whether the library is there; it is looked for once.
bool weir_igzip_is_present(void);

/// A stream of the fastest level that still compresses well (1), or NULL without library or memory.
weir_igzip *weir_igzip_begin(void);

/// Gives the next bytes; they must stay until weir_igzip_take has returned less than it had room for.
void weir_igzip_give(weir_igzip *stream, const uint8_t *bytes, uint32_t count, bool is_last);

/// Writes what is ready, at most `room` bytes. Less means that all that was given is used up.
uint32_t weir_igzip_take(weir_igzip *stream, uint8_t *bytes, uint32_t room);

void weir_igzip_end(weir_igzip *stream);
