#include "net/crypto/tls_context.h"

#include "core/base/assert.h"
#include "net/crypto/psk.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SESSION_S = 300, /* as nginx: how long a ticket is good */
};

/* Those with forward secrecy and AEAD, of TLS 1.2; 1.3 has no others. */
static const char suites[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const unsigned char session_context[] = {'r', 'e', 'p', 'r', 'a', 'm'};

struct tls_context {
    SSL_CTX *ctx;
    struct tls_dates dates; /* while is_serving */
    bool is_serving, asks_clients;
    struct psk_config links; /* ring NULL: links are refused */
};

/* ---- What the ClientHello asks for ---- */

static int kind_index = -1; /* where an SSL keeps it; the process's, as OpenSSL has it */
static enum tls_kind kinds[TLS_KINDS] = {TLS_KIND_OTHER, TLS_KIND_HTTPS, TLS_KIND_LINK};

enum tls_kind tls_context_kind(const SSL *ssl)
{
    const enum tls_kind *kind = SSL_get_ex_data(ssl, kind_index);
    return kind == NULL ? TLS_KIND_OTHER : *kind;
}

static bool takes_links(const struct tls_context *c)
{
    return c->links.ring != NULL && keyring_state(c->links.ring) != SEALING_OPEN;
}

static bool prepare_link(const struct tls_context *c, SSL *ssl)
{
    SSL_certs_clear(ssl); /* a link is by its secret, and by nothing else */
    return psk_accept(ssl, &c->links) == RC_OK;
}

static int on_hello(SSL *ssl, int *ret_alert, void *arg)
{
    const struct tls_context *c = arg;
    const enum tls_kind kind = psk_is_asked(ssl) ? TLS_KIND_LINK : TLS_KIND_HTTPS;
    const bool is_link = kind == TLS_KIND_LINK;
    *ret_alert = SSL_AD_INTERNAL_ERROR; /* there is no memory */
    if (SSL_set_ex_data(ssl, kind_index, &kinds[kind]) != 1) {
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (!(is_link ? takes_links(c) : c->is_serving)) {
        *ret_alert = is_link ? SSL_AD_NO_APPLICATION_PROTOCOL : SSL_AD_HANDSHAKE_FAILURE;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return is_link && !prepare_link(c, ssl) ? SSL_CLIENT_HELLO_ERROR : SSL_CLIENT_HELLO_SUCCESS;
}

static int on_protocols(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                        const unsigned char *list, unsigned len, void *arg)
{
    static const unsigned char link[] = PSK_ALPN;
    static const unsigned char http[] = "http/1.1";
    (void)arg;
    if (tls_context_kind(ssl) == TLS_KIND_LINK) {
        *ret = link;
        *ret_len = sizeof(link) - 1;
        return SSL_TLSEXT_ERR_OK;
    }
    if (psk_lists(list, len, "http/1.1")) {
        *ret = http;
        *ret_len = sizeof(http) - 1;
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- The context ---- */

/* Who shows a certificate that is no good is served as one who shows none. */
static int on_verify(int is_good, X509_STORE_CTX *store)
{
    (void)is_good;
    (void)store;
    return 1;
}

bool tls_context_has_client(const SSL *ssl)
{
    return SSL_get0_peer_certificate(ssl) != NULL && SSL_get_verify_result(ssl) == X509_V_OK;
}

static SSL_CTX *make_ctx(struct tls_context *c)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    if (ctx == NULL) {
        return NULL;
    }
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_timeout(ctx, SESSION_S);
    SSL_CTX_set_client_hello_cb(ctx, on_hello, c);
    SSL_CTX_set_alpn_select_cb(ctx, on_protocols, NULL);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, suites) != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

struct tls_context *tls_context_new(void)
{
    struct tls_context *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    if (kind_index < 0) {
        kind_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    }
    c->ctx = kind_index < 0 ? NULL : make_ctx(c);
    ERR_clear_error();
    if (c->ctx == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

void tls_context_free(struct tls_context *c)
{
    if (c != NULL) {
        SSL_CTX_free(c->ctx);
        free(c);
    }
}

void tls_context_take_links(struct tls_context *c, const struct psk_config *links)
{
    c->links = *links;
}

bool tls_context_is_serving(const struct tls_context *c)
{
    return c->is_serving;
}

struct tls_dates tls_context_dates(const struct tls_context *c)
{
    return c->dates;
}

bool tls_context_accepts(const struct tls_context *c)
{
    return c->is_serving || takes_links(c);
}

bool tls_context_asks_clients(const struct tls_context *c)
{
    return c->asks_clients;
}

SSL *tls_context_ssl(const struct tls_context *c)
{
    SSL *ssl = SSL_new(c->ctx);
    ERR_clear_error();
    return ssl;
}

SSL *tls_context_acceptor(const struct tls_context *c)
{
    SSL *ssl = tls_context_ssl(c);
    if (ssl != NULL) {
        SSL_set_accept_state(ssl);
        /* Without a name of their own no sessions are resumed where clients show certificates. A
         * link's dialler has none, as its session has none. */
        (void)SSL_set_session_id_context(ssl, session_context, sizeof(session_context));
    }
    return ssl;
}

/* ---- Certificates ---- */

/* OpenSSL would ask at the terminal. */
static int no_password(char *buf, int size, int is_writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)is_writing;
    (void)arg;
    return -1;
}

/* Says what is wrong, with OpenSSL's last reason if it has one. */
static enum rc wrong(struct tls_fault *ret_fault, enum tls_part part, const char *what)
{
    const unsigned long error = ERR_peek_last_error();
    const char *reason = error == 0 ? NULL : ERR_reason_error_string(error);
    const bool is_memory = ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    ERR_clear_error();
    if (is_memory) {
        return RC_NO_MEMORY;
    }
    ret_fault->part = part;
    (void)snprintf(ret_fault->why, TLS_WHY_SIZE, "%s%s%s%s", what, reason == NULL ? "" : " (",
                   reason == NULL ? "" : reason, reason == NULL ? "" : ")");
    return RC_CONFIG;
}

static X509 *read_certificate(BIO *text)
{
    return PEM_read_bio_X509(text, NULL, no_password, NULL);
}

/* Whether the reader stopped at the end of the text, and not at something that is wrong. */
static bool is_at_end(void)
{
    const unsigned long error = ERR_peek_last_error();
    const bool is_end =
        ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (is_end) {
        ERR_clear_error();
    }
    return is_end;
}

static enum rc add_chain(SSL_CTX *ctx, BIO *text, struct tls_fault *ret_fault)
{
    X509 *next = NULL;
    while ((next = read_certificate(text)) != NULL) {
        if (SSL_CTX_add0_chain_cert(ctx, next) != 1) {
            X509_free(next);
            return wrong(ret_fault, TLS_PART_CERT, "a certificate of the chain cannot be used");
        }
    }
    return is_at_end()
               ? RC_OK
               : wrong(ret_fault, TLS_PART_CERT, "a certificate of the chain cannot be read");
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm tm = {0};
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static enum rc use_pair(SSL_CTX *ctx, X509 *leaf, EVP_PKEY *key, struct tls_fault *ret_fault)
{
    if (leaf == NULL) {
        return wrong(ret_fault, TLS_PART_CERT, "the certificate cannot be read");
    }
    if (key == NULL) {
        return wrong(ret_fault, TLS_PART_KEY,
                     "the key cannot be read; it has to be PEM without a password");
    }
    if (X509_check_private_key(leaf, key) != 1) {
        return wrong(ret_fault, TLS_PART_CERT, "the key does not belong to the certificate");
    }
    if (SSL_CTX_use_certificate(ctx, leaf) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1) {
        return wrong(ret_fault, TLS_PART_CERT, "the certificate cannot be used");
    }
    return RC_OK;
}

static enum rc load_pair(SSL_CTX *ctx, BIO *cert, BIO *key_text, struct tls_dates *ret_dates,
                         struct tls_fault *ret_fault)
{
    X509 *leaf = read_certificate(cert);
    EVP_PKEY *key =
        leaf == NULL ? NULL : PEM_read_bio_PrivateKey(key_text, NULL, no_password, NULL);
    enum rc rc = use_pair(ctx, leaf, key, ret_fault);
    if (rc == RC_OK) {
        *ret_dates = (struct tls_dates){seconds_of(X509_get0_notBefore(leaf)),
                                        seconds_of(X509_get0_notAfter(leaf))};
        rc = add_chain(ctx, cert, ret_fault);
    }
    X509_free(leaf);
    EVP_PKEY_free(key);
    return rc;
}

static enum rc load_authorities(SSL_CTX *ctx, BIO *text, struct tls_fault *ret_fault)
{
    X509 *next = NULL;
    unsigned count = 0;
    while ((next = read_certificate(text)) != NULL) {
        const bool is_added = X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), next) == 1 &&
                              (count >= TLS_NAMES_MAX || SSL_CTX_add_client_CA(ctx, next) == 1);
        X509_free(next);
        if (!is_added) {
            return wrong(ret_fault, TLS_PART_CA, "an authority cannot be used");
        }
        count++;
    }
    if (!is_at_end() || count == 0) {
        return wrong(ret_fault, TLS_PART_CA, "the authorities of clients cannot be read");
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify);
    return RC_OK;
}

static BIO *text_of(const char *text, size_t len)
{
    ASSERT(len <= INT32_MAX);
    return BIO_new_mem_buf(text, (int)len);
}

enum rc tls_context_load(struct tls_context *c, const struct tls_pem *pem,
                         struct tls_fault *ret_fault)
{
    ERR_clear_error();
    struct tls_dates dates = {0};
    SSL_CTX *ctx = make_ctx(c);
    BIO *cert = text_of(pem->cert, pem->cert_len);
    BIO *key = text_of(pem->key, pem->key_len);
    BIO *ca = pem->ca == NULL ? NULL : text_of(pem->ca, pem->ca_len);
    enum rc rc = RC_NO_MEMORY;
    if (ctx != NULL && cert != NULL && key != NULL && (ca != NULL) == (pem->ca != NULL)) {
        rc = load_pair(ctx, cert, key, &dates, ret_fault);
    }
    if (rc == RC_OK && ca != NULL) {
        rc = load_authorities(ctx, ca, ret_fault);
    }
    BIO_free(cert);
    BIO_free(key);
    BIO_free(ca);
    ERR_clear_error();
    if (rc != RC_OK) {
        SSL_CTX_free(ctx);
        return rc;
    }
    SSL_CTX_free(c->ctx);
    c->ctx = ctx;
    c->dates = dates;
    c->is_serving = true;
    c->asks_clients = ca != NULL;
    return RC_OK;
}
