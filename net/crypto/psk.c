#include "net/crypto/psk.h"

#include "core/base/assert.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDENTITY_PREFIX "repram/1/"
#define SUITE_NAME "TLS_AES_256_GCM_SHA384"
#define GROUPS "X25519"

enum {
    IDENTITY_BYTES = sizeof(IDENTITY_PREFIX) - 1 + 4,
    ALPN_BYTES = sizeof(PSK_ALPN) - 1,
    ALPN_LIST_HEAD_BYTES = 2, /* the list's length, RFC 7301 section 3.1 */
};

static const uint8_t suite[] = {0x13, 0x02};

/* What is kept with a connection of OpenSSL. */
struct psk_state {
    struct psk_config config;
    uint16_t key_id; /* that was offered, or was found last for an identity that the other named */
    char identity[IDENTITY_BYTES + 1];
    SSL_SESSION *session; /* of the dialer: what it offers, with the key in it */
    uint64_t records;     /* written under this key */
};

static void psk_state_free(struct psk_state *s)
{
    if (s != NULL) {
        SSL_SESSION_free(s->session); /* which wipes the key */
        free(s);
    }
}

static void on_ssl_freed(void *parent, void *state, CRYPTO_EX_DATA *data, int index, long argl,
                         void *argp)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    psk_state_free(state);
}

/* Where a connection keeps its state: one number a process, -1 when there was no memory for it. */
static int state_index(void)
{
    static int index = -1;
    if (index < 0) {
        index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_freed);
    }
    return index;
}

static struct psk_state *state_of(const SSL *ssl)
{
    const int index = state_index();
    return index < 0 ? NULL : SSL_get_ex_data(ssl, index);
}

/* ---- The key as a session ---- */

/* NULL where the ring has not the key, or there is no memory. It allows no early data, as nothing
 * here does: that could be a replay. */
static SSL_SESSION *session_of(SSL *ssl, const struct keyring *ring, uint16_t key_id,
                               enum rc *ret_rc)
{
    uint8_t key[SEAL_LINK_BYTES];
    *ret_rc = keyring_link_psk(ring, key_id, key);
    if (*ret_rc != RC_OK) {
        return NULL;
    }
    SSL_SESSION *session = SSL_SESSION_new();
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, suite);
    if (session == NULL || cipher == NULL ||
        SSL_SESSION_set1_master_key(session, key, sizeof(key)) != 1 ||
        SSL_SESSION_set_cipher(session, cipher) != 1 ||
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1) {
        SSL_SESSION_free(session);
        session = NULL;
        *ret_rc = RC_NO_MEMORY;
    }
    OPENSSL_cleanse(key, sizeof(key));
    return session;
}

static int on_offer(SSL *ssl, const EVP_MD *md, const unsigned char **ret_identity, size_t *ret_len,
                    SSL_SESSION **ret_session)
{
    struct psk_state *s = state_of(ssl);
    (void)md;
    if (SSL_SESSION_up_ref(s->session) != 1) {
        return 0;
    }
    *ret_identity = (const unsigned char *)s->identity;
    *ret_len = IDENTITY_BYTES;
    *ret_session = s->session;
    return 1;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 0 when it is no identity of ours. */
static uint16_t key_id_of(const unsigned char *identity, size_t len)
{
    const size_t head = sizeof(IDENTITY_PREFIX) - 1;
    uint16_t id = 0;
    if (len != IDENTITY_BYTES || memcmp(identity, IDENTITY_PREFIX, head) != 0) {
        return 0;
    }
    for (size_t i = head; i < len; i++) {
        const int digit = hex_digit(identity[i]);
        if (digit < 0) {
            return 0;
        }
        id = (uint16_t)(id << 4 | digit);
    }
    return id;
}

/* Called for each identity that the other names until one is found. One of a ticket, or of nobody,
 * is passed over: whatever TLS makes of it then, this is no link. */
static int on_find(SSL *ssl, const unsigned char *identity, size_t len, SSL_SESSION **ret_session)
{
    struct psk_state *s = state_of(ssl);
    enum rc rc = RC_OK;
    s->key_id = key_id_of(identity, len);
    *ret_session = s->key_id == 0 ? NULL : session_of(ssl, s->config.ring, s->key_id, &rc);
    if (*ret_session == NULL) {
        s->key_id = 0;
    }
    return rc == RC_OK || rc == RC_NOT_FOUND;
}

/* ---- What either end is told ---- */

static enum rc configure(SSL *ssl, struct psk_state *s)
{
    const int index = state_index();
    if (index < 0 || SSL_set_ex_data(ssl, index, s) != 1) {
        psk_state_free(s);
        return RC_NO_MEMORY;
    }
    char groups[] = GROUPS;                   /* a copy, as the macro of OpenSSL casts const away */
    static const unsigned char no_context[1]; /* that of sessions made here; HTTPS has another */
    SSL_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_clear_options(ssl, SSL_OP_ALLOW_NO_DHE_KEX);
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    const bool is_set =
        SSL_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
        SSL_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 &&
        SSL_set_ciphersuites(ssl, SUITE_NAME) == 1 && SSL_set1_groups_list(ssl, groups) == 1 &&
        SSL_set_num_tickets(ssl, 0) == 1 && SSL_set_session_id_context(ssl, no_context, 0) == 1;
    return is_set ? RC_OK : RC_NO_MEMORY;
}

enum rc psk_dial(SSL *ssl, const struct psk_config *config, uint16_t key_id)
{
    static const unsigned char alpn[] = "\x0f" PSK_ALPN;
    _Static_assert(ALPN_BYTES == 0x0f, "the length stands before the name");
    enum rc rc = RC_OK;
    SSL_SESSION *session = session_of(ssl, config->ring, key_id, &rc);
    if (session == NULL) {
        return rc;
    }
    struct psk_state *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        SSL_SESSION_free(session);
        return RC_NO_MEMORY;
    }
    *s = (struct psk_state){.config = *config, .key_id = key_id, .session = session};
    (void)snprintf(s->identity, sizeof(s->identity), IDENTITY_PREFIX "%04x", key_id);
    rc = configure(ssl, s);
    if (rc == RC_OK) {
        /* The one call of OpenSSL here that returns 0 for success. */
        rc = SSL_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1) == 0 ? RC_OK : RC_NO_MEMORY;
        SSL_certs_clear(ssl); /* an impostor that asks for one is not shown the node's */
        SSL_set_psk_use_session_callback(ssl, on_offer);
        SSL_set_connect_state(ssl);
    }
    return rc;
}

