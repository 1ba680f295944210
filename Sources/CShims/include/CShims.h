// What Swift cannot say or call by itself: SIMD movemasks and variadic C functions.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#define WEIR_INLINE static inline __attribute__((always_inline))

/// One bit for each of the 16 bytes at `p` that equals `c`.
WEIR_INLINE uint32_t weir_equal_mask16(const uint8_t *p, uint8_t c) {
#if defined(__x86_64__)
    return (uint32_t)_mm_movemask_epi8(
        _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)p), _mm_set1_epi8((char)c)));
#else
    uint32_t mask = 0;
    for (int i = 0; i < 16; i++) mask |= (uint32_t)(p[i] == c) << i;
    return mask;
#endif
}

/// One bit for each of the 16 bytes at `p` that is `"`, `\` or below 0x20: what ends or breaks
/// a run of plain bytes in a JSON string. `*high` collects the bits of bytes above 0x7f.
WEIR_INLINE uint32_t weir_string_mask16(const uint8_t *p, uint32_t *high) {
#if defined(__x86_64__)
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    *high = (uint32_t)_mm_movemask_epi8(v);
    __m128i m = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                             _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    m = _mm_or_si128(m, _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v));
    return (uint32_t)_mm_movemask_epi8(m);
#else
    uint32_t mask = 0, bits = 0;
    for (int i = 0; i < 16; i++) {
        uint8_t c = p[i];
        mask |= (uint32_t)(c == '"' || c == '\\' || c < 0x20) << i;
        bits |= (uint32_t)(c >> 7) << i;
    }
    *high = bits;
    return mask;
#endif
}

/// One bit for each of the 16 bytes at `p` that is white space, a control character or DEL.
WEIR_INLINE uint32_t weir_spaced_mask16(const uint8_t *p) {
#if defined(__x86_64__)
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    return (uint32_t)_mm_movemask_epi8(
        _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x20)), v),
                     _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f))));
#else
    uint32_t mask = 0;
    for (int i = 0; i < 16; i++) mask |= (uint32_t)(p[i] <= 0x20 || p[i] == 0x7f) << i;
    return mask;
#endif
}

/// One bit for each of the 16 bytes at `p` that is no ASCII letter and not one of `-./:` or a
/// digit: what addresses are seldom made of.
WEIR_INLINE uint32_t weir_unaddress_mask16(const uint8_t *p) {
#if defined(__x86_64__)
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    __m128i letter = _mm_sub_epi8(_mm_or_si128(v, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    __m128i sign = _mm_sub_epi8(v, _mm_set1_epi8('-'));
    __m128i isLetter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
    __m128i isSign = _mm_cmpeq_epi8(_mm_min_epu8(sign, _mm_set1_epi8(13)), sign);
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(isLetter, isSign)) ^ 0xffff;
#else
    uint32_t mask = 0;
    for (int i = 0; i < 16; i++) {
        uint8_t c = p[i], letter = (uint8_t)((c | 0x20) - 'a'), sign = (uint8_t)(c - '-');
        mask |= (uint32_t)(letter > 25 && sign > 13) << i;
    }
    return mask;
#endif
}

/// One bit for each of the 16 bytes at `p` that is a control character other than tab.
WEIR_INLINE uint32_t weir_control_mask16(const uint8_t *p) {
#if defined(__x86_64__)
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    return (uint32_t)_mm_movemask_epi8(
        _mm_andnot_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(0x09)),
                         _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v)));
#else
    uint32_t mask = 0;
    for (int i = 0; i < 16; i++) mask |= (uint32_t)(p[i] < 0x20 && p[i] != 0x09) << i;
    return mask;
#endif
}

/// One bit for each of the 16 bytes at `p` that is no plain text: below 0x20, DEL, `\`, or above
/// 0x7f. `*quotes` gets the bits of the bytes that are `"`.
WEIR_INLINE uint32_t weir_unplain_mask16(const uint8_t *p, uint32_t *quotes) {
#if defined(__x86_64__)
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    *quotes = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
    __m128i m = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')),
                             _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
    m = _mm_or_si128(m, _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v));
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(m, v));
#else
    uint32_t mask = 0, bits = 0;
    for (int i = 0; i < 16; i++) {
        uint8_t c = p[i];
        mask |= (uint32_t)(c < 0x20 || c >= 0x7f || c == '\\') << i;
        bits |= (uint32_t)(c == '"') << i;
    }
    *quotes = bits;
    return mask;
#endif
}

/// Names the calling thread, at most 15 bytes: `prctl` is variadic, which Swift cannot call.
void weir_name_thread(const char *name);

/// A descriptor that one thread waits on and another wakes; -1 when the system has none left.
int weir_make_waker(void);

/// One arena for all threads, and bursts given back: `mallopt`, which Swift does not see.
void weir_bound_memory(void);

/// Lets a spawned program inherit no files but the first: `posix_spawn_file_actions_addclosefrom_np`.
int weir_close_from(posix_spawn_file_actions_t *actions, int first);

/// Keeps this thread and those that it starts on one core; a negative number lets them go everywhere again.
int weir_stay_on_core(int core);

/// The core that this thread runs on at the moment.
int weir_current_core(void);

/// Lets go of the pages of code, this program's and its libraries': what runs on comes back from the page
/// cache at once, and what only the start needed stays away. Code alone, which nothing has written to.
/// Returns the bytes of what was let go.
size_t weir_release_code(void);

/// Whether `count` bytes hold a word of `length` bytes (`memmem` is GNU's, which Swift does not see).
bool weir_holds(const uint8_t *bytes, size_t count, const uint8_t *word, size_t length);

/// How many messages weir_md5_lanes() takes at a time.
#define WEIR_DIGEST_LANES 8

/// MD5 of eight messages at a time, for names and not for secrets; `digests` takes 16 bytes of each. A lane
/// that is not needed has length 0.
void weir_md5_lanes(
    const uint8_t *const messages[WEIR_DIGEST_LANES], const size_t lengths[WEIR_DIGEST_LANES],
    uint8_t *digests);
