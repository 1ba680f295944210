#include "CIgzip.h"
#include <stdlib.h>

#if __has_include(<isa-l/igzip_lib.h>)
#include <dlfcn.h>
#include <isa-l/igzip_lib.h>
#include <pthread.h>

// The library's functions; the layout of its structures is that of the soname's major number.
static void (*begin)(struct isal_zstream *);
static int (*deflate)(struct isal_zstream *);
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    void *library = dlopen("libisal.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    begin = (void (*)(struct isal_zstream *))dlsym(library, "isal_deflate_init");
    deflate = (int (*)(struct isal_zstream *))dlsym(library, "isal_deflate");
}

bool weir_igzip_is_present(void) {
    pthread_once(&once, load);
    return begin && deflate;
}

struct weir_igzip {
    struct isal_zstream stream;
    uint8_t level_buffer[ISAL_DEF_LVL1_DEFAULT];
};

weir_igzip *weir_igzip_begin(void) {
    if (!weir_igzip_is_present()) return NULL;
    weir_igzip *made = malloc(sizeof *made);
    if (!made) return NULL;
    begin(&made->stream);
    made->stream.level = 1;
    made->stream.level_buf = made->level_buffer;
    made->stream.level_buf_size = sizeof made->level_buffer;
    made->stream.gzip_flag = IGZIP_GZIP;
    made->stream.flush = NO_FLUSH;
    return made;
}

void weir_igzip_give(weir_igzip *stream, const uint8_t *bytes, uint32_t count, bool is_last) {
    stream->stream.next_in = (uint8_t *)bytes;
    stream->stream.avail_in = count;
    stream->stream.end_of_stream = is_last;
}

uint32_t weir_igzip_take(weir_igzip *stream, uint8_t *bytes, uint32_t room) {
    stream->stream.next_out = bytes;
    stream->stream.avail_out = room;
    deflate(&stream->stream);
    return room - stream->stream.avail_out;
}

void weir_igzip_end(weir_igzip *stream) { free(stream); }

#else
bool weir_igzip_is_present(void) { return false; }
weir_igzip *weir_igzip_begin(void) { return NULL; }
void weir_igzip_give(weir_igzip *stream, const uint8_t *bytes, uint32_t count, bool is_last) {}
uint32_t weir_igzip_take(weir_igzip *stream, uint8_t *bytes, uint32_t room) { return 0; }
void weir_igzip_end(weir_igzip *stream) {}
#endif
