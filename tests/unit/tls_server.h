/*
 * tls_server: a TLS server on the loop of its client, with an authority and certificates made for
 * the test, for the tests of net/out.
 *
 * The files are PEM in a folder of their own. The server answers each head with the length of the
 * body that came behind it, in order and on the same connection.
 */
#ifndef TESTS_UNIT_TLS_SERVER_H
#define TESTS_UNIT_TLS_SERVER_H

#include "core/base/parse.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TLS_CONNECTIONS = 8, TLS_PATH_SIZE = 96, TLS_DAY_S = 24 * 60 * 60 };

/* An end of a chain: a certificate with its key, in one file. */
struct tls_identity {
    EVP_PKEY *key;
    X509 *cert;
    char file[TLS_PATH_SIZE];
};

struct tls_server {
    struct event_base *base;
    struct evconnlistener *listener;
    struct bufferevent *conns[TLS_CONNECTIONS];
    size_t conn_count; /* accepted until now */
    SSL_CTX *ctx;
    uint16_t port;
    unsigned answered;
    const char *refusal; /* said to everybody, who is not listened to; NULL: none */
    char peer[64];       /* who the last client was by its certificate; "" for nobody */
    char folder[32];
    struct tls_identity authority, other_authority;
    struct tls_identity good;    /* for localhost and 127.0.0.1 */
    struct tls_identity foreign; /* for another name */
    struct tls_identity expired; /* for localhost, until yesterday */
    struct tls_identity client;
};

static inline void tls_extend(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* Signed by `by`; an authority where that is NULL. `names` as in "DNS:localhost". */
static inline void tls_identity_make(struct tls_identity *i, const struct tls_server *rig,
                                     const char *name, const char *names, long until_s,
                                     const struct tls_identity *by)
{
    static long serial;
    i->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    i->cert = X509_new();
    assert_non_null(i->key);
    assert_int_equal(X509_set_version(i->cert, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(i->cert), ++serial), 1);
    X509_NAME *subject = X509_get_subject_name(i->cert);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    assert_int_equal(
        X509_set_issuer_name(i->cert, by != NULL ? X509_get_subject_name(by->cert) : subject), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(i->cert), -2L * TLS_DAY_S));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(i->cert), until_s));
    assert_int_equal(X509_set_pubkey(i->cert, i->key), 1);
    tls_extend(i->cert, NID_basic_constraints, by == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    if (names != NULL) {
        tls_extend(i->cert, NID_subject_alt_name, names);
    }
    assert_true(X509_sign(i->cert, by != NULL ? by->key : i->key, EVP_sha256()) > 0);
    (void)snprintf(i->file, sizeof(i->file), "%s/%s.pem", rig->folder, name);
    FILE *file = fopen(i->file, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, i->cert), 1);
    assert_int_equal(PEM_write_PrivateKey(file, i->key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
}

static inline void tls_identity_free(struct tls_identity *i)
{
    (void)unlink(i->file);
    X509_free(i->cert);
    EVP_PKEY_free(i->key);
}

/* ---- The server ---- */

/* The bytes of the body that a head announces. */
static inline size_t tls_body_len(const char *head)
{
    static const char name[] = "Content-Length: ";
    const char *at = strstr(head, name);
    uint64_t len = 0;
    if (at == NULL) {
        return 0;
    }
    at += sizeof(name) - 1;
    return parse_u64(at, strcspn(at, "\r"), 1 << 24, &len) == RC_OK ? (size_t)len : 0;
}

static inline void tls_on_read(struct bufferevent *bev, void *arg)
{
    struct tls_server *rig = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    for (;;) {
        char head[2048];
        const struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
        if (end.pos < 0 || (size_t)end.pos >= sizeof(head)) {
            return;
        }
        (void)evbuffer_copyout(in, head, (size_t)end.pos);
        head[end.pos] = '\0';
        const size_t body_len = tls_body_len(head);
        if (evbuffer_get_length(in) < (size_t)end.pos + 4 + body_len) {
            return;
        }
        (void)evbuffer_drain(in, (size_t)end.pos + 4 + body_len);
        char text[32];
        (void)snprintf(text, sizeof(text), "%zu", body_len);
        (void)evbuffer_add_printf(bufferevent_get_output(bev),
                                  "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(text),
                                  text);
        rig->answered++;
    }
}

static inline void tls_on_refused(struct bufferevent *bev, void *arg)
{
    struct tls_server *rig = arg;
    for (size_t i = 0; i < TLS_CONNECTIONS; i++) {
        rig->conns[i] = rig->conns[i] == bev ? NULL : rig->conns[i];
    }
    bufferevent_free(bev); /* with what was not read, which is a reset */
}

static inline void tls_on_event(struct bufferevent *bev, short what, void *arg)
{
    struct tls_server *rig = arg;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        X509 *cert = SSL_get1_peer_certificate(bufferevent_openssl_get_ssl(bev));
        rig->peer[0] = '\0';
        if (cert != NULL) {
            (void)X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, rig->peer,
                                            sizeof(rig->peer));
        }
        X509_free(cert);
        if (rig->refusal != NULL) {
            bufferevent_setcb(bev, NULL, tls_on_refused, tls_on_event, rig);
            (void)bufferevent_disable(bev, EV_READ);
            (void)bufferevent_write(bev, rig->refusal, strlen(rig->refusal));
        }
    }
}

