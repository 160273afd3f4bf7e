#include "net/crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct digest {
    EVP_MD *sha256;
    EVP_MD_CTX *context;
};

struct digest *digest_new(void)
{
    struct digest *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return NULL;
    }
    d->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    d->context = EVP_MD_CTX_new();
    if (d->sha256 == NULL || d->context == NULL ||
        EVP_DigestInit_ex2(d->context, d->sha256, NULL) != 1) {
        digest_free(d);
        return NULL;
    }
    return d;
}

void digest_free(struct digest *d)
{
    if (d != NULL) {
        EVP_MD_CTX_free(d->context);
        EVP_MD_free(d->sha256);
        free(d);
    }
}

bool digest_sha256(struct digest *d, const void *data, size_t len, uint8_t ret_hash[DIGEST_SIZE])
{
    /* Without a type the context begins anew with the one that it has. */
    const bool is_made = EVP_DigestInit_ex2(d->context, NULL, NULL) == 1 &&
                         EVP_DigestUpdate(d->context, data, len) == 1 &&
                         EVP_DigestFinal_ex(d->context, ret_hash, NULL) == 1;
    if (!is_made) {
        memset(ret_hash, 0, DIGEST_SIZE);
    }
    return is_made;
}

bool digest_once(const void *data, size_t len, uint8_t ret_hash[DIGEST_SIZE])
{
    struct digest *d = digest_new();
    const bool is_made = d != NULL && digest_sha256(d, data, len, ret_hash);
    digest_free(d);
    return is_made;
}

bool digest_is_equal(const uint8_t a[DIGEST_SIZE], const uint8_t b[DIGEST_SIZE])
{
    return CRYPTO_memcmp(a, b, DIGEST_SIZE) == 0;
}
