// MD5 (RFC 1321) of eight messages at a time: one lane of a vector for each.
#include "CShims.h"

enum { LANES = WEIR_DIGEST_LANES };
typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

// The integer part of abs(sin(i + 1)) times 2 to the 32nd.
static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

#define ROTATE(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define STEP(mix, a, b, c, d, word, i, n)                                                          \
    a = (mix) + a + words[word] + sines[i];                                                        \
    a = ROTATE(a, n) + b
#define FIRST(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define SECOND(b, c, d) ((c) ^ ((d) & ((b) ^ (c))))
#define THIRD(b, c, d) ((b) ^ (c) ^ (d))
#define FOURTH(b, c, d) ((c) ^ ((b) | ~(d)))
#define ROUND(mix, i, first, stride, n1, n2, n3, n4)                                               \
    STEP(mix(b, c, d), a, b, c, d, ((first) + (i) * (stride)) & 15, (i) + OFFSET, n1);             \
    STEP(mix(a, b, c), d, a, b, c, ((first) + (i + 1) * (stride)) & 15, (i) + 1 + OFFSET, n2);     \
    STEP(mix(d, a, b), c, d, a, b, ((first) + (i + 2) * (stride)) & 15, (i) + 2 + OFFSET, n3);     \
    STEP(mix(c, d, a), b, c, d, a, ((first) + (i + 3) * (stride)) & 15, (i) + 3 + OFFSET, n4)

static inline void add_block(
    const uint8_t *const blocks[LANES], const lanes *live, lanes state[4]) {
    lanes words[16];
    for (int word = 0; word < 16; word++) {
        for (int lane = 0; lane < LANES; lane++) {
            uint32_t value;
            memcpy(&value, blocks[lane] + 4 * word, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
            value = __builtin_bswap32(value);
#endif
            words[word][lane] = value;
        }
    }
    lanes a = state[0], b = state[1], c = state[2], d = state[3];
#define OFFSET 0
    ROUND(FIRST, 0, 0, 1, 7, 12, 17, 22);
    ROUND(FIRST, 4, 0, 1, 7, 12, 17, 22);
    ROUND(FIRST, 8, 0, 1, 7, 12, 17, 22);
    ROUND(FIRST, 12, 0, 1, 7, 12, 17, 22);
#undef OFFSET
#define OFFSET 16
    ROUND(SECOND, 0, 1, 5, 5, 9, 14, 20);
    ROUND(SECOND, 4, 1, 5, 5, 9, 14, 20);
    ROUND(SECOND, 8, 1, 5, 5, 9, 14, 20);
    ROUND(SECOND, 12, 1, 5, 5, 9, 14, 20);
#undef OFFSET
#define OFFSET 32
    ROUND(THIRD, 0, 5, 3, 4, 11, 16, 23);
    ROUND(THIRD, 4, 5, 3, 4, 11, 16, 23);
    ROUND(THIRD, 8, 5, 3, 4, 11, 16, 23);
    ROUND(THIRD, 12, 5, 3, 4, 11, 16, 23);
#undef OFFSET
#define OFFSET 48
    ROUND(FOURTH, 0, 0, 7, 6, 10, 15, 21);
    ROUND(FOURTH, 4, 0, 7, 6, 10, 15, 21);
    ROUND(FOURTH, 8, 0, 7, 6, 10, 15, 21);
    ROUND(FOURTH, 12, 0, 7, 6, 10, 15, 21);
#undef OFFSET
    // Lanes whose message is over keep their state.
    state[0] += a & *live;
    state[1] += b & *live;
    state[2] += c & *live;
    state[3] += d & *live;
}

void weir_md5_lanes(
    const uint8_t *const messages[LANES], const size_t lengths[LANES], uint8_t *digests) {
    // What follows the whole blocks: the rest, a bit, zeros and the length, in one block or two.
    uint8_t tails[LANES][128];
    size_t whole[LANES], total[LANES], most = 0;
    for (int lane = 0; lane < LANES; lane++) {
        size_t rest = lengths[lane] % 64;
        size_t size = rest < 56 ? 64 : 128;
        whole[lane] = lengths[lane] / 64;
        total[lane] = whole[lane] + size / 64;
        if (total[lane] > most) most = total[lane];
        memset(tails[lane], 0, sizeof tails[lane]);
        if (rest) memcpy(tails[lane], messages[lane] + 64 * whole[lane], rest);
        tails[lane][rest] = 0x80;
        uint64_t bits = (uint64_t)lengths[lane] * 8;
        for (int byte = 0; byte < 8; byte++) {
            tails[lane][size - 8 + byte] = (uint8_t)(bits >> (8 * byte));
        }
    }
    lanes state[4];
    const uint32_t beginning[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    for (int word = 0; word < 4; word++) {
        for (int lane = 0; lane < LANES; lane++) state[word][lane] = beginning[word];
    }
    for (size_t block = 0; block < most; block++) {
        const uint8_t *blocks[LANES];
        lanes live;
        for (int lane = 0; lane < LANES; lane++) {
            live[lane] = block < total[lane] ? ~0u : 0;
            if (block < whole[lane]) {
                blocks[lane] = messages[lane] + 64 * block;
            } else {
                size_t place = block - whole[lane];
                blocks[lane] = tails[lane] + 64 * (place < 2 ? place : 0);
            }
        }
        add_block(blocks, &live, state);
    }
    for (int lane = 0; lane < LANES; lane++) {
        for (int word = 0; word < 4; word++) {
            for (int byte = 0; byte < 4; byte++) {
                digests[16 * lane + 4 * word + byte] = (uint8_t)(state[word][lane] >> (8 * byte));
            }
        }
    }
}
