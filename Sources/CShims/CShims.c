#define _GNU_SOURCE
#include "CShims.h"
#include <malloc.h>

#include <sys/eventfd.h>
#include <sys/prctl.h>

void weir_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

int weir_make_waker(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

size_t weir_count_text(const void *bytes, size_t size, const void *text, size_t length) {
    size_t count = 0;
    const char *place = bytes, *end = place + size;
    while (place < end && (place = memmem(place, (size_t)(end - place), text, length))) {
        count++;
        place += length;
    }
    return count;
}

void weir_bound_memory(void) {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

int weir_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}
