/*
 * http_tls_rig: the rig of HTTP with a server that has a certificate, and clients that speak TLS
 * unless they are told not to.
 */
#ifndef TESTS_UNIT_HTTP_TLS_RIG_H
#define TESTS_UNIT_HTTP_TLS_RIG_H

#include "http_rig.h"
#include "tls_rig.h"

#include <netinet/tcp.h>

static struct {
    struct tls_paper paper;
    struct tls_context *context;
    SSL_CTX *client_ctx;
} http_tls_rig;

static inline void client_handshakes(struct rig *rig, struct client *c)
{
    SSL *ssl = SSL_new(http_tls_rig.client_ctx);
    const uint64_t until = patience_begins();
    enum rc rc = RC_AGAIN;
    bool is_writing = false;
    const int on = 1; /* what is written in two steps arrives before the server's next turn */
    assert_int_equal(setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    c->tls = mem_new(1, sizeof(*c->tls));
    *c->tls = stream_plain(c->fd);
    SSL_set_connect_state(ssl);
    assert_int_equal(stream_secure(c->tls, ssl), RC_OK);
    while ((rc = stream_handshake(c->tls, &is_writing)) == RC_AGAIN && rig_waits(rig, until)) {
    }
    assert_int_equal(rc, RC_OK);
    /* The tickets are taken: closed with them unread a socket would be reset. */
    while (SSL_SESSION_is_resumable(SSL_get0_session(c->tls->ssl)) != 1 && rig_waits(rig, until)) {
        uint8_t byte = 0;
        size_t len = 0;
        assert_int_equal(stream_read(c->tls, &byte, 1, &len), RC_AGAIN);
    }
}

/* After rig_init() and before the server begins; 0. */
static inline int rig_secure(struct rig *rig)
{
    struct tls_fault fault;
    tls_paper_make(&http_tls_rig.paper, NULL, EVP_EC_gen("P-256"), -1, 1);
    http_tls_rig.context = tls_context_new();
    http_tls_rig.client_ctx = SSL_CTX_new(TLS_client_method());
    const struct tls_pem pem =
        tls_pem_of(http_tls_rig.paper.cert_text, http_tls_rig.paper.key_text, NULL);
    assert_int_equal(tls_context_load(http_tls_rig.context, &pem, &fault), RC_OK);
    rig->config.tls = http_tls_rig.context;
    rig->secure = client_handshakes;
    return 0;
}

/* After rig_fini(), also where nothing was secured. */
static inline void rig_secure_fini(void)
{
    tls_context_free(http_tls_rig.context);
    SSL_CTX_free(http_tls_rig.client_ctx);
    tls_paper_free(&http_tls_rig.paper);
    http_tls_rig.context = NULL;
    http_tls_rig.client_ctx = NULL;
}

#endif
