#pragma once
#include <openssl/evp.h>
#include <openssl/hmac.h>

/// HMAC with SHA-256; `digest` takes 32 bytes. Returns 1, or 0 where the library refuses.
static inline int weir_hmac_sha256(
    const void *key, int key_length, const unsigned char *message, size_t length,
    unsigned char *digest) {
    return HMAC(EVP_sha256(), key, key_length, message, length, digest, NULL) != NULL;
}

static inline EVP_MD_CTX *weir_md5_begin(void) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context && EVP_DigestInit_ex(context, EVP_md5(), NULL) != 1) {
        EVP_MD_CTX_free(context);
        return NULL;
    }
    return context;
}

/// MD5; `digest` takes 16 bytes. Returns 1, or 0 where the library refuses.
static inline int weir_md5(
    EVP_MD_CTX *context, const void *message, size_t length, void *digest) {
    return context && EVP_DigestInit_ex(context, NULL, NULL) == 1
        && EVP_DigestUpdate(context, message, length) == 1
        && EVP_DigestFinal_ex(context, digest, NULL) == 1;
}

static inline void weir_md5_end(EVP_MD_CTX *context) { EVP_MD_CTX_free(context); }
