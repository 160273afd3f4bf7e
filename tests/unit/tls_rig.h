/*
 * tls_rig: certificates that a test makes for itself, and two ends of TLS on a pair of sockets.
 */
#ifndef TESTS_UNIT_TLS_RIG_H
#define TESTS_UNIT_TLS_RIG_H

#include "net/crypto/stream.h"
#include "net/crypto/tls_context.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

enum { TLS_RIG_DAY_S = 86400, TLS_RIG_TEXT_SIZE = 8192, TLS_RIG_ROUNDS = 40, TLS_RIG_RSA = 2048 };

/* A certificate and its key. */
struct tls_paper {
    X509 *cert;
    EVP_PKEY *key;
    char cert_text[TLS_RIG_TEXT_SIZE], key_text[TLS_RIG_TEXT_SIZE];
};

static inline void tls_paper_text(BIO *bio, char *text)
{
    const int len = BIO_read(bio, text, TLS_RIG_TEXT_SIZE - 1);
    text[len > 0 ? len : 0] = '\0';
    BIO_free(bio);
}

/* Good from so many days from now to so many; of that issuer, or of itself. */
static inline void tls_paper_make(struct tls_paper *p, const struct tls_paper *issuer,
                                  EVP_PKEY *key, int from_days, int until_days)
{
    static long serial = 1;
    const unsigned char *const name = (const unsigned char *)(issuer == NULL ? "authority" : "end");
    p->key = key;
    p->cert = X509_new();
    (void)X509_set_version(p->cert, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(p->cert), serial++);
    (void)X509_gmtime_adj(X509_getm_notBefore(p->cert), (long)from_days * TLS_RIG_DAY_S);
    (void)X509_gmtime_adj(X509_getm_notAfter(p->cert), (long)until_days * TLS_RIG_DAY_S);
    (void)X509_set_pubkey(p->cert, key);
    (void)X509_NAME_add_entry_by_txt(X509_get_subject_name(p->cert), "CN", MBSTRING_ASC, name, -1,
                                     -1, 0);
    (void)X509_set_issuer_name(p->cert,
                               X509_get_subject_name(issuer == NULL ? p->cert : issuer->cert));
    if (issuer == NULL) {
        X509_EXTENSION *ca = X509V3_EXT_nconf_nid(NULL, NULL, NID_basic_constraints, "CA:TRUE");
        (void)X509_add_ext(p->cert, ca, -1);
        X509_EXTENSION_free(ca);
    }
    (void)X509_sign(p->cert, issuer == NULL ? key : issuer->key, EVP_sha256());
    BIO *cert = BIO_new(BIO_s_mem());
    BIO *text = BIO_new(BIO_s_mem());
    (void)PEM_write_bio_X509(cert, p->cert);
    (void)PEM_write_bio_PrivateKey(text, key, NULL, NULL, 0, NULL, NULL);
    tls_paper_text(cert, p->cert_text);
    tls_paper_text(text, p->key_text);
}

static inline void tls_paper_free(struct tls_paper *p)
{
    X509_free(p->cert);
    EVP_PKEY_free(p->key);
    *p = (struct tls_paper){.cert = NULL};
}

static inline struct tls_pem tls_pem_of(const char *cert, const char *key, const char *ca)
{
    return (struct tls_pem){.cert = cert,
                            .cert_len = strlen(cert),
                            .key = key,
                            .key_len = strlen(key),
                            .ca = ca,
                            .ca_len = ca == NULL ? 0 : strlen(ca)};
}

/* Two ends: ours and a client's. */
struct tls_pair {
    SSL_CTX *client_ctx;
    struct stream here, there;
    enum rc here_rc, there_rc; /* of the handshake */
};

static inline void tls_pair_open(struct tls_pair *p, const struct tls_context *context)
{
    int fds[2];
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    p->here = stream_plain(fds[0]);
    p->there = stream_plain(fds[1]);
    if (p->client_ctx == NULL) {
        p->client_ctx = SSL_CTX_new(TLS_client_method());
    }
    SSL *ssl = SSL_new(p->client_ctx);
    SSL_set_connect_state(ssl);
    assert_int_equal(stream_secure(&p->here, tls_context_acceptor(context)), RC_OK);
    assert_int_equal(stream_secure(&p->there, ssl), RC_OK);
}

/* Whether it came to an end at both, and how in `here_rc` and `there_rc`. */
static inline bool tls_pair_shake(struct tls_pair *p)
{
    bool is_writing = false;
    p->here_rc = RC_AGAIN;
    p->there_rc = RC_AGAIN;
    for (int i = 0; i < TLS_RIG_ROUNDS; i++) {
        if (p->there_rc == RC_AGAIN) {
            p->there_rc = stream_handshake(&p->there, &is_writing);
        }
        if (p->here_rc == RC_AGAIN) {
            p->here_rc = stream_handshake(&p->here, &is_writing);
        }
    }
    return p->here_rc == RC_OK && p->there_rc == RC_OK;
}

static inline void tls_pair_close(struct tls_pair *p)
{
    stream_close(&p->here);
    stream_close(&p->there);
}

static inline void tls_pair_free(struct tls_pair *p)
{
    tls_pair_close(p);
    SSL_CTX_free(p->client_ctx);
    p->client_ctx = NULL;
}

#endif