enum rc psk_accept(SSL *ssl, const struct psk_config *config)
{
    if (psk_is_set(ssl)) {
        return RC_OK;
    }
    struct psk_state *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return RC_NO_MEMORY;
    }
    s->config = *config;
    const enum rc rc = configure(ssl, s);
    if (rc == RC_OK) {
        SSL_set_psk_find_session_callback(ssl, on_find);
    }
    return rc;
}

bool psk_lists(const uint8_t *names, size_t len, const char *protocol)
{
    const size_t wanted = strlen(protocol);
    while (len > 0 && names[0] < len) {
        const size_t name_len = names[0];
        if (name_len == wanted && memcmp(names + 1, protocol, wanted) == 0) {
            return true;
        }
        names += 1 + name_len;
        len -= 1 + name_len;
    }
    return false;
}

bool psk_is_asked(SSL *ssl)
{
    const unsigned char *list = NULL;
    size_t len = 0;
    return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &list,
                                     &len) == 1 &&
           len >= ALPN_LIST_HEAD_BYTES &&
           psk_lists(list + ALPN_LIST_HEAD_BYTES, len - ALPN_LIST_HEAD_BYTES, PSK_ALPN);
}

bool psk_is_set(const SSL *ssl)
{
    return state_of(ssl) != NULL;
}

/* ---- What came of it ---- */

uint16_t psk_hello_key(const SSL *ssl)
{
    const struct psk_state *s = state_of(ssl);
    const unsigned char *alpn = NULL;
    unsigned int alpn_len = 0;
    if (s == NULL || SSL_session_reused(ssl) != 1) {
        return 0;
    }
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
    return alpn_len == ALPN_BYTES && memcmp(alpn, PSK_ALPN, ALPN_BYTES) == 0 ? s->key_id : 0;
}

uint16_t psk_link_key(const SSL *ssl)
{
    return SSL_is_init_finished(ssl) == 1 ? psk_hello_key(ssl) : 0;
}

/* Whether the socket takes a short message now. Nothing could be read while one was half sent, and
 * two ends that both stood so would wait for ever. */
static bool is_writable(const SSL *ssl)
{
    struct pollfd socket = {.fd = SSL_get_wfd(ssl), .events = POLLOUT};
    return socket.fd < 0 || (poll(&socket, 1, 0) == 1 && (socket.revents & POLLOUT) != 0);
}

void psk_wrote(SSL *ssl, size_t len)
{
    struct psk_state *s = state_of(ssl);
    if (s == NULL) {
        return;
    }
    s->records += (len + PSK_RECORD_BYTES - 1) / PSK_RECORD_BYTES;
    if (s->records < s->config.key_records_max || !is_writable(ssl)) {
        return;
    }
    ERR_clear_error();
    if (SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1) {
        s->records = 0;
        (void)SSL_do_handshake(ssl); /* sends it */
    }
    ERR_clear_error(); /* while a record is half sent it has to wait */
}
