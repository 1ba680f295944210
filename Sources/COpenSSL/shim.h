#pragma once
#include <openssl/evp.h>
#include <openssl/hmac.h>

/// HMAC with SHA-256; `digest` takes 32 bytes. Returns 1, or 0 where the library refuses.
static inline int weir_hmac_sha256(
    const void *key, int key_length, const unsigned char *message, size_t length,
    unsigned char *digest) {
    return HMAC(EVP_sha256(), key, key_length, message, length, digest, NULL) != NULL;
}
