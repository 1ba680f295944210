#define _GNU_SOURCE
#include "CShims.h"
#include <link.h>
#include <malloc.h>
#include <sched.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>

void weir_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

int weir_make_waker(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void weir_bound_memory(void) {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

int weir_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

int weir_stay_on_core(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (core >= 0) {
        CPU_SET(core, &set);
    } else {
        for (int index = 0; index < CPU_SETSIZE; index++) CPU_SET(index, &set);
    }
    return sched_setaffinity(0, sizeof set, &set);
}

int weir_current_core(void) { return sched_getcpu(); }

static int release_object(struct dl_phdr_info *object, size_t size, void *total) {
    (void)size;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
    for (int index = 0; index < object->dlpi_phnum; index++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || segment->p_flags & PF_W) continue;
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~page;
        uintptr_t end = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        if (madvise((void *)start, end - start, MADV_DONTNEED) == 0) *(size_t *)total += end - start;
    }
    return 0;
}

size_t weir_release_code(void) {
    size_t total = 0;
    dl_iterate_phdr(release_object, &total);
    return total;
}

bool weir_holds(const uint8_t *bytes, size_t count, const uint8_t *word, size_t length) {
    return memmem(bytes, count, word, length) != NULL;
}