static inline void tls_on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                                 struct sockaddr *from, int len, void *arg)
{
    struct tls_server *rig = arg;
    (void)listener;
    (void)from;
    (void)len;
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        rig->base, fd, SSL_new(rig->ctx), BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(bev, tls_on_read, NULL, tls_on_event, rig);
    (void)bufferevent_enable(bev, EV_READ | EV_WRITE);
    struct bufferevent **place = &rig->conns[rig->conn_count++ % TLS_CONNECTIONS];
    if (*place != NULL) {
        bufferevent_free(*place); /* long over */
    }
    *place = bev;
}

/* From now on the server is this one, and wants certificates of the authority if `asks`. */
static inline void tls_server_be(struct tls_server *rig, const struct tls_identity *who, bool asks)
{
    SSL_CTX_free(rig->ctx);
    rig->ctx = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(rig->ctx, who->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(rig->ctx, who->key), 1);
    if (asks) {
        SSL_CTX_set_verify(rig->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(rig->ctx), rig->authority.cert),
                         1);
    }
}

static inline void tls_server_init(struct tls_server *rig)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof(sin);
    (void)signal(SIGPIPE, SIG_IGN);
    memset(rig, 0, sizeof(*rig));
    (void)snprintf(rig->folder, sizeof(rig->folder), "/tmp/repram-tls-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    tls_identity_make(&rig->authority, rig, "authority", NULL, TLS_DAY_S, NULL);
    tls_identity_make(&rig->other_authority, rig, "other", NULL, TLS_DAY_S, NULL);
    tls_identity_make(&rig->good, rig, "good", "DNS:localhost,IP:127.0.0.1", TLS_DAY_S,
                      &rig->authority);
    tls_identity_make(&rig->foreign, rig, "foreign", "DNS:example.org", TLS_DAY_S, &rig->authority);
    tls_identity_make(&rig->expired, rig, "expired", "DNS:localhost", -TLS_DAY_S, &rig->authority);
    tls_identity_make(&rig->client, rig, "client", NULL, TLS_DAY_S, &rig->authority);
    tls_server_be(rig, &rig->good, false);
    rig->base = event_base_new();
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    rig->listener = evconnlistener_new_bind(rig->base, tls_on_accept, rig, LEV_OPT_CLOSE_ON_FREE, 8,
                                            (const struct sockaddr *)&sin, sizeof(sin));
    assert_non_null(rig->listener);
    assert_int_equal(
        getsockname(evconnlistener_get_fd(rig->listener), (struct sockaddr *)&sin, &len), 0);
    rig->port = ntohs(sin.sin_port);
}

static inline void tls_server_fini(struct tls_server *rig)
{
    for (size_t i = 0; i < TLS_CONNECTIONS; i++) {
        if (rig->conns[i] != NULL) {
            bufferevent_free(rig->conns[i]);
        }
    }
    evconnlistener_free(rig->listener);
    event_base_free(rig->base);
    SSL_CTX_free(rig->ctx);
    tls_identity_free(&rig->authority);
    tls_identity_free(&rig->other_authority);
    tls_identity_free(&rig->good);
    tls_identity_free(&rig->foreign);
    tls_identity_free(&rig->expired);
    tls_identity_free(&rig->client);
    (void)rmdir(rig->folder);
}

#endif
