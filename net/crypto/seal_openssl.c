#include "net/crypto/seal_openssl.h"

#include "core/base/cursor.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

enum { NONCE_BYTES = 12 };

struct seal_openssl {
    EVP_CIPHER_CTX *cipher;
    EVP_MAC *hmac;
    struct seal_ops ops;
};

struct seal_mac {
    EVP_MAC_CTX *ctx;
};

static void mac_free(void *arg, struct seal_mac *mac)
{
    (void)arg;
    if (mac != NULL) {
        EVP_MAC_CTX_free(mac->ctx); /* it wipes its key */
        free(mac);
    }
}

static struct seal_mac *mac_new(void *arg, const uint8_t *key, size_t len)
{
    struct seal_openssl *seal = arg;
    struct seal_mac *mac = calloc(1, sizeof(*mac));
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    if (mac == NULL) {
        return NULL;
    }
    mac->ctx = EVP_MAC_CTX_new(seal->hmac);
    if (mac->ctx == NULL || EVP_MAC_init(mac->ctx, key, len, params) != 1) {
        ERR_clear_error();
        mac_free(arg, mac);
        return NULL;
    }
    return mac;
}

static bool mac(void *arg, struct seal_mac *mac, const uint8_t *data, size_t len,
                uint8_t ret_hash[static SEAL_HASH_BYTES])
{
    (void)arg;
    size_t hash_len = 0;
    /* Without a key it starts again with the one it has. */
    const bool is_done = EVP_MAC_init(mac->ctx, NULL, 0, NULL) == 1 &&
                         EVP_MAC_update(mac->ctx, data, len) == 1 &&
                         EVP_MAC_final(mac->ctx, ret_hash, &hash_len, SEAL_HASH_BYTES) == 1;
    if (!is_done) {
        ERR_clear_error();
    }
    return is_done;
}

static void put_nonce(uint64_t counter, uint8_t ret_nonce[static NONCE_BYTES])
{
    struct cursor c = cursor_writer(ret_nonce, NONCE_BYTES);
    cursor_put_u32(&c, 0);
    cursor_put_u64(&c, counter);
}

static bool seal(void *arg, const uint8_t key[static SEAL_KEY_BYTES], uint64_t counter,
                 uint8_t *data, size_t head_len, size_t len)
{
    const struct seal_openssl *seal = arg;
    uint8_t nonce[NONCE_BYTES], *body = data + head_len;
    int written = 0;
    put_nonce(counter, nonce);
    const bool is_done =
        EVP_EncryptInit_ex(seal->cipher, NULL, NULL, key, nonce) == 1 &&
        EVP_EncryptUpdate(seal->cipher, NULL, &written, data, (int)head_len) == 1 &&
        EVP_EncryptUpdate(seal->cipher, body, &written, body, (int)(len - head_len)) == 1 &&
        EVP_EncryptFinal_ex(seal->cipher, data + len, &written) == 1 &&
        EVP_CIPHER_CTX_ctrl(seal->cipher, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_BYTES, data + len) == 1;
    if (!is_done) {
        ERR_clear_error();
    }
    return is_done;
}

static bool open(void *arg, const uint8_t key[static SEAL_KEY_BYTES], uint64_t counter,
                 const uint8_t *data, size_t head_len, size_t len, uint8_t *ret_plain)
{
    const struct seal_openssl *seal = arg;
    const size_t plain_len = len - head_len - SEAL_TAG_BYTES;
    uint8_t nonce[NONCE_BYTES], tag[SEAL_TAG_BYTES];
    struct cursor c = cursor_writer(tag, sizeof(tag)); /* a copy, as the control is not const */
    cursor_put_bytes(&c, data + len - SEAL_TAG_BYTES, SEAL_TAG_BYTES);
    int written = 0;
    put_nonce(counter, nonce);
    const bool is_done =
        EVP_DecryptInit_ex(seal->cipher, NULL, NULL, key, nonce) == 1 &&
        EVP_DecryptUpdate(seal->cipher, NULL, &written, data, (int)head_len) == 1 &&
        EVP_DecryptUpdate(seal->cipher, ret_plain, &written, data + head_len, (int)plain_len) ==
            1 &&
        EVP_CIPHER_CTX_ctrl(seal->cipher, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_BYTES, tag) == 1 &&
        EVP_DecryptFinal_ex(seal->cipher, ret_plain + plain_len, &written) == 1;
    if (!is_done) {
        ERR_clear_error();
    }
    return is_done;
}

struct seal_openssl *seal_openssl_new(void)
{
    struct seal_openssl *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return NULL;
    }
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    made->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    made->cipher = EVP_CIPHER_CTX_new();
    made->ops = (struct seal_ops){
        .arg = made,
        .mac_new = mac_new,
        .mac_free = mac_free,
        .mac = mac,
        .seal = seal,
        .open = open,
    };
    /* The context is for both directions; the first one here only names the cipher. */
    const bool is_ready = cipher != NULL && made->hmac != NULL && made->cipher != NULL &&
                          EVP_EncryptInit_ex(made->cipher, cipher, NULL, NULL, NULL) == 1;
    EVP_CIPHER_free(cipher); /* the context has its own count */
    if (!is_ready) {
        ERR_clear_error();
        seal_openssl_free(made);
        return NULL;
    }
    return made;
}

void seal_openssl_free(struct seal_openssl *seal)
{
    if (seal != NULL) {
        EVP_CIPHER_CTX_free(seal->cipher);
        EVP_MAC_free(seal->hmac);
        free(seal);
    }
}

const struct seal_ops *seal_openssl_ops(const struct seal_openssl *seal)
{
    return &seal->ops;
}
